"""Facts that a caller needs of a file that was exported, as JSON beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from carousel.export.description import Network, Standardise, Value
from carousel.export.formats import Asked, Comparison


def card_of(
    network: Network,
    asked: Asked,
    files: list[str],
    compared: Comparison,
    example: str,
    states: bool = True,
) -> dict[str, Any]:
    """Names, shapes and dtypes of inputs and outputs, classes, vocabulary, scaler, sample rate, how
    far the file is from the model, and an example that uses it. states: as inputs and outputs;
    False of files that take one row, and keep the states themselves."""
    scaler = next(network.of_kind(Standardise), None)
    inputs, outputs = inputs_of(network, asked.stream), outputs_of(network, asked.stream)
    return {
        "files": files,
        "model": network.name,
        "stream": asked.stream,
        "int8": asked.int8,
        "inputs": values_of(inputs if states else _of_one_row(network.inputs, asked.stream)),
        "outputs": values_of(outputs if states else _of_one_row(network.outputs, asked.stream)),
        "classes": list(network.classes),
        "vocabulary": list(network.vocabulary),
        "scaler": scaler and {"mean": scaler.mean.tolist(), "std": scaler.std.tolist()},
        "sample_rate": network.sample_rate,
        **network.facts,
        "difference": compared.difference,
        "tolerance": compared.tolerance,
        "example": example.splitlines(),
    }


def inputs_of(network: Network, stream: bool) -> list[Value]:
    """Inputs of a file: values or tokens, lengths, states."""
    given = [_stepped(one, stream) for one in network.inputs]
    if network.has_lengths and not stream:
        given.append(Value("lengths", "int64", ("batch",), "steps of each row"))
    if network.has_states or stream:
        given += [_renamed(one, "in", "to begin with; zeros at first") for one in network.states]
    return given


def outputs_of(network: Network, stream: bool) -> list[Value]:
    """Outputs of a file: those of the network, states."""
    found = [_stepped(one, stream) for one in network.outputs]
    if network.has_states or stream:
        found += [_renamed(one, "out", "afterwards") for one in network.states]
    return found


def _stepped(value: Value, stream: bool) -> Value:
    shape = tuple(size for size in value.shape if not (stream and size == "time"))
    return Value(value.name, value.dtype, shape, value.words)


def _of_one_row(values: Sequence[Value], stream: bool) -> list[Value]:
    found = [_stepped(one, stream) for one in values]
    return [replace(one, shape=tuple(n for n in one.shape if n != "batch")) for one in found]


def _renamed(state: Value, which: str, words: str) -> Value:
    return Value(f"{state.name}_{which}", state.dtype, state.shape, f"{state.words}, {words}")


def values_of(values: Sequence[Value]) -> list[dict[str, Any]]:
    """Names, dtypes and shapes as JSON can hold them."""
    return [
        {"name": one.name, "dtype": one.dtype, "shape": list(one.shape), "words": one.words}
        for one in values
    ]
