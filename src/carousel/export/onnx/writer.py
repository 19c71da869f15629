"""A network as an ONNX model: its layers one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from carousel.export.card import inputs_of, outputs_of
from carousel.export.description import (
    Activation,
    Backwards,
    Categories,
    Convolution,
    Dense,
    Differences,
    Embedding,
    Frames,
    GroupedSoftmax,
    Horizon,
    Known,
    Layer,
    Level,
    Network,
    Normalisation,
    Onward,
    Pictures,
    Pooling,
    Ranks,
    Recurrent,
    Repeat,
    Softmax,
    Squash,
    Standardise,
    UnitLength,
    Unscale,
)
from carousel.export.modules import width_after
from carousel.export.onnx import layers, operator, scan, summaries
from carousel.export.onnx.frames import frames
from carousel.export.onnx.graph import Graph


def model_of(network: Network, stream: bool) -> Any:
    """The ONNX model of a network; stream: of one step. Raises `ConfigError` for a cell whose
    equations ONNX has no nodes for."""
    return Writer(network, stream).model()


class Writer:
    """The value that goes from layer to layer, and what stands beside it.

    inside (B, T, 1), lengths (B,) int64: of rows that end before the batch does, else "".
    """

    def __init__(self, network: Network, stream: bool) -> None:
        self.network, self.stream = network, stream
        self.graph = Graph()
        self.lengths = "lengths" if network.has_lengths and not stream else ""
        self.inside = ""
        self.with_states = network.has_states or stream
        self.final: list[str] = []
        self.last = self.windows = self.level = self.known = ""
        self._names = iter(state.name for state in network.states)

    def model(self) -> Any:
        graph = self.graph
        graph.rename(self.walk()[-1], self.network.outputs[0].name)
        if self.with_states:
            for state, found in zip(self.network.states, self.final, strict=True):
                graph.rename(found, f"{state.name}_out")
        return graph.model(
            self.network.name,
            inputs_of(self.network, self.stream),
            outputs_of(self.network, self.stream),
        )

    def walk(self) -> list[str]:
        """Write all layers. Returns the names of what each of them gave; `final` has the states."""
        (given,) = self.network.inputs
        x, width = given.name, 0 if given.dtype == "int64" else int(given.shape[-1])
        if self.lengths:
            self._look(x)
        found = []
        for layer in self.network.layers:
            x = self._layer(layer, x, width)
            width = width_after((layer,), width)
            found.append(x)
        return found

    def _layer(self, layer: Layer, x: str, width: int) -> str:
        graph = self.graph
        match layer:
            case Recurrent():
                return self._recurrent(layer, x)
            case Standardise():
                return layers.standardise(graph, layer, x)
            case Differences():
                return layers.differences(graph, layer, x, width)
            case Embedding():
                return layers.embedding(graph, layer, x)
            case Categories():
                return layers.categories(graph, layer, x)
            case Convolution():
                return self._convolution(layer, x)
            case Frames():
                return frames(graph, layer, x, self.stream)
            case Pictures():
                return layers.pictures(graph, layer, x)
            case Pooling(how="last"):
                return self.last
            case Pooling():
                return summaries.pooled(graph, layer, x, self.inside, self.lengths)
            case Dense():
                return graph.dense(x, layer.weight, layer.bias)
            case Activation():
                return layers.activation(graph, layer, x)
            case Normalisation():
                return layers.normalisation(graph, layer, x)
            case UnitLength():
                return layers.unit_length(graph, layer, x)
            case Softmax():
                return str(graph.add("LogSoftmax" if layer.log else "Softmax", x, axis=-1))
            case GroupedSoftmax():
                return layers.grouped_softmax(graph, layer, x)
            case Ranks():
                return layers.ranks(graph, layer, x)
            case Unscale():
                scaled = graph.add("Mul", x, graph.constant(layer.std))
                return str(graph.add("Add", scaled, graph.constant(layer.mean)))
            case Squash():
                return layers.squash(graph, layer, x, width)
            case Known():
                x, self.known = layers.known(graph, layer, x)
                return x
            case Level():
                x, self.level = layers.level(graph, layer, x, width)
                return x
            case Onward():
                ahead = graph.add("Concat", *[self.windows] * layer.steps, axis=-1)
                return str(graph.add("Add", x, ahead))
            case Repeat():
                return layers.repeat(graph, layer, x, width)
            case Backwards():
                return layers.backwards(graph, x)
            case Horizon():
                return summaries.horizon(graph, layer, x, self.windows, self.level, self.known)

    def _look(self, x: str) -> None:
        """Look at the lengths: which steps of a batch its rows have."""
        steps = self.graph.add("Squeeze", self.graph.shape(x, 1, 2))
        self.inside = self.graph.inside(self.lengths, steps)

    def _convolution(self, layer: Convolution, x: str) -> str:
        y = layers.convolution(self.graph, layer, x, self.inside)
        if self.lengths:
            self.lengths = layers.lengths_after(self.graph, layer, self.lengths)
            self._look(y)
        return y

    def _recurrent(self, stack: Recurrent, x: str) -> str:
        graph, own = self.graph, operator.fits(stack)
        self.windows = self.windows or x
        if self.stream:
            x = graph.add("Unsqueeze", x, graph.integers(0))
        else:
            x = graph.add("Transpose", x, perm=[1, 0, 2])
        beside = ""
        if self.lengths and own:
            beside = graph.add("Cast", self.lengths, to=6)
        elif self.lengths:
            beside = graph.add("Transpose", self.inside, perm=[1, 0, 2])
        write = operator.write if own else scan.write
        ends: list[list[str]] = []
        for layer, states in zip(stack.layers, self._states(stack, x, own), strict=True):
            x, final = write(graph, stack, layer, x, beside, states)
            ends.append(final)
        names = [state.name for state in self.network.states][len(self.final) :]
        for name, parts in zip(names, zip(*ends, strict=True), strict=False):
            whole = graph.add("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]
            if own and self.lengths and self.with_states:  # runtimes forget a row without steps
                empty = graph.add("Equal", self.lengths, graph.constant(0, np.int64))
                empty = graph.add("Unsqueeze", empty, graph.integers(1))
                whole = graph.add("Where", empty, f"{name}_in", whole)
            self.final.append(whole)
        if self.stream:
            self.last = y = graph.add("Squeeze", x, graph.integers(0))
            return str(y)
        self.last = self._last(stack, ends[-1][0])
        return str(graph.add("Transpose", x, perm=[1, 0, 2]))

    def _last(self, stack: Recurrent, h: str) -> str:
        """The outputs at the ends of both directions side by side, (B, D P), of h (D, B, P)."""
        graph = self.graph
        if not any(isinstance(layer, Pooling | Horizon) for layer in self.network.layers):
            return ""
        h = graph.add("Transpose", h, perm=[1, 0, 2])
        return str(graph.add("Reshape", h, graph.integers(0, stack.directions * stack.outputs)))

    def _states(self, stack: Recurrent, x: str, own: bool) -> Iterator[list[str]]:
        """The states that each layer begins with; none where ONNX's operator begins with zeros."""
        graph, D = self.graph, stack.directions
        names = [next(self._names) + "_in" for _ in stack.state_names]
        for number in range(len(stack.layers)):
            if self.with_states and len(stack.layers) == 1:
                yield names
            elif self.with_states:
                yield [graph.slice(name, number * D, (number + 1) * D, 0) for name in names]
            elif own:
                yield []
            else:
                rows = graph.shape(x, 1, 2)
                shapes = [
                    graph.add("Concat", graph.integers(D), rows, graph.integers(size), axis=0)
                    for size in stack.state_sizes
                ]
                yield [graph.add("ConstantOfShape", shape) for shape in shapes]
