"""The vanilla (Elman) RNN, one step."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from carousel.cells.activations import ACTIVATIONS
from carousel.cells.normalization import normalized


def rnn_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    *,
    nonlinearity: str = "tanh",
    weight_ln: Tensor | None = None,
    product_mask: Tensor | None = None,
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of h' = φ(W_ih x + b_ih + W_hh h + b_hh), φ one of carousel.cells.activations.

    Shapes: x (B, I); state (h,), h (B, H); weight_ih (H, I); weight_hh (H, H); biases (H,).
    product_mask: factors of h (B, H) in W_hh h, or None. parts: left as it is: no gates.
    weight_ln (H,): h' = φ(LN(W_ih x + W_hh h; γ) + b_ih + b_hh) (Ba et al. 2016, arXiv:1607.06450,
    equation 4; LN as in carousel.cells.normalization), or None.
    Returns (h',). Source: Elman 1990, "Finding structure in time".

    >>> import torch
    >>> h = rnn_step(torch.ones(2, 3), (torch.zeros(2, 4),), torch.ones(4, 3), torch.ones(4, 4))
    >>> h[0].shape
    torch.Size([2, 4])
    """
    (h,) = state
    φ = ACTIVATIONS[nonlinearity]
    read = h if product_mask is None else h * product_mask
    if weight_ln is None:
        return (φ(F.linear(x, weight_ih, bias_ih) + F.linear(read, weight_hh, bias_hh)),)
    a = normalized(F.linear(x, weight_ih) + F.linear(read, weight_hh), weight_ln, bias_ih)
    return (φ(a if bias_hh is None else a + bias_hh),)
