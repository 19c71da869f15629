"""The GRU, one step, as torch and cuDNN define it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from carousel.cells.activations import ACTIVATIONS, GATE_ACTIVATIONS, Function
from carousel.cells.normalization import normalized

NORMALIZED_AFTER = (
    "layer_norm is of the GRU whose reset gate acts after the product (Ba et al. 2016): "
    "leave reset_after=False out, or layer_norm"
)


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
    reset_after: bool = True,
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
        reset_after: False for the reset gate before the product,
            n = tanh(a_n + W_hn (r ⊙ h) + b_hn), as in the paper, in Keras with reset_after=False
            and in ONNX with linear_before_reset=0. Not together with weight_ln_ih, weight_ln_hh.
        product_mask: factors of h (B, H) in the products with W_hh alone; with the reset gate
            before its product, W_hn (r ⊙ mask ⊙ h). candidate_mask: factors of n (B, H).
        parts: filled with the r, z, n (B, H) of the step.

    Source: Cho et al. 2014 (arXiv:1406.1078), which applies r before the product;
    this form (cuDNN's) differs in that, so that one product serves all three gates.

    Raises ValueError for gains with reset_after=False.

    >>> import torch
    >>> h = gru_step(torch.ones(2, 3), (torch.zeros(2, 4),), torch.ones(12, 3), torch.ones(12, 4))
    >>> h[0].shape
    torch.Size([2, 4])
    """
    (h,) = state
    φ, σ = ACTIVATIONS[activation], GATE_ACTIVATIONS[gate_activation]
    read = h if product_mask is None else h * product_mask
    if not reset_after:
        if weight_ln_ih is not None or weight_ln_hh is not None:
            raise ValueError(NORMALIZED_AFTER)
        a = F.linear(x, weight_ih, bias_ih)
        r, z, n = _reset_first(a, read, weight_hh, bias_hh, φ, σ)
        return _mixed(h, r, z, n, candidate_mask, parts)
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
    return _mixed(h, r, z, n, candidate_mask, parts)


def _reset_first(
    a: Tensor, h: Tensor, weight_hh: Tensor, bias_hh: Tensor | None, φ: Function, σ: Function
) -> tuple[Tensor, Tensor, Tensor]:
    """r, z and n where r acts on h before its product: two products, one after the other."""
    rows = [2 * h.size(-1), h.size(-1)]  # r and z, n
    gates, candidate = torch.split(weight_hh, rows)
    bias, own = (None, None) if bias_hh is None else torch.split(bias_hh, rows)
    a_r, a_z, a_n = a.chunk(3, dim=-1)
    b_r, b_z = F.linear(h, gates, bias).chunk(2, dim=-1)
    r, z = σ(a_r + b_r), σ(a_z + b_z)
    return r, z, φ(a_n + F.linear(r * h, candidate, own))


def _mixed(
    h: Tensor,
    r: Tensor,
    z: Tensor,
    n: Tensor,
    candidate_mask: Tensor | None,
    parts: dict[str, Tensor] | None,
) -> tuple[Tensor, ...]:
    if candidate_mask is not None:
        n = n * candidate_mask
    if parts is not None:
        parts |= {"r": r, "z": z, "n": n}
    return ((1 - z) * n + z * h,)
