"""The vanilla (Elman) RNN, one step."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def rnn_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    *,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, ...]:
    """One step of h' = φ(W_ih x + b_ih + W_hh h + b_hh), φ = tanh or relu.

    Shapes: x (B, I); state (h,), h (B, H); weight_ih (H, I); weight_hh (H, H); biases (H,).
    Returns (h',). Source: Elman 1990, "Finding structure in time".

    >>> h = rnn_step(torch.ones(2, 3), (torch.zeros(2, 4),), torch.ones(4, 3), torch.ones(4, 4))
    >>> h[0].shape
    torch.Size([2, 4])
    """
    (h,) = state
    φ = {"tanh": torch.tanh, "relu": torch.relu}[nonlinearity]
    return (φ(F.linear(x, weight_ih, bias_ih) + F.linear(h, weight_hh, bias_hh)),)
