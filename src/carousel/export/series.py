"""Descriptions of the layers that models of series have: forecasts, and windows read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carousel.export.description import Array


@dataclass(frozen=True, eq=False)
class Known:
    """Windows and the steps to come, told apart: (B, T + K, F + C) to (B, T, F + N).

    context: T; steps: K, to come. Each step has F columns, and C numbers of the calendar behind
    them. What is known of a step beforehand are N of these, `columns`; behind the F columns of a
    window stands what is known of its steps. Of the steps to come `Horizon` reads what is known,
    and nobody the rest.
    """

    context: int
    steps: int
    features: int
    columns: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Level:
    """Columns of a window less what stands in its last step: x_tc - x_Tc. The levels, (B, columns),
    are added again by `Horizon`."""

    columns: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Horizon:
    """K steps to come of C targets, of which h, the last state of the layer before, is a summary.

        z_k = relu(W h + b + V c_k + e_k);  raw_k = U z_k + d, C × P numbers, P last
        raw_k,c,0 ← raw_k,c,0 + Σ_t L_ctk x_tc + o_ck          with a line
        value = raw_0 + the level that `Level` took (zero without one)

    What x is: the windows as they went into the recurrent layer, of its columns `columns`.
    state W (H, H), state_bias b (H,), steps e (K, H), weight U (C P, H), bias d (C P,); line L
    (C, T, K) and offset o (C, K), or None. known: V (H, N), and c_k what `Known` knows of step k,
    or None.

    distribution: "none": P = 1; "sigmoid": P = 1, σ(raw_0) is the forecast; "gaussian": P = 2,
    value ± 1.2815515655446004 q_1 s; "quantile": P = 3, value - q_1 s and value + q_2 s, with q_i =
    softplus(raw_i) + 0.001 and s = stretch (K, C), or one. The result is (B, 3, K, C), low,
    forecast and high; (B, 1, K, C) for "none" and "sigmoid".
    """

    state: Array
    state_bias: Array
    steps: Array
    weight: Array
    bias: Array
    columns: tuple[int, ...]
    distribution: str
    line: Array | None = None
    offset: Array | None = None
    stretch: Array | None = None
    known: Array | None = None

    @property
    def rows(self) -> int:
        """3 with an interval, else 1."""
        return 3 if self.distribution in ("gaussian", "quantile") else 1


@dataclass(frozen=True, eq=False)
class Onward:
    """Forecasts of the next steps as changes of the last one: y + [x, …, x], (B, T, K F).

    x (B, T, F): what went into the first recurrent layer. steps: K, how often it is added.
    """

    steps: int


@dataclass(frozen=True, eq=False)
class Repeat:
    """A vector as so many equal steps: (B, F) to (B, steps, F)."""

    steps: int


@dataclass(frozen=True, eq=False)
class Backwards:
    """Steps from the last to the first: (B, T, F)."""
