"""QRNN, one step: gates of the input alone, or of two inputs, and pooling over time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def qrnn_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    bias_ih: Tensor | None = None,
    *,
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of the QRNN with a window of one input, gates in the order g, f, o.

    a  = W_ih x + b_ih                      blocks a_g, a_f, a_o
    g  = tanh(a_g)                          candidate, z in the paper
    f  = σ(a_f)                             forget gate
    o  = σ(a_o)                             output gate
    c' = f ⊙ c + (1 - f) ⊙ g                cell state
    h' = o ⊙ c'

    Nothing depends on h.

    Shapes: x (B, I); state (h, c), both (B, H); weight_ih (3H, I); bias_ih (3H,).
    Returns (h', c').
    parts: filled with g, f and o (B, H).
    Source: Bradbury et al. 2017, "Quasi-recurrent neural networks" (ICLR, arXiv:1611.01576),
    section 2, fo-pooling.

    >>> zeros = torch.zeros(2, 4)
    >>> h, c = qrnn_step(torch.ones(2, 3), (zeros, zeros), torch.ones(12, 3))
    >>> h.shape, c.shape
    (torch.Size([2, 4]), torch.Size([2, 4]))
    """
    return _pooled(F.linear(x, weight_ih, bias_ih), state[1], parts)


def qrnn2_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_ph: Tensor,
    bias_ih: Tensor | None = None,
    *,
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of the QRNN with a window of two inputs, this and the one before.

    a  = W_ih x + b_ih + n                  n is W_ph times the input before
    n' = W_ph x                             what this input adds to the next step
    g, f, o, c', h'                         as in `qrnn_step`

    It is a convolution of width two over the inputs that sees none of those to come. The state
    holds n in place of the input, so that all layers have states of the same size.

    Shapes: x (B, I); state (h, c, n), h and c (B, H), n (B, 3H), zeros where there was no input
    before; weight_ih, weight_ph (3H, I); bias_ih (3H,). Returns (h', c', n').
    parts: filled with g, f and o (B, H).
    Source: as `qrnn_step`; equations 1 and 2 of the paper.

    >>> h, c, n = torch.zeros(2, 4), torch.zeros(2, 4), torch.zeros(2, 12)
    >>> h, c, n = qrnn2_step(torch.ones(2, 3), (h, c, n), torch.ones(12, 3), torch.ones(12, 3))
    >>> h.shape, n.shape
    (torch.Size([2, 4]), torch.Size([2, 12]))
    """
    _, c, n = state
    pooled = _pooled(F.linear(x, weight_ih, bias_ih) + n, c, parts)
    return (*pooled, F.linear(x, weight_ph))


def _pooled(a: Tensor, c: Tensor, parts: dict[str, Tensor] | None) -> tuple[Tensor, Tensor]:
    """h and c after a step, from its sums and c before."""
    a_g, a_f, a_o = a.chunk(3, dim=-1)
    g, f, o = torch.tanh(a_g), torch.sigmoid(a_f), torch.sigmoid(a_o)
    if parts is not None:
        parts |= {"g": g, "f": f, "o": o}
    c = f * c + (1 - f) * g
    return o * c, c
