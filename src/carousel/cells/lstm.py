"""The LSTM, one step."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def lstm_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    weight_hr: Tensor | None = None,
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
    Returns (h', c'). Source: Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000;
    projection: Sak et al. 2014 (arXiv:1402.1128).

    >>> zeros = torch.zeros(2, 4)
    >>> h, c = lstm_step(torch.ones(2, 3), (zeros, zeros), torch.ones(16, 3), torch.ones(16, 4))
    >>> h.shape, c.shape
    (torch.Size([2, 4]), torch.Size([2, 4]))
    """
    h, c = state
    a = F.linear(x, weight_ih, bias_ih) + F.linear(h, weight_hh, bias_hh)
    a_i, a_f, a_g, a_o = a.chunk(4, dim=-1)
    i = torch.sigmoid(a_i)
    f = torch.sigmoid(a_f)
    g = torch.tanh(a_g)
    o = torch.sigmoid(a_o)
    c = f * c + i * g
    h = o * torch.tanh(c)
    if weight_hr is not None:
        h = F.linear(h, weight_hr)
    return h, c
