"""Description of one layer for the compiled kernels, besides its tensors."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from carousel.cells.spec import CellSpec, Weight
from carousel.cells.table import mode_of, spec_of
from carousel.kernels.options import PLAIN, Options


class Lengths(NamedTuple):
    """Sequences of unequal length: rows in falling order of their lengths.

    order, sorted: (B,) int64 on the CPU, rows and their lengths.
    steps: for packed data (T,) int64, how many rows of the data stand before each step.
    """

    order: Tensor
    sorted: Tensor
    steps: Tensor | None = None


@dataclass(frozen=True)
class LayerSpec:
    """One recurrent layer, all its directions, as the compiled kernels see it.

    mode: of the cell (see carousel.cells.spec.Mode).
    layout: "TBI" or "BTI" of padded input (T, B, I) or (B, T, I); "packed" for the data (N, I) of
        a `PackedSequence`.
    checkpoint_every: keep for the backward pass only the cell states of every so many steps, and
        compute the rest again (0: keep everything).
    options: what the cell does differently from torch's, inside.
    heads: groups of units that read the states of their own alone.
    direct: inputs skip the gates as they are (see `CellSpec.skip`).
    memory: coefficients of a unit, where the cell keeps some.
    """

    mode: str
    layout: str
    directions: int
    bias: bool
    hidden_size: int
    outputs: int
    checkpoint_every: int = 0
    options: Options = PLAIN
    heads: int = 1
    direct: bool = False
    memory: int = 0

    @classmethod
    def of(
        cls,
        mode: str,
        layout: str,
        bidirectional: bool,
        shapes: Sequence[torch.Size],
        checkpoint_every: int = 0,
        options: Options = PLAIN,
    ) -> LayerSpec:
        """The layer whose weights (torch's flat list, direction by direction) have these shapes."""
        cell, directions = spec_of(mode), 2 if bidirectional else 1
        if cell.is_parallel:  # of whose kernels there is one kind
            checkpoint_every, options = 0, PLAIN
        if options.precision and "precision" not in cell.options:
            options = dataclasses.replace(options, precision="")
        hidden = outputs = cell.hidden_of(shapes, options.value)
        if not cell.is_parallel and not cell.has_heads:
            outputs = shapes[1][-1]
        without = cls(mode, layout, directions, False, hidden, outputs, checkpoint_every, options)
        if cell.has_heads:
            heads = hidden // max(1, shapes[1][-1])
            without = dataclasses.replace(without, heads=heads)
        if cell.memory and cell.is_parallel:
            without = dataclasses.replace(without, memory=shapes[1][-1])
        if cell.is_direct(shapes[0][-1], hidden):
            without = dataclasses.replace(without, direct=True)
        biased = len(shapes) // directions != len(without.weights)
        return dataclasses.replace(without, bias=biased)

    @property
    def projected(self) -> bool:
        return self.outputs != self.hidden_size

    @functools.cached_property
    def cell(self) -> CellSpec:
        """Description of its cell."""
        return spec_of(self.mode)

    @functools.cached_property
    def number(self) -> int:
        """The cell's number in native/kernels.hpp."""
        number = mode_of(self.mode).native
        assert number is not None  # `paths.choose` sends no other here
        return number

    @functools.cached_property
    def plain(self) -> bool:
        """True if the step is torch's."""
        return not self.options.in_cell

    @functools.cached_property
    def parallel(self) -> bool:
        """True if the units do not see each other's past."""
        return self.cell.is_parallel

    @functools.cached_property
    def sums(self) -> int:
        """Features that backward leaves for a row, of a parallel cell: see `parallel.products`."""
        H, blocks = self.hidden_size, self.cell.blocks_with(self.options.value)
        rows = {"gates": blocks * H, "memory": self.memory}
        further = (rows[self.cell.weights[place].rows] for place in self.cell.further_inputs)
        return (blocks + 2 * self.cell.projects) * H + sum(further)

    @functools.cached_property
    def weights(self) -> tuple[Weight, ...]:
        """The weights of one direction."""
        given = {"bias": self.bias, "proj_size": self.projected}
        options = self.options
        return self.cell.weights_with(
            lambda name: given[name] if name in given else options.value(name)
        )

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The weights of one direction, as the compiled module calls them."""
        return tuple(weight.in_native for weight in self.weights)

    @functools.cached_property
    def states(self) -> tuple[str, ...]:
        """The names of its states, the output first."""
        return self.cell.states

    @functools.cached_property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of each state, such as h and c."""
        return self.cell.state_sizes(self.hidden_size, self.outputs, self.memory)

    def check(self, inputs: int, shapes: Sequence[torch.Size]) -> None:
        """Raise RuntimeError unless weights of these shapes are this layer's, for so many inputs.

        Memory is at stake: the compiled kernels go by the layer's sizes alone.
        """
        if len(shapes) != self.directions * len(self.names):
            raise RuntimeError(
                f"{self.mode}: a layer of {self.directions} direction(s) has "
                f"{self.directions * len(self.names)} weights, got {len(shapes)}"
            )
        expected = self._shapes(inputs)
        for index, shape in enumerate(shapes):
            name = self.names[index % len(self.names)]
            if shape != expected[name]:
                raise RuntimeError(
                    f"{self.mode}: weight {name} must have shape {expected[name]} for an input of "
                    f"{inputs} features and {self.hidden_size} hidden units, got {tuple(shape)}"
                )

    def _shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        H, P, blocks = self.hidden_size, self.outputs, self.cell.blocks_with(self.options.value)
        return {
            w.in_native: self.cell.shape_of(w, inputs, H, P, blocks, self.heads, self.memory)
            for w in self.weights
        }

    def steps_and_rows(self, x: Tensor, lengths: Lengths | None) -> tuple[int, int]:
        if self.layout == "packed":
            assert lengths is not None
            assert lengths.steps is not None
            return len(lengths.steps), len(lengths.order)
        first, second, _ = x.shape
        return (first, second) if self.layout == "TBI" else (second, first)
