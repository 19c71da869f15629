"""`Cell`: what the C of every recurrent cell is made with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carousel.export.c.builder import Builder, room
from carousel.export.c.eight import of_inputs, of_state
from carousel.export.c.product import product
from carousel.export.description import Array, Recurrent, Weights
from carousel.quantization import EightBits

EPSILON = "1e-5f"  # of layer normalisation inside cells


@dataclass(frozen=True)
class Cell:
    """One direction of one layer, while its C is made.

    eight: its weights in eight bits, where the products are of these; calibrated: whether its
    inputs have ranges of their own, and are no hidden states.
    """

    builder: Builder
    stack: Recurrent
    weights: Weights
    said: str
    eight: EightBits | None = None
    calibrated: bool = False

    @property
    def hidden(self) -> int:
        return self.stack.hidden

    @property
    def units(self) -> str:
        """Head of a loop over units, u."""
        return self.builder.unit_loop(self.hidden)

    def bias(self, *names: str) -> Array | None:
        """Sum of the biases with these names; None where there are none."""
        there = [self.weights[name] for name in names if name in self.weights]
        if not there:
            return None
        total: Array = np.sum([b.astype(np.float64) for b in there], axis=0).astype(np.float32)
        return total

    def sums(self, name: str, blocks: int) -> str:
        """Declaration of an array of sums of so many blocks, readable to a whole vector."""
        return f"float {name}[{blocks * self.hidden + self._more}];\n"

    def clear(self, name: str, blocks: int) -> str:
        """Zeros in what stands behind the sums, where loops run on to a whole vector."""
        if not self._more:
            return ""
        start, end = blocks * self.hidden, blocks * self.hidden + self._more
        return f"for (u = {start}; u < {end}; ++u) {name}[u] = 0.0f;\n"

    @property
    def _more(self) -> int:
        return room(self.hidden) - self.hidden

    def joint(self, to: str) -> str:
        """to = W_ih x + W_hh h + both biases."""
        if self.eight is not None:
            start = self._start(self.eight.b_ih + self.eight.b_hh)
            return of_state(self.builder, self.eight, start, to, self.said) + of_inputs(
                self.builder, self.eight, self.calibrated, to, to, self.said
            )
        w = self.weights
        bias = self.bias("bias_ih", "bias_hh")
        matrices = [w["weight_ih"], w["weight_hh"]]
        said = f"{self.said}: weights of x, then of h"
        return product(self.builder, matrices, bias, ("x", "h"), to, said)

    def of(
        self, which: str, source: str, to: str, rows: slice = slice(None), bias: bool = True
    ) -> str:
        """to = the rows of one product alone: which is "ih" or "hh"."""
        if self.eight is not None:
            if which == "hh":
                start = self._start(self.eight.b_hh)
                return of_state(self.builder, self.eight, start, to, self.said)
            start = self._start(self.eight.b_ih)
            return of_inputs(self.builder, self.eight, self.calibrated, start, to, self.said)
        matrix = self.weights[f"weight_{which}"][rows]
        own = self.bias(f"bias_{which}") if bias else None
        own = None if own is None else own[rows]
        said = f"{self.said}: weight_{which}"
        return product(self.builder, [matrix], own, (source,), to, said)

    def _start(self, biases: Array) -> str:
        return self.builder.table("b", biases, "biases")

    def normalised(self, name: str, gain: str, bias: Array | None, widths: tuple[int, ...]) -> str:
        """name = LN(name) gain + bias, each of the widths by itself."""
        function = self.builder.function_of("normalise")
        text, start = "", 0
        for width in widths:
            at = f"{name} + {start}" if start else name
            text += f"{function}({at}, {width}, {EPSILON});\n"
            start += width
        gains = self.builder.table("gain", self.weights[gain], f"{self.said}: {gain}")
        value = f"{name}[u] * {gains}[u]"
        if bias is not None:
            value += f" + {self.builder.table('b', bias, 'biases after it')}[u]"
        return text + f"for (u = 0; u < {start}; ++u) {name}[u] = {value};\n"

    def activation(self, option: str) -> str:
        """Name of the C function of an option of the cell."""
        return self.builder.function_of(self.stack.options[option])


def zoned(cell: Cell, name: str, to: str, value: str) -> str:
    """Statement for to[u] = value[u], with zoneout of the state."""
    rates = dict(zip(cell.stack.state_names, cell.stack.zoneout, strict=True))
    p = rates[name]
    if not p:
        return f"{to}[u] = {value};\n"
    return f"{to}[u] = {p:.9g}f * {to}[u] + {1 - p:.9g}f * ({value});\n"
