"""The GRU, one step, as torch and cuDNN define it."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from carousel.cells.activations import ACTIVATIONS, GATE_ACTIVATIONS


def gru_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    *,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    product_mask: Tensor | None = None,
    candidate_mask: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """One step of the GRU, gates in torch's order r, z, n.

    a  = W_ih x + b_ih                      three blocks a_r, a_z, a_n
    b  = W_hh h + b_hh                      three blocks b_r, b_z, b_n
    r  = σ(a_r + b_r)                       reset gate
    z  = σ(a_z + b_z)                       update gate
    n  = tanh(a_n + r ⊙ b_n)                candidate: r acts after the product and its bias
    h' = (1 - z) ⊙ n + z ⊙ h

    Shapes: x (B, I); state (h,), h (B, H); weight_ih (3H, I); weight_hh (3H, H); biases (3H,).
    Returns (h',).

    Options:
        activation, gate_activation: in place of tanh and σ; see carousel.cells.activations.
        product_mask: factors of h (B, H) in W_hh h alone. candidate_mask: factors of n (B, H).

    Source: Cho et al. 2014 (arXiv:1406.1078), which applies r before the product;
    this form (cuDNN's) differs in that, so that one product serves all three gates.

    >>> import torch
    >>> h = gru_step(torch.ones(2, 3), (torch.zeros(2, 4),), torch.ones(12, 3), torch.ones(12, 4))
    >>> h[0].shape
    torch.Size([2, 4])
    """
    (h,) = state
    φ, σ = ACTIVATIONS[activation], GATE_ACTIVATIONS[gate_activation]
    read = h if product_mask is None else h * product_mask
    a_r, a_z, a_n = F.linear(x, weight_ih, bias_ih).chunk(3, dim=-1)
    b_r, b_z, b_n = F.linear(read, weight_hh, bias_hh).chunk(3, dim=-1)
    r = σ(a_r + b_r)
    z = σ(a_z + b_z)
    n = φ(a_n + r * b_n)
    if candidate_mask is not None:
        n = n * candidate_mask
    return ((1 - z) * n + z * h,)
