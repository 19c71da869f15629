"""Layers in eight bits: weights, inputs and hidden states as whole numbers, without torch.

A weight of row r is q s_r with q in -127 … 127 and s_r = max |w_r| / 127. An input is q / l_k,
where l_k = 127 / (the largest |x_k| of calibration); what lies beyond it becomes ±127. The hidden
state lies in (-1, 1), so its scale is 1/127, once and for all, and so is that of what an upper
layer reads. Sums of products are exact whole numbers:

    sum_r = s_r Σ_k q_rk round(l_k x_k) + t_r Σ_j p_rj round(127 h_j) + b_r

with W_ih / l = s q and W_hh / 127 = t p by rows; gates, cell state and what a step gives out are
float32. Nothing depends on other rows of a batch, on padding, or on where a sequence is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carousel.cells.spec import CellSpec, Mode

Array = NDArray[np.float32]

LEVELS = 127
"""Whole numbers on each side of zero."""

CELLS = 3
"""How many cells the eight-bit kernels have: the first of the compiled ones, by `Mode.native`."""


@dataclass(frozen=True)
class EightBits:
    """One direction of a layer in eight bits; H units, G gates in torch's order, I inputs.

    w_ih (G H, I), w_hh (G H, H): int8. scale_ih, scale_hh (G H,): s and t, of their sums. b_ih,
    b_hh (G H,): float32. levels (I,): l of the equations above.
    """

    w_ih: NDArray[np.int8]
    w_hh: NDArray[np.int8]
    scale_ih: Array
    scale_hh: Array
    b_ih: Array
    b_hh: Array
    levels: Array

    @classmethod
    def of(
        cls,
        w_ih: ArrayLike,
        w_hh: ArrayLike,
        b_ih: ArrayLike | None,
        b_hh: ArrayLike | None,
        largest: ArrayLike | None,
    ) -> EightBits:
        """Layer of float32 weights. largest (I,): of each |input|, as calibration found them; None
        where the inputs are hidden states.

        >>> layer = EightBits.of([[1.0, -0.5]], [[0.25]], None, None, [2.0, 4.0])
        >>> layer.w_ih.tolist(), layer.levels.tolist()
        ([[127, -127]], [63.5, 31.75])
        """
        matrix = np.asarray(w_ih, np.float64)
        levels = np.full(matrix.shape[1], float(LEVELS))
        if largest is not None:
            known = np.asarray(largest, np.float64)
            most = float(known.max(initial=0.0)) or 1.0  # for what never differed from zero
            levels = LEVELS / np.where(known > 0, known, most)
        levels = levels.astype(np.float32)
        first, scale_ih = by_row(matrix / levels)
        second, scale_hh = by_row(np.asarray(w_hh, np.float64) / LEVELS)
        zeros = np.zeros(len(matrix), np.float32)
        of_x, of_h = (zeros if b is None else np.array(b, np.float32) for b in (b_ih, b_hh))
        return cls(first, second, scale_ih, scale_hh, of_x, of_h, levels)


def by_row(weight: ArrayLike) -> tuple[NDArray[np.int8], Array]:
    """Whole numbers (R, K) and scales (R,) of a matrix, row by row; a row of zeros has the scale 1.

    >>> numbers, scales = by_row([[0.5, -1.27], [0.0, 0.0]])
    >>> numbers.tolist(), [round(float(scale), 4) for scale in scales]
    ([[50, -127], [0, 0]], [0.01, 1.0])
    """
    matrix = np.asarray(weight, np.float64)
    largest = np.abs(matrix).max(1, initial=0.0)
    scales = np.where(largest > 0, largest / LEVELS, 1.0)
    return np.rint(matrix / scales[:, None]).astype(np.int8), scales.astype(np.float32)


def whole_numbers(x: ArrayLike, levels: ArrayLike) -> NDArray[np.int8]:
    """Inputs (..., I) as whole numbers: round(l x), halves to even, within ±127.

    >>> whole_numbers([0.5, -9.0], [63.5, 31.75]).tolist()
    [32, -127]
    """
    scaled = np.asarray(x, np.float32) * np.asarray(levels, np.float32)
    return np.rint(np.clip(scaled, -LEVELS, LEVELS)).astype(np.int8)


def refusal(spec: CellSpec, mode: Mode, options: Sequence[str]) -> str:
    """Reason why a cell has no form in eight bits; empty if it has one. options: those that act.

    >>> from carousel.cells.table import mode_of, spec_of
    >>> refusal(spec_of("GRU"), mode_of("GRU"), ())
    ''
    """
    if mode.nonlinearity == "relu" or not spec.bounded:
        return (
            f"the states of {spec.layer} ({mode.name}) have no bound, and eight bits need one: "
            "LSTM, GRU and RNN with tanh stay within (-1, 1)"
        )
    if options:
        return f"{spec.layer} with {', '.join(options)} has no kernels in eight bits"
    if mode.native is None or mode.native >= CELLS:
        return f"{spec.layer} has no kernels in eight bits: LSTM, GRU and RNN with tanh have"
    return ""
