"""`SRU` and `RGLRU`: layers without a recurrent product whose inputs skip the gates."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.types import Device

from carousel.cells.rg_lru import POWER
from carousel.layers.own import Own


class Skipping(Own):
    """Base of layers without a choice of nonlinearity."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            None,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
        )


class SRU(Skipping):
    r"""A stack of simple recurrent units: gates see the unit's own past, a highway the input.

    f_t = σ(W_f x_t + v_f ⊙ c_{t-1} + b_f)
    r_t = σ(W_r x_t + v_r ⊙ c_{t-1} + b_r)
    c_t = f_t ⊙ c_{t-1} + (1 - f_t) ⊙ (W_n x_t)
    h_t = r_t ⊙ c_t + (1 - r_t) ⊙ s_t

    s_t = x_t in layers with as many inputs as units, W_s x_t in others.

    Source: Lei et al. 2018, "Simple recurrent units for highly parallelizable recurrence"
    (arXiv:1709.02755), section 3.1, without the rescaling of the highway.

    Args:
        input_size: features I of the input.
        hidden_size: units H.
        num_layers: layers L, each reading the outputs of the one below.
        bias: whether b exists.
        batch_first: input and output are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: on the outputs of every layer but the last, in training.
        bidirectional: a second set of weights reads from the end (D = 2 directions).
        device, dtype: of the parameters.

    Inputs, outputs and errors: as `carousel.LSTM`, `lengths=` and `PackedSequence` included: the
    state is the pair (h, c), each (D * L, B, H). h_0 is taken as an LSTM's is, but nothing depends
    on it. ValueError for arguments out of range. UserWarning for a dropout between layers of which
    there is one.

    Parameters: weight_ih_l[k], (3H, F) if its inputs F are H, else (4H, F), in the order f, r, n,
    s; weight_c_l[k] (2H,), the v, and bias_ih_l[k] (2H,), in the order f, r; `_reverse` appended
    for the second direction. As in the authors' implementation, W starts in U(-√(3/F), √(3/F)), v
    in U(-√1.5, √1.5), and b at zero.

    >>> layer = SRU(3, 5, num_layers=2)
    >>> y, (h, c) = layer(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> y.shape, c.shape, layer.weight_ih_l0.shape, layer.weight_ih_l1.shape
    (torch.Size([7, 2, 5]), torch.Size([2, 2, 5]), torch.Size([20, 3]), torch.Size([15, 5]))
    """

    _cell = "sru"

    def _draw(self, name: str, weight: Tensor, bound: float) -> None:
        if name == "bias_ih":
            weight.zero_()
        else:
            super()._draw(name, weight, 3**0.5 * bound if name == "weight_ih" else 1.5**0.5)


class RGLRU(Skipping):
    r"""A stack of real-gated linear recurrent units, the recurrence of Griffin.

    r_t = σ(W_a x_t + b_a)
    i_t = σ(W_i x_t + b_i)
    a_t = σ(Λ)^(8 r_t)
    h_t = a_t ⊙ h_{t-1} + √(1 - a_t²) ⊙ (i_t ⊙ n_t)

    n_t = x_t in layers with as many inputs as units, W_n x_t in others, as after the linear layer
    that stands before it in the paper. The factor √(1 - a²) keeps the size of the state.

    Source: De et al. 2024, "Griffin: mixing gated linear recurrences with local attention for
    efficient language models" (arXiv:2402.19427), section 2.4.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device,
            dtype: as `SRU`.

    Inputs, outputs and errors: as `carousel.GRU`, with one state h; otherwise as `SRU`.

    Parameters: weight_ih_l[k], (2H, F) if its inputs F are H, else (3H, F), in the order a, i, n;
    weight_lambda_l[k] (H,), the Λ; bias_ih_l[k] (2H,), in the order a, i; `_reverse` appended for
    the second direction. Λ starts such that σ(Λ)^8 is spread over U(0.9, 0.999), as in the paper,
    whatever `initialization.name` is; the others in U(-1/√F, 1/√F).

    >>> y, h = RGLRU(3, 5, batch_first=True)(torch.randn(2, 7, 3))
    >>> y.shape, h.shape
    (torch.Size([2, 7, 5]), torch.Size([1, 2, 5]))
    """

    _cell = "rglru"

    def _draw(self, name: str, weight: Tensor, bound: float) -> None:
        if name == "weight_lambda":
            kept = torch.empty_like(weight).uniform_(0.9, 0.999) ** (1 / POWER)
            weight.copy_(torch.logit(kept))
        else:
            super()._draw(name, weight, bound)
