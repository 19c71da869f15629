"""IndRNN, one step: each unit sees its own past alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def ind_rnn_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    *,
    nonlinearity: str = "relu",
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of h' = φ(W_ih x + b_ih + u ⊙ h), φ = relu or tanh, u = weight_hh.

    Shapes: x (B, I); state (h,), h (B, H); weight_ih (H, I); weight_hh (H,); bias_ih (H,).
    parts: left as it is: there are no gates. Returns (h',).
    Source: Li et al. 2018, "Independently recurrent neural network (IndRNN)" (arXiv:1803.04831).

    >>> h = ind_rnn_step(torch.ones(2, 3), (torch.ones(2, 4),), torch.ones(4, 3), torch.ones(4))
    >>> h[0][0].tolist()
    [4.0, 4.0, 4.0, 4.0]
    """
    (h,) = state
    φ = {"tanh": torch.tanh, "relu": torch.relu}[nonlinearity]
    return (φ(F.linear(x, weight_ih, bias_ih) + weight_hh * h),)
