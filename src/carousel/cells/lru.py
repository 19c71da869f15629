"""LRU, one step: a complex diagonal linear recurrence, whose outputs are a product of its state."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def lru_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_sh: Tensor,
    weight_nu: Tensor,
    weight_theta: Tensor,
    weight_gamma: Tensor,
    bias_ih: Tensor | None = None,
    *,
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of the linear recurrent unit, weights in the order g, p, q.

    p, q = Re(B x), Im(B x)                 what the input adds to the memory
    g    = D x + b                          what passes the memory by
    λ    = exp(-exp(ν) + i exp(θ))          of size below one, whatever ν and θ are
    s'   = λ ⊙ s + exp(γ) ⊙ (p + i q)       memory, a complex number of each unit
    h'   = Re(C s') + g

    Nothing depends on h. In real numbers: s = c + i n, and weight_sh = (Re C, -Im C).

    Shapes: x (B, I); state (h, c, n), each (B, H), c = Re s and n = Im s; weight_ih (3H, I), the D,
    Re B and Im B; weight_sh (H, 2H); weight_nu, weight_theta, weight_gamma (H,); bias_ih (H,), b.
    Returns (h', c', n').
    parts: filled with g, p and q (B, H).
    Source: Orvieto et al. 2023, "Resurrecting recurrent neural networks for long sequences"
    (arXiv:2303.06349), section 3; b is zero there.

    >>> zeros, ones = torch.zeros(2, 4), torch.ones(4)
    >>> weights = [torch.ones(12, 3), torch.ones(4, 8), -ones, ones, ones]
    >>> [part.shape for part in lru_step(torch.ones(2, 3), (zeros,) * 3, *weights)]
    [torch.Size([2, 4]), torch.Size([2, 4]), torch.Size([2, 4])]
    """
    _, c, n = state
    g, p, q = F.linear(x, weight_ih).chunk(3, dim=-1)
    if bias_ih is not None:
        g = g + bias_ih
    size, angle = torch.exp(-torch.exp(weight_nu)), torch.exp(weight_theta)
    along, across = size * torch.cos(angle), size * torch.sin(angle)
    admitted = torch.exp(weight_gamma)
    if parts is not None:
        parts |= {"g": g, "p": p, "q": q}
    c, n = along * c - across * n + admitted * p, along * n + across * c + admitted * q
    return F.linear(torch.cat((c, n), -1), weight_sh) + g, c, n
