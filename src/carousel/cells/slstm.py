"""sLSTM, one step: an LSTM with exponential gates, which a stabiliser keeps finite."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from carousel.cells.activations import Function

# Logarithm of the forget gate: σ or exp of its sum.
FORGET_GATES: dict[str, Function] = {"sigmoid": F.logsigmoid, "exp": torch.clone}


def slstm_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    *,
    nonlinearity: str = "sigmoid",
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of the sLSTM, gates in the order i, f, g, o.

    a  = W_ih x + b_ih + R h                four blocks a_i, a_f, a_g, a_o
    m' = max(log f + m, a_i)                stabiliser; f = σ(a_f), or exp(a_f)
    i  = exp(a_i - m')                      input gate
    f  = exp(log f + m - m')                forget gate
    g  = tanh(a_g)                          candidate, z in the paper
    o  = σ(a_o)                             output gate
    c' = f ⊙ c + i ⊙ g                      cell state
    n' = f ⊙ n + i                          normaliser
    h' = o ⊙ c' / n'

    The memory is c / n, a mean of all candidates so far; m keeps the exponentials below one and
    cancels in it. A unit with n = 0 remembers nothing: there m' = a_i, i = 1 and f = 0, so that a
    state of zeros is one to start from.

    R is block-diagonal: the units fall into as many heads as weight_hh has fewer columns than H,
    and a head reads its own units alone.

    Shapes: x (B, I); state (h, c, n, m), each (B, H); weight_ih (4H, I); weight_hh (4H, H / heads);
    bias_ih (4H,). Returns (h', c', n', m').
    nonlinearity: of the forget gate, "sigmoid" or "exp".
    parts: filled with g and o, and with i and f as shares of the memory, which sum to one:
        c' / n' = f (c / n) + i g with i / n' in place of i and f n / n' in place of f.
    Source: Beck et al. 2024, "xLSTM: Extended Long Short-Term Memory" (arXiv:2405.04517),
    equations 8 to 17.

    >>> zeros = torch.zeros(2, 4)  # two heads of two units
    >>> w_ih, w_hh = torch.ones(16, 3), torch.ones(16, 2)
    >>> h, c, n, m = slstm_step(torch.ones(2, 3), (zeros,) * 4, w_ih, w_hh)
    >>> h.shape, n[0].tolist(), m[0].tolist()
    (torch.Size([2, 4]), [1.0, 1.0, 1.0, 1.0], [3.0, 3.0, 3.0, 3.0])
    """
    h, c, n, m = state
    a = F.linear(x, weight_ih, bias_ih) + by_heads(h, weight_hh)
    a_i, a_f, a_g, a_o = a.chunk(4, dim=-1)
    held = FORGET_GATES[nonlinearity](a_f) + m
    fresh = n == 0
    after = torch.where(fresh, a_i, torch.maximum(held, a_i))
    i = torch.exp(a_i - after)
    f = torch.exp(torch.where(fresh, -math.inf, held - after))
    g, o = torch.tanh(a_g), torch.sigmoid(a_o)
    c, kept = f * c + i * g, f * n
    n = kept + i
    if parts is not None:
        parts |= {"i": i / n, "f": kept / n, "g": g, "o": o}
    return o * (c / n), c, n, after


def by_heads(h: Tensor, weight: Tensor) -> Tensor:
    """R h where R is block-diagonal: h (B, H), weight (G H, H / heads), the result (B, G H).

    >>> by_heads(torch.tensor([[1.0, 2.0, 4.0, 8.0]]), torch.ones(4, 2))
    tensor([[ 3.,  3., 12., 12.]])
    """
    size = weight.size(1)
    heads = h.size(1) // size
    if heads == 1:
        return F.linear(h, weight)
    blocks = weight.view(-1, heads, size, size)
    sums = torch.einsum("bki,gkoi->bgko", h.view(-1, heads, size), blocks)
    return sums.reshape(len(h), -1)
