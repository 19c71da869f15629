"""minGRU, one step: a GRU whose gate does not look back."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def g(a: Tensor) -> Tensor:
    """a + 1/2 from zero on, σ(a) below: positive, continuous, monotone.

    Source: Feng et al. 2024 (arXiv:2410.01201), appendix B.

    >>> g(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([0.2689, 0.5000, 2.5000])
    """
    return torch.where(a >= 0, a + 0.5, torch.sigmoid(a))


def linear(a: Tensor) -> Tensor:
    """a, as it is."""
    return a


CANDIDATES = {"g": g, "linear": linear}


def min_gru_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    bias_ih: Tensor | None = None,
    *,
    nonlinearity: str = "g",
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of minGRU, gates in the order z, h.

    a  = W_ih x + b_ih                      two blocks a_z, a_h
    z  = σ(a_z)                             update gate
    h̃  = g(a_h), or a_h                     candidate
    h' = (1 - z) ⊙ h + z ⊙ h̃

    g(a) = a + 1/2 where a ≥ 0, σ(a) elsewhere. nonlinearity: "g" or "linear" (h̃ = a_h).

    Neither gate nor candidate depends on h. A large z means new here, as in the paper; in
    `gru_step` it means old.

    Shapes: x (B, I); state (h,), h (B, H); weight_ih (2H, I); bias_ih (2H,). Returns (h',).
    parts: filled with z and, as "n", h̃ (B, H).
    Source: Feng et al. 2024, "Were RNNs all we needed?" (arXiv:2410.01201), section 3.1 ("linear")
    and appendix B ("g").

    >>> h = min_gru_step(torch.ones(2, 3), (torch.zeros(2, 4),), torch.ones(8, 3))
    >>> h[0].shape
    torch.Size([2, 4])
    """
    (h,) = state
    a_z, a_h = F.linear(x, weight_ih, bias_ih).chunk(2, dim=-1)
    z, n = torch.sigmoid(a_z), CANDIDATES[nonlinearity](a_h)
    if parts is not None:
        parts |= {"z": z, "n": n}
    return ((1 - z) * h + z * n,)
