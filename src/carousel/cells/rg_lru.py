"""RG-LRU, one step: a real diagonal linear recurrence whose decay the input gates."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

POWER = 8.0  # c in the paper


def rg_lru_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_lambda: Tensor,
    bias_ih: Tensor | None = None,
    *,
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of the real-gated linear recurrent unit, weights in the order a, i, n.

    r  = σ(W_a x + b_a)                     recurrence gate
    i  = σ(W_i x + b_i)                     input gate
    a  = σ(Λ)^(8 r)                         share of the state that is kept
    h' = a ⊙ h + √(1 - a²) ⊙ (i ⊙ n)        n = x where I = H, else W_n x

    a is computed as exp(-8 r softplus(-Λ)). Where a is one to all its digits, the derivative of
    √(1 - a²), which has no bound, is taken for zero.

    Shapes: x (B, I); state (h,), h (B, H); weight_ih (2H, I) if I = H, else (3H, I);
    weight_lambda (H,), the Λ; bias_ih (2H,), b_a and b_i. Returns (h',).
    parts: filled with a, i and n (B, H).
    Source: De et al. 2024, "Griffin: mixing gated linear recurrences with local attention for
    efficient language models" (arXiv:2402.19427), section 2.4; W_n stands for the linear layer
    before it.

    >>> h = rg_lru_step(torch.ones(2, 3), (torch.zeros(2, 4),), torch.ones(12, 3), torch.ones(4))
    >>> h[0].shape
    torch.Size([2, 4])
    """
    (h,) = state
    a_r, a_i, *projected = torch.split(F.linear(x, weight_ih), h.size(-1), dim=-1)
    b_r, b_i = (0.0, 0.0) if bias_ih is None else bias_ih.chunk(2)
    r, i = torch.sigmoid(a_r + b_r), torch.sigmoid(a_i + b_i)
    n = projected[0] if projected else x
    log_a = -POWER * r * F.softplus(-weight_lambda)
    a, rest = torch.exp(log_a), -torch.expm1(2 * log_a)
    let_in = torch.where(rest > 0, rest, torch.ones_like(rest)).sqrt() * (rest > 0)
    if parts is not None:
        parts |= {"a": a, "i": i, "n": n}
    return (a * h + let_in * (i * n),)
