"""The LSTM, one step."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from carousel.cells.activations import ACTIVATIONS, GATE_ACTIVATIONS
from carousel.cells.normalization import normalized
from carousel.cells.table import LSTM

VARIANTS = ("NIG", "NFG", "NOG", "NIAF", "NOAF")


def gates_of(variant: str = "", coupled: bool = False) -> str:
    """Gates among i, f, g, o that have weights, in torch's order.

    >>> gates_of(), gates_of("NOG"), gates_of(coupled=True)
    ('ifgo', 'ifg', 'igo')
    """
    return LSTM.gates_with({"variant": variant, "coupled": coupled}.get)


def lstm_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    weight_hr: Tensor | None = None,
    *,
    weight_c: Tensor | None = None,
    weight_ln_ih: Tensor | None = None,
    weight_ln_hh: Tensor | None = None,
    weight_ln_c: Tensor | None = None,
    bias_ln_c: Tensor | None = None,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    coupled: bool = False,
    variant: str = "",
    product_mask: Tensor | None = None,
    candidate_mask: Tensor | None = None,
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of the LSTM, gates in torch's order i, f, g, o.

    a  = W_ih x + b_ih + W_hh h + b_hh      four blocks a_i, a_f, a_g, a_o
    i  = σ(a_i)                             input gate
    f  = σ(a_f)                             forget gate
    g  = tanh(a_g)                          candidate
    o  = σ(a_o)                             output gate
    c' = f ⊙ c + i ⊙ g                      the constant error carousel
    h' = o ⊙ tanh(c')                       then W_hr h' where there is a projection

    Shapes: x (B, I); state (h, c), h (B, P), c (B, H); weight_ih (4H, I); weight_hh (4H, P);
    biases (4H,); weight_hr (P, H), or None and then P = H.
    Returns (h', c').

    Options:
        weight_c: peepholes p of the gates i, f, o that there are, (3H,) or fewer: σ(a_i + p_i ⊙ c),
            σ(a_f + p_f ⊙ c), σ(a_o + p_o ⊙ c') (Gers and Schmidhuber 2000).
        weight_ln_ih, weight_ln_hh (4H,), weight_ln_c, bias_ln_c (H,), all or none:
            a = LN(W_ih x; γ_x) + LN(W_hh h; γ_h) + b_ih + b_hh, each over all 4H sums, and
            h' = o ⊙ tanh(LN(c'; γ_c) + β_c) (Ba et al. 2016, arXiv:1607.06450, its LSTM; LN as in
            carousel.cells.normalization).
        activation, gate_activation: in place of tanh and σ; see carousel.cells.activations.
        coupled: f = 1 - i, and the weights have no block for f.
        variant: "NIG", "NFG", "NOG": no input, forget or output gate: it is 1, and the weights
            have no block for it. "NIAF": g = a_g. "NOAF": h' = o ⊙ c'. (Greff et al. 2015,
            arXiv:1503.04069.)
        product_mask: factors of h (B, P) in W_hh h. candidate_mask: factors of g (B, H).
        parts: filled with the i, f, g, o (B, H) of the step; a gate that is left out is 1.

    Source: Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000;
    projection: Sak et al. 2014 (arXiv:1402.1128).

    >>> zeros = torch.zeros(2, 4)
    >>> h, c = lstm_step(torch.ones(2, 3), (zeros, zeros), torch.ones(16, 3), torch.ones(16, 4))
    >>> h.shape, c.shape
    (torch.Size([2, 4]), torch.Size([2, 4]))
    """
    h, c = state
    φ, σ = ACTIVATIONS[activation], GATE_ACTIVATIONS[gate_activation]
    read = h if product_mask is None else h * product_mask
    gates = gates_of(variant, coupled)
    if weight_ln_ih is None or weight_ln_hh is None:
        a = F.linear(x, weight_ih, bias_ih) + F.linear(read, weight_hh, bias_hh)
    else:
        a = normalized(F.linear(x, weight_ih), weight_ln_ih, bias_ih) + normalized(
            F.linear(read, weight_hh), weight_ln_hh, bias_hh
        )
    sums = dict(zip(gates, a.chunk(len(gates), dim=-1), strict=True))
    peepholes: dict[str, Tensor] = {}
    if weight_c is not None:
        names = gates.replace("g", "")
        peepholes = dict(zip(names, weight_c.chunk(len(names)), strict=True))

    def gate(name: str, c: Tensor) -> Tensor:
        if name not in sums:
            return torch.ones_like(c)
        return σ(sums[name] + peepholes[name] * c if peepholes else sums[name])

    i = gate("i", c)
    f = 1 - i if coupled else gate("f", c)
    g = sums["g"] if variant == "NIAF" else φ(sums["g"])
    if candidate_mask is not None:
        g = g * candidate_mask
    c = f * c + i * g
    shown = c if weight_ln_c is None else normalized(c, weight_ln_c, bias_ln_c)
    o = gate("o", c)
    h = o * (shown if variant == "NOAF" else φ(shown))
    if parts is not None:
        parts |= {"i": i, "f": f, "g": g, "o": o}
    if weight_hr is not None:
        h = F.linear(h, weight_hr)
    return h, c
