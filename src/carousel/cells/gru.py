"""The GRU, one step, as torch and cuDNN define it."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from carousel.cells.activations import ACTIVATIONS, GATE_ACTIVATIONS
from carousel.cells.normalization import normalized


def gru_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    *,
    weight_ln_ih: Tensor | None = None,
    weight_ln_hh: Tensor | None = None,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    product_mask: Tensor | None = None,
    candidate_mask: Tensor | None = None,
    parts: dict[str, Tensor] | None = None,
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
        weight_ln_ih, weight_ln_hh (3H,), both or none: the blocks r and z of W_ih x are normalised
            together, its block n by itself, and so are those of W_hh h, before their biases come:
            a_n = LN((W_ih x)_n; γ) + b_in, b_n = LN((W_hh h)_n; γ) + b_hn (Ba et al. 2016,
            arXiv:1607.06450, its GRU; LN as in carousel.cells.normalization).
        activation, gate_activation: in place of tanh and σ; see carousel.cells.activations.
        product_mask: factors of h (B, H) in W_hh h alone. candidate_mask: factors of n (B, H).
        parts: filled with the r, z, n (B, H) of the step.

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
    if weight_ln_ih is None or weight_ln_hh is None:
        a, b = F.linear(x, weight_ih, bias_ih), F.linear(read, weight_hh, bias_hh)
    else:
        widths = (2 * h.size(-1), h.size(-1))  # r and z, n
        a = normalized(F.linear(x, weight_ih), weight_ln_ih, bias_ih, widths)
        b = normalized(F.linear(read, weight_hh), weight_ln_hh, bias_hh, widths)
    a_r, a_z, a_n = a.chunk(3, dim=-1)
    b_r, b_z, b_n = b.chunk(3, dim=-1)
    r = σ(a_r + b_r)
    z = σ(a_z + b_z)
    n = φ(a_n + r * b_n)
    if candidate_mask is not None:
        n = n * candidate_mask
    if parts is not None:
        parts |= {"r": r, "z": z, "n": n}
    return ((1 - z) * n + z * h,)
