"""A file against the model that it came from: random inputs, lengths and states.

Everything is drawn with a seed of its own, so that an export says the same every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.export.description import (
    Categories,
    Convolution,
    Differences,
    Embedding,
    Network,
    Standardise,
    Value,
)
from carousel.export.formats import Comparison, Run
from carousel.export.subject import Subject

Numbers = NDArray[Any]
Given = dict[str, Numbers]

_SIZES = ((3, 10), (1, 0), (2, 5))
"""Rows of the batches that are tried, and steps more than the shortest row has."""
_STEPS = 6
"""Steps that are taken one by one."""


def compare(subject: Subject, run: Run, *, stream: bool, tolerance: float) -> Comparison:
    """Largest difference between a file and its model.

    Whole batches, of rows of different lengths where there are any, from random states where there
    are any; and sequences step by step, each step from the states that the file gave back. stream:
    the file takes one step at a time.
    """
    network, rng = subject.network, np.random.default_rng(0)
    largest, cases = 0.0, 0
    if not stream:
        for rows, more in _SIZES:
            given = random_batch(network, rows, shortest(network) + more, rng)
            if network.has_states:
                given |= random_states(subject, rows, rng)
            largest = max(largest, _difference(network, given, run(given), subject.run(given)))
            cases += 1
    if stream or (network.has_states and goes_on(network)):
        for rows in (1, 3):
            given = random_batch(network, rows, _STEPS, rng, lengths=False)
            given |= random_states(subject, rows, rng)
            largest = max(largest, _stepped(subject, given, run, stream))
            cases += 1
    return Comparison(largest, tolerance, cases)


def goes_on(network: Network) -> bool:
    """True if a sequence may be cut into calls: states hand on all that came before."""
    cut = not any(isinstance(layer, Convolution | Differences) for layer in network.layers)
    return cut and all(stack.directions == 1 for stack in network.recurrent)


def random_batch(
    network: Network,
    rows: int,
    steps: int,
    rng: np.random.Generator,
    *,
    lengths: bool = True,
) -> Given:
    """Inputs of a network: values as the training part may have had them, tokens that there are.
    lengths: of rows that end before the batch does; else all are whole."""
    (value,) = network.inputs
    shape = _shape(value, rows, steps)
    given: Given = {value.name: _values(network, shape, rng)}
    if network.has_lengths:
        count = shape[1]
        low = min(shortest(network), count)
        drawn = rng.integers(low, count + 1, rows) if lengths else np.full(rows, count)
        drawn[0] = count
        given["lengths"] = drawn.astype(np.int64)
    return given


def random_states(subject: Subject, rows: int, rng: np.random.Generator) -> Given:
    """States that a model comes to, from zeros, on a batch: some are never negative, or bound to
    each other."""
    network = subject.network
    steps = _shape(network.inputs[0], rows, shortest(network) + _STEPS)[1]
    found = subject.run(random_batch(network, rows, steps, rng, lengths=False))
    return {f"{state.name}_in": found[f"{state.name}_out"] for state in network.states}


def _shape(value: Value, rows: int, steps: int) -> tuple[int, ...]:
    sizes = {"batch": rows, "time": steps}
    return tuple(sizes[size] if isinstance(size, str) else size for size in value.shape)


def _values(network: Network, shape: tuple[int, ...], rng: np.random.Generator) -> Numbers:
    first = network.layers[0]
    if isinstance(first, Embedding):
        tables = (first.table, *first.further)
        columns = [rng.integers(0, len(table), shape[:2]) for table in tables]
        return np.stack(columns, -1) if first.further else columns[0]
    x = rng.standard_normal(shape)
    if standard := next(network.of_kind(Standardise), None):
        width = shape[-1] if len(standard.mean) > 1 else 1
        x = standard.mean[:width] + standard.std[:width] * x
    for layer in network.of_kind(Categories):
        for place, table in layer.tables:
            x[..., place % shape[-1]] = rng.integers(0, len(table) + 1, shape[:-1])
    return x.astype(np.float32)


def _difference(network: Network, given: Given, found: Given, wanted: Given) -> float:
    """Largest difference of all that a file gave, relative to numbers above one; steps behind a
    row's end count nowhere."""
    largest = 0.0
    for name, right in wanted.items():
        if name not in found:
            continue
        apart = np.abs(found[name].astype(np.float64) - right.astype(np.float64))
        apart /= np.maximum(1.0, np.abs(right))
        output = next((o for o in network.outputs if o.name == name), None)
        if "lengths" in given and output is not None and "time" in output.shape:
            counts = lengths_after(network, given["lengths"])
            inside = np.arange(apart.shape[1]) < counts[:, None]
            apart = apart[inside]
        if found[name].shape != right.shape or not np.isfinite(found[name]).all():
            return float("inf")
        largest = max(largest, float(apart.max(initial=0.0)))
    return largest


def shortest(network: Network) -> int:
    """Steps of the shortest row of which a step is left after all convolutions."""
    steps = 1
    while lengths_after(network, np.array([steps]))[0] < 1:
        steps += 1
    return steps


def lengths_after(network: Network, lengths: Numbers) -> Numbers:
    """Lengths of the outputs of rows of these lengths: convolutions shorten them."""
    for layer in network.of_kind(Convolution):
        lengths = np.array([layer.length(int(n)) for n in lengths])
    return lengths


def _stepped(subject: Subject, given: Given, run: Run, stream: bool) -> float:
    """Largest difference of a sequence that a file takes step by step."""
    network = subject.network
    name, steps = network.inputs[0].name, given[network.inputs[0].name].shape[1]
    largest = 0.0
    states = {key: value for key, value in given.items() if key.endswith("_in")}
    whole = subject.run(given)
    output = network.outputs[0].name
    for t in range(steps):
        piece = given[name][:, t] if stream else given[name][:, t : t + 1]
        step: Given = {name: piece, **states}
        if "lengths" in given and not stream:
            step["lengths"] = np.ones_like(given["lengths"])
        found = run(step)
        if "time" in network.outputs[0].shape:
            wanted = whole[output][:, t] if stream else whole[output][:, t : t + 1]
        else:
            wanted = subject.run(_until(given, name, t + 1))[output]
        largest = max(largest, _difference(network, {}, {output: found[output]}, {output: wanted}))
        states = {f"{s.name}_in": found[f"{s.name}_out"] for s in network.states}
    ends = {f"{s.name}_out": states[f"{s.name}_in"] for s in network.states}
    return max(largest, _difference(network, {}, ends, {key: whole[key] for key in ends}))


def _until(given: Mapping[str, Numbers], name: str, steps: int) -> Given:
    """The beginning of a batch."""
    cut = {name: given[name][:, :steps]}
    if "lengths" in given:
        cut["lengths"] = np.full_like(given["lengths"], steps)
    return {**given, **cut}
