"""SRU, one step: gates that see the unit's own past, and an input that skips the cell."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def sru_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_c: Tensor,
    bias_ih: Tensor | None = None,
    *,
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of the simple recurrent unit, weights in the order f, r, n, s.

    a  = W_ih x                             blocks a_f, a_r, a_n, and a_s where I ≠ H
    f  = σ(a_f + v_f ⊙ c + b_f)             forget gate
    r  = σ(a_r + v_r ⊙ c + b_r)             reset gate
    c' = f ⊙ c + (1 - f) ⊙ a_n              cell state
    h' = r ⊙ c' + (1 - r) ⊙ s               s = x where I = H, else a_s

    The highway carries s past the cell. Nothing depends on h.

    Shapes: x (B, I); state (h, c), both (B, H); weight_ih (3H, I) if I = H, else (4H, I);
    weight_c (2H,), v_f and v_r; bias_ih (2H,), b_f and b_r. Returns (h', c').
    parts: filled with f, r, and as "n" and "s" a_n and s (B, H).
    Source: Lei et al. 2018, "Simple recurrent units for highly parallelizable recurrence"
    (arXiv:1709.02755), section 3.1; the fourth block as in its implementation.

    >>> zeros = torch.zeros(2, 4)
    >>> h, c = sru_step(torch.ones(2, 3), (zeros, zeros), torch.ones(16, 3), torch.ones(8))
    >>> h.shape, c.shape
    (torch.Size([2, 4]), torch.Size([2, 4]))
    """
    c = state[1]
    a_f, a_r, n, *skip = torch.split(F.linear(x, weight_ih), c.size(-1), dim=-1)
    v_f, v_r = weight_c.chunk(2)
    b_f, b_r = (0.0, 0.0) if bias_ih is None else bias_ih.chunk(2)
    f, r = torch.sigmoid(a_f + v_f * c + b_f), torch.sigmoid(a_r + v_r * c + b_r)
    s = skip[0] if skip else x
    if parts is not None:
        parts |= {"f": f, "r": r, "n": n, "s": s}
    c = f * c + (1 - f) * n
    return r * c + (1 - r) * s, c
