"""What the compiled kernels must know of one layer besides its tensors."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from carousel.kernels import parallel
from carousel.kernels.options import PLAIN, Options

CELLS = {"LSTM": 0, "GRU": 1, "RNN_TANH": 2, "RNN_RELU": 3} | {
    mode: 4 + index for index, mode in enumerate(parallel.GATES)
}
_GATES = {"GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}  # the LSTM's depend on its options


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

    mode: torch's name of the cell.
    layout: "TBI" or "BTI" of padded input (T, B, I) or (B, T, I); "packed" for the data (N, I) of
        a `PackedSequence`.
    checkpoint_every: keep for the backward pass only the cell states of every so many steps, and
        compute the rest again (0: keep everything).
    options: what the cell does differently from torch's, inside.
    """

    mode: str
    layout: str
    directions: int
    bias: bool
    hidden_size: int
    outputs: int
    checkpoint_every: int = 0
    options: Options = PLAIN

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
        directions = 2 if bidirectional else 1
        if mode in parallel.GATES:
            hidden, biased = parallel.sizes_of(mode, directions, shapes)
            return cls(mode, layout, directions, biased, hidden, hidden)
        gates = len(options.gates) if mode == "LSTM" else _GATES[mode]
        hidden, outputs = shapes[1][0] // gates, shapes[1][-1]
        more = (outputs != hidden) + options.peephole + len(_gains(mode, options))
        biased = len(shapes) // directions - more == 4
        return cls(mode, layout, directions, biased, hidden, outputs, checkpoint_every, options)

    @property
    def projected(self) -> bool:
        return self.outputs != self.hidden_size

    @functools.cached_property
    def cell(self) -> int:
        """The cell's number in native/kernels.hpp."""
        return CELLS[self.mode]

    @functools.cached_property
    def plain(self) -> bool:
        """Whether the step is torch's."""
        return not self.options.in_cell

    @functools.cached_property
    def parallel(self) -> bool:
        """Whether the units do not see each other's past."""
        return self.mode in parallel.GATES

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The weights of one direction, as the compiled module calls them."""
        if self.parallel:
            return parallel.names(self.mode, self.bias)
        names = ("w_ih", "w_hh", "b_ih", "b_hh") if self.bias else ("w_ih", "w_hh")
        names = (*names, "w_hr") if self.projected else names
        names = (*names, "w_c") if self.options.peephole else names
        return (*names, *_gains(self.mode, self.options))

    @functools.cached_property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of h and, of the LSTM, c."""
        return (self.outputs, self.hidden_size) if self.mode == "LSTM" else (self.outputs,)

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
        H, P = self.hidden_size, self.outputs
        if self.parallel:
            rows = parallel.GATES[self.mode] * H
            return {"w_ih": (rows, inputs), "w_hh": (H,), "b_ih": (rows,)}
        gates = len(self.options.gates) if self.mode == "LSTM" else _GATES[self.mode]
        rows = gates * H
        return {
            "w_ih": (rows, inputs),
            "w_hh": (rows, P),
            "b_ih": (rows,),
            "b_hh": (rows,),
            "w_hr": (P, H),
            "w_c": (rows - H,),
            "w_ln_ih": (rows,),
            "w_ln_hh": (rows,),
            "w_ln_c": (H,),
            "b_ln_c": (H,),
        }

    def steps_and_rows(self, x: Tensor, lengths: Lengths | None) -> tuple[int, int]:
        if self.layout == "packed":
            assert lengths is not None
            assert lengths.steps is not None
            return len(lengths.steps), len(lengths.order)
        first, second, _ = x.shape
        return (first, second) if self.layout == "TBI" else (second, first)


def _gains(mode: str, options: Options) -> tuple[str, ...]:
    """The weights of layer normalisation, the last of each direction."""
    if not options.layer_norm:
        return ()
    if mode == "LSTM":
        return ("w_ln_ih", "w_ln_hh", "w_ln_c", "b_ln_c")
    return ("w_ln_ih", "w_ln_hh") if mode == "GRU" else ("w_ln_hh",)
