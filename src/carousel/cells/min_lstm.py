"""minLSTM, one step: an LSTM whose gates do not look back, and which keeps one state."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from carousel.cells.min_gru import CANDIDATES


def min_lstm_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    bias_ih: Tensor | None = None,
    *,
    nonlinearity: str = "g",
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of minLSTM with gates of sum one, in the order f, i, h.

    a  = W_ih x + b_ih                      three blocks a_f, a_i, a_h
    f  = σ(a_f) / (σ(a_f) + σ(a_i))         forget gate
    i  = σ(a_i) / (σ(a_f) + σ(a_i))         input gate, 1 - f
    h̃  = g(a_h), or a_h                     candidate
    h' = f ⊙ h + i ⊙ h̃

    g(a) = a + 1/2 where a ≥ 0, σ(a) elsewhere. nonlinearity: "g" or "linear" (h̃ = a_h).

    Shapes: x (B, I); state (h,), h (B, H); weight_ih (3H, I); bias_ih (3H,). Returns (h',).
    parts: filled with f, i and, as "n", h̃ (B, H).
    Source: Feng et al. 2024, "Were RNNs all we needed?" (arXiv:2410.01201), section 3.2 ("linear")
    and appendix B ("g").

    >>> h = min_lstm_step(torch.ones(2, 3), (torch.zeros(2, 4),), torch.ones(12, 3))
    >>> h[0].shape
    torch.Size([2, 4])
    """
    (h,) = state
    a_f, a_i, a_h = F.linear(x, weight_ih, bias_ih).chunk(3, dim=-1)
    # log σ(a) = -softplus(-a): the quotient as it stands is 0 / 0 where both gates underflow.
    d = F.logsigmoid(a_f) - F.logsigmoid(a_i)
    f, i, n = torch.sigmoid(d), torch.sigmoid(-d), CANDIDATES[nonlinearity](a_h)
    if parts is not None:
        parts |= {"f": f, "i": i, "n": n}
    return (f * h + i * n,)
