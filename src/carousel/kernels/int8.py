"""A stack of one direction in eight bits: whole batches, and one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel import _native
from carousel.cells.table import mode_of
from carousel.kernels.paths import StackSpec
from carousel.kernels.stepper import Stepper, outputs_of
from carousel.quantization import EightBits, refusal

State = tuple[Tensor, ...]


class Int8Stack:
    """Layers of one direction in eight bits, as their weights are now: later changes are not seen.

    weights: as the layer's flat list. largest (I,): of each |input| of the first layer (see
    `carousel.quantization`). Raises ValueError for a stack that has no form in eight bits.
    """

    def __init__(self, stack: StackSpec, weights: Sequence[Tensor], largest: NDArray[Any]) -> None:
        check(stack)
        number = mode_of(stack.mode).native
        assert number is not None
        self.number, self.layers = number, list[EightBits]()
        per_layer = len(weights) // stack.num_layers
        for index in range(stack.num_layers):
            own = weights[index * per_layer :][:per_layer]
            # Copies: NumPy's view of the weights could write, so torch would move shared ones.
            matrices = [w.detach().clone().numpy() for w in own]
            w_ih, w_hh, *biases = matrices
            b_ih, b_hh = biases or (None, None)
            ranges = largest if index == 0 else None
            self.layers.append(EightBits.of(w_ih, w_hh, b_ih, b_hh, ranges))
        self._native: _native.Int8Stack | None = None
        self._rows = 0

    @property
    def inputs(self) -> int:
        return int(self.layers[0].w_ih.shape[1])

    @property
    def outputs(self) -> int:
        return int(self.layers[-1].w_hh.shape[1])

    def parts(self) -> list[Int8Stack]:
        """Each of its layers as a stack of its own: the same results, layer by layer."""
        parts = []
        for layer in self.layers:
            part = copy(self)
            part.layers, part._native = [layer], None
            parts.append(part)
        return parts

    def packed(self, rows: int) -> _native.Int8Stack:
        """The stack for so many rows in the compiled kernels."""
        layers = []
        for layer in self.layers:
            arrays = (
                *(layer.w_ih, layer.w_hh, layer.scale_ih, layer.scale_hh),
                *(layer.b_ih, layer.b_hh, layer.levels),
            )
            addresses = [array.ctypes.data for array in arrays]
            inputs, hidden = layer.w_ih.shape[1], layer.w_hh.shape[1]
            layers.append(_native.Int8Layer(self.number, inputs, hidden, addresses))
        return _native.Int8Stack(layers, rows)

    def run(self, x: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State, int]:
        """Outputs (T, B, H) of x (T, B, I), zeros behind the ends of rows; the states at the ends,
        each (L, B, H); and how many inputs were beyond the range of calibration."""
        steps, rows, _ = x.shape
        order = None
        counts = [rows] * steps
        x, state = x.float(), tuple(part.float() for part in state)
        if lengths is not None:
            ranked, order = torch.sort(lengths.cpu(), descending=True, stable=True)
            counts = (ranked > torch.arange(steps)[:, None]).sum(1).tolist()
            x, state = x[:, order], tuple(part[:, order] for part in state)
        x = x.contiguous()
        y = x.new_zeros(steps, rows, self.outputs)
        last = _bounded(state)
        if not rows:
            return y, last, 0
        if self._native is None or self._rows != rows:
            self._native, self._rows = self.packed(rows), rows
        before = self._native.saturated
        h, c = _addresses(last)
        self._native.run(x.data_ptr(), y.data_ptr(), h, c, counts)
        if order is not None:
            back = torch.argsort(order)
            y, last = y[:, back], tuple(part[:, back] for part in last)
        return y, last, self._native.saturated - before


class Int8Stepper(Stepper):
    """A stack in eight bits, fed one step at a time; see `Stepper`."""

    def __init__(self, stack: Int8Stack, state: State) -> None:
        self._state = _bounded(state)
        rows = state[0].size(1)
        self._x_shape, self._y_shape = (rows, stack.inputs), (rows, stack.outputs)
        self._fresh = []
        self._native = native = stack.packed(rows)
        h, c = _addresses(self._state)
        kept = (*self._state, stack)  # of whose levels the compiled stack has the addresses
        self._advance = partial(_advance, native, h, c, rows, kept)
        exchange = getattr(Tensor, "__dlpack_c_exchange_api__", None)
        self._takes: Callable[[Tensor, Tensor], bool] = lambda x_t, out: False
        if exchange is not None:
            self._takes = _native.Int8Feed(native, Tensor, exchange, h, c, kept).step

    @property
    def feed(self) -> Callable[[Tensor, Tensor | None], Any]:
        return self._step

    def _step(self, x_t: Tensor, out: Tensor | None) -> Tensor | None:
        if out is None:
            self._fresh = self._fresh or outputs_of(*self._y_shape)
            out = self._fresh.pop()
        return out if self._takes(x_t, out) else None

    @property
    def saturated(self) -> int:
        """Inputs so far beyond the range of calibration."""
        return self._native.saturated

    def _unchanged(self) -> bool:
        return True


def check(stack: StackSpec) -> None:
    """Raise ValueError, with the reason, for a stack that has no form in eight bits."""
    options = stack.options.words
    if stack.bidirectional:
        reason = f"{stack.cell.layer} reads in both directions: eight bits are of one, as streams"
    elif stack.proj_size:
        reason = f"{stack.cell.layer} with a projection has no kernels in eight bits"
    else:
        reason = refusal(stack.cell, mode_of(stack.mode), options)
    if reason:
        raise ValueError(f"int8: {reason}")


def _advance(
    native: _native.Int8Stack, h: int, c: int, rows: int, kept: tuple[object, ...], x: int, y: int
) -> None:
    """A step of all rows; kept: what owns the memory at h and c."""
    native.run(x, y, h, c, [rows])


def _bounded(state: State) -> State:
    """A copy of a state whose h the fixed scale can hold. Raises ValueError for another."""
    h = state[0]
    if h.numel() and not float(h.abs().max()) <= 1:
        raise ValueError("int8 holds hidden states between -1 and 1, where those of a layer lie")
    return tuple(part.clone(memory_format=torch.contiguous_format) for part in state)


def _addresses(state: State) -> tuple[int, int]:
    h, *others = state
    return h.data_ptr(), others[0].data_ptr() if others else 0
