"""Recurrent layers, one upon the other, on arrays: whole sequences, or step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.runtime.cell import Cell
from carousel.runtime.compiled import _native
from carousel.runtime.files import Array
from carousel.runtime.joined import widened

Lengths = NDArray[np.int64]
State = dict[str, Array]


class Stack:
    """The layers of a bundle; the equations are those of `carousel.cells`.

    weights: of the whole bundle, of which those named `prefix`.… are the stack's. threads: of a
    call; they change no bit of the result.
    """

    def __init__(
        self,
        cell: Cell,
        weights: Mapping[str, Array],
        both: bool,
        threads: int = 1,
        prefix: str = "recurrent",
    ) -> None:
        self.cell, self.both, self.threads = cell, both, threads
        self.layers: list[list[dict[str, Array]]] = []
        own = {name.removeprefix(f"{prefix}."): each for name, each in weights.items()
               if name.startswith(f"{prefix}.")}  # fmt: skip
        while f"weight_ih_l{len(self.layers)}" in own:
            number = len(self.layers)
            ends = [f"_l{number}", f"_l{number}_reverse"][: 1 + both]
            self.layers.append([_of_one(cell, own, end, above=number > 0) for end in ends])
        self.outputs = cell.units * (1 + both)

    @property
    def inputs(self) -> int:
        """Features of a step."""
        return int(self.layers[0][0]["weight_ih"].shape[1])

    def run(self, x: Array, lengths: Lengths | None = None) -> tuple[Array, Array]:
        """Outputs (B, T, D·H) of x (B, T, I), zeros behind the end of a row, and the last layer's
        states at the ends of the rows, (B, D·H). lengths (B,): of the rows, T if not given."""
        y, last = x, np.zeros((len(x), self.cell.hidden * (1 + self.both)), np.float32)
        order = ranked = None
        if lengths is not None:
            order = np.argsort(-lengths, kind="stable")
            ranked = np.ascontiguousarray(lengths[order])
        for layer in self.layers:
            x = np.ascontiguousarray(y)
            y, last = self._layer(layer, x, order, ranked)
        return self.own(y), self.own(last)

    def own(self, features: Array) -> Array:
        """Outputs (..., D·H) among those of the kernels, which may have more for each direction."""
        if self.cell.units == self.cell.hidden:
            return features
        by_direction = features.reshape(*features.shape[:-1], 1 + self.both, self.cell.hidden)
        kept = by_direction[..., : self.cell.units]
        return np.ascontiguousarray(kept).reshape(*features.shape[:-1], self.outputs)

    def _layer(
        self,
        layer: list[dict[str, Array]],
        x: Array,
        order: Lengths | None,
        lengths: Lengths | None,
    ) -> tuple[Array, Array]:
        (rows, steps, inputs), size = x.shape, self.cell.hidden
        wide = size * len(layer)
        y = np.zeros((rows, steps, wide), np.float32)
        last = np.zeros((len(layer), rows, size), np.float32)
        if not rows:
            return y, last.reshape(0, wide)
        kept = [np.zeros((rows, wide), np.float32) for wide in self._sizes]
        for direction, weights in enumerate(layer):
            problem = self.cell.problem(weights, steps, rows, reverse=direction == 1)
            problem.set_x(x.ctypes.data, inputs, steps * inputs)
            begin = y.ctypes.data + 4 * direction * size
            problem.set_y(begin, wide, steps * wide)
            if order is not None and lengths is not None:
                problem.order, problem.lengths = order.ctypes.data, lengths.ctypes.data
            ends = [last[direction], *kept[1:]]
            for name, part in zip(self.cell.spec.states, ends, strict=True):
                setattr(problem, f"{name}n", part.ctypes.data)
            _native.forward(problem, self.threads)
        return y, np.concatenate(list(last), 1)

    def zeros(self, rows: int) -> State:
        """The state before the first step: each part (L, B, ·), as `CellSpec.state_sizes`."""
        named = zip(self.cell.spec.states, self._sizes, strict=True)
        return {name: np.zeros((len(self.layers), rows, size), np.float32) for name, size in named}

    @property
    def _sizes(self) -> tuple[int, ...]:
        return self.cell.spec.state_sizes(self.cell.hidden, self.cell.hidden, self.cell.memory)

    def feed(self, state: State) -> Feed:
        """The layers fed one step at a time, from a state that changes in place."""
        return Feed(self.cell, [directions[0] for directions in self.layers], state, self.threads)


class Feed:
    """Layers of one direction, their weights packed once: `step` reads `x` (B, I) and gives `y`
    (B, H), which the next step writes."""

    def __init__(
        self, cell: Cell, layers: list[dict[str, Array]], state: State, threads: int
    ) -> None:
        rows = next(iter(state.values())).shape[1]
        problems = []
        for number, weights in enumerate(layers):
            problem = cell.problem(weights, 1, rows)
            for name, part in state.items():
                setattr(problem, f"{name}0", part[number].ctypes.data)
                setattr(problem, f"{name}n", part[number].ctypes.data)
            problems.append(problem)
        self.x = np.zeros((rows, layers[0]["weight_ih"].shape[1]), np.float32)
        told = np.zeros((rows, cell.hidden), np.float32)
        self.y = told[:, : cell.units]
        kept = (layers, state)  # what the compiled stepper has the addresses of
        self._stepper: Any = _native.Stepper(problems, threads, kept)
        self._where = (self.x.ctypes.data, told.ctypes.data)

    def step(self) -> None:
        """One step of every layer."""
        self._stepper.step(*self._where)


def _of_one(cell: Cell, weights: Mapping[str, Array], end: str, *, above: bool) -> dict[str, Array]:
    """Weights of one direction of one layer of a stack, by their names in the kernels'
    description of the cell. above: another layer."""
    names = (weight.name for weight in cell.layer.weights)
    stored = {name: f"{name}{end}" for name in names}
    own = {
        name: np.ascontiguousarray(weights[found])
        for name, found in stored.items()
        if found in weights
    }
    if cell.joining is None:
        return own
    made = cell.joining(own)
    return widened(made, cell.hidden, cell.units) if above else made
