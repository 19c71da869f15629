"""S6, one step: the selective scan of Mamba, a linear memory that fades as the input says."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def s6_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_log_a: Tensor,
    weight_bx: Tensor,
    weight_cx: Tensor,
    weight_skip: Tensor,
    bias_delta: Tensor | None = None,
    *,
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of the selective scan, weights in the order d, n.

    Δ  = softplus(W_Δ x + b_Δ)              step size of each unit
    n  = x where I = H, else W_n x          what is let in
    B  = W_B x, C = W_C x                   what is written and read, the same for all units
    c' = exp(Δ A) ⊙ c + (Δ ⊙ n) B           memory, N coefficients of each unit, A = -exp(log A)
    h' = C c' + D ⊙ n

    Nothing depends on h. A small Δ leaves the memory as it is, a large one forgets it for the
    input.

    Shapes: x (B, I); state (h, c), h (B, H) and c (B, N * H), all units of a coefficient side by
    side; weight_ih (H, I), the W_Δ, if I = H, else (2H, I), W_Δ and W_n; weight_log_a (H, N);
    weight_bx and weight_cx (N, I), the W_B and W_C; weight_skip (H,), the D; bias_delta (H,).
    Returns (h', c').
    parts: filled with d, the Δ, and n (B, H).
    Source: Gu and Dao 2023, "Mamba: linear-time sequence modeling with selective state spaces"
    (arXiv:2312.00752), algorithm 2, as its code has it: Δ B for (Δ A)^-1 (exp(Δ A) - 1) Δ B; and
    W_Δ of full rank.

    >>> weights = [torch.ones(8, 3), torch.zeros(4, 2), torch.ones(2, 3), torch.ones(2, 3)]
    >>> state = torch.zeros(1, 4), torch.zeros(1, 8)
    >>> h, c = s6_step(torch.ones(1, 3), state, *weights, torch.ones(4))
    >>> h.shape, c.shape
    (torch.Size([1, 4]), torch.Size([1, 8]))
    """
    H, N = weight_log_a.shape
    a, *projected = torch.split(F.linear(x, weight_ih), H, dim=-1)
    delta = F.softplus(a if bias_delta is None else a + bias_delta)
    n = projected[0] if projected else x
    written, read = F.linear(x, weight_bx), F.linear(x, weight_cx)
    if parts is not None:
        parts |= {"d": delta, "n": n}
    kept = torch.exp(-delta.unsqueeze(1) * weight_log_a.exp().t())
    c = kept * state[1].reshape(-1, N, H) + (delta * n).unsqueeze(1) * written.unsqueeze(2)
    return (read.unsqueeze(2) * c).sum(1) + weight_skip * n, c.flatten(1)
