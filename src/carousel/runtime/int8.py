"""Streams in eight bits: the steps of `carousel.quantization`, for batches of any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carousel.errors import ConfigError, DataError
from carousel.quantization import EightBits, refusal
from carousel.runtime.compiled import _native
from carousel.runtime.files import Array
from carousel.runtime.stack import Stack

_ROWS = 1024  # of a batch in the kernels; larger ones are cut


class Int8Steps:
    """Layers of one direction in eight bits, packed once, for batches of any size.

    largest (I,): of each |input| of the first layer, as calibration found them. Raises
    `ConfigError`, by name, for a cell that has no form in eight bits.
    """

    def __init__(self, stack: Stack, largest: ArrayLike) -> None:
        cell = stack.cell
        why = refusal(cell.spec, cell.mode, () if cell.options is None else ("options",))
        if why:
            raise ConfigError(f"int8: {why}")
        number = cell.mode.native
        assert number is not None
        self.names, self._hidden, self._depth = cell.spec.states, cell.hidden, len(stack.layers)
        self._layers, native = [], []
        for place, (weights, *_) in enumerate(stack.layers):
            layer = EightBits.of(
                weights["weight_ih"], weights["weight_hh"], weights.get("bias_ih"),
                weights.get("bias_hh"), largest if place == 0 else None,
            )  # fmt: skip
            arrays = (
                *(layer.w_ih, layer.w_hh, layer.scale_ih, layer.scale_hh),
                *(layer.b_ih, layer.b_hh, layer.levels),
            )
            self._layers.append(layer)  # whose levels the kernels have the address of
            addresses = [array.ctypes.data for array in arrays]
            native.append(
                _native.Int8Layer(number, layer.w_ih.shape[1], layer.w_hh.shape[1], addresses)
            )
        self._native = _native.Int8Stack(native, _ROWS)

    @property
    def saturated(self) -> int:
        """Inputs so far beyond the range of calibration: each was read as the end of its range."""
        return self._native.saturated

    def run(self, x: Array, state: dict[str, Array], lengths: NDArray[np.int64] | None) -> Array:
        """Outputs (B, T, H) of x (B, T, I), not set behind lengths (B,). state: parts (B, L, H),
        which are put where the rows end."""
        rows, steps, _ = x.shape
        y = np.zeros((rows, steps, self._hidden), np.float32)
        sizes = np.full(rows, steps) if lengths is None else lengths
        order = np.argsort(-sizes, kind="stable")
        after = {name: np.empty_like(state[name]) for name in self.names}
        for first in range(0, rows, _ROWS):
            here = order[first : first + _ROWS]
            self._run(x, y, state, after, here, sizes[here])
        state |= after
        return y

    def _run(
        self,
        x: Array,
        y: Array,
        state: dict[str, Array],
        after: dict[str, Array],
        here: NDArray[np.int64],
        sizes: NDArray[np.int64],
    ) -> None:
        """Steps of the rows `here`, the longest first."""
        count, steps = len(here), int(sizes[0])
        given = np.empty((steps, _ROWS, x.shape[2]), np.float32)
        told = np.empty((steps, _ROWS, self._hidden), np.float32)
        given[:, :count] = x[here, :steps].swapaxes(0, 1)
        parts = []
        for name in self.names:
            part = np.empty((self._depth, _ROWS, self._hidden), np.float32)
            part[:, :count] = state[name][here].swapaxes(0, 1)
            parts.append(part)
        h, c = (*(part.ctypes.data for part in parts), 0)[:2]
        counts = (sizes[None] > np.arange(steps)[:, None]).sum(1).tolist()
        self._native.run(given.ctypes.data, told.ctypes.data, h, c, counts)
        y[here, :steps] = told[:, :count].swapaxes(0, 1)
        for name, part in zip(self.names, parts, strict=True):
            after[name][here] = part[:, :count].swapaxes(0, 1)


def largest_of(inputs: Array) -> Array:
    """Largest |input| of each feature (I,) of what the network reads, (..., I). Raises `DataError`
    if there is none."""
    if not inputs.size:
        raise DataError("int8 needs steps like those to come, for the range of each feature")
    return np.asarray(np.abs(inputs.reshape(-1, inputs.shape[-1])).max(0), np.float32)
