"""`MinGRU`, `MinLSTM` and `IndRNN`: layers whose units do not see each other's past.

Without a recurrent product, the products of all steps are formed together: long sequences and
small batches run as fast as large ones, and a step costs what its input costs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.types import Device

from carousel.layers.own import Own


class MinGRU(Own):
    r"""A stack of minGRU layers: a GRU whose gate and candidate see the input alone.

    z_t = σ(W_iz x_t + b_iz)
    h̃_t = g(W_ih x_t + b_ih)
    h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ h̃_t

    g(a) = a + 1/2 where a ≥ 0, σ(a) elsewhere; or g(a) = a with nonlinearity "linear".

    Source: Feng et al. 2024, "Were RNNs all we needed?" (arXiv:2410.01201); g from its
    appendix B. The recurrence is computed as it stands, not through logarithms, so that h_0 may
    have any sign. What a gate lets through depends on the input of that step alone, so use two or
    more layers: the inputs of the second one carry the past.

    Args:
        input_size: features I of the input.
        hidden_size: units H.
        num_layers: layers L, each reading the outputs of the one below.
        nonlinearity: "g" or "linear".
        bias: whether b exists.
        batch_first: input and output are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: on the outputs of every layer but the last, in training.
        bidirectional: a second set of weights reads from the end (D = 2 directions).
        device, dtype: of the parameters.

    Inputs, outputs and errors: as `carousel.RNN`, `lengths=` and `PackedSequence` included;
    ValueError for arguments out of range. UserWarning for a dropout between layers of which there
    is one.

    Parameters: weight_ih_l[k] (2H, I), (2H, D * H) for k > 0, and bias_ih_l[k] (2H,), gates in the
    order z, h; `_reverse` appended for the second direction; drawn from U(-1/√F, 1/√F), F the
    columns of the weight.

    >>> layer = MinGRU(3, 5, num_layers=2)
    >>> y, h = layer(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> y.shape, h.shape, bool((y[4:, 1] == 0).all())
    (torch.Size([7, 2, 5]), torch.Size([2, 2, 5]), True)
    """

    _cell = "mingru"


class MinLSTM(Own):
    r"""A stack of minLSTM layers: an LSTM of one state whose gates see the input alone.

    f_t = σ(W_if x_t + b_if)
    i_t = σ(W_ii x_t + b_ii)
    h̃_t = g(W_ih x_t + b_ih)
    h_t = (f_t ⊙ h_{t-1} + i_t ⊙ h̃_t) / (f_t + i_t)

    g(a) = a + 1/2 where a ≥ 0, σ(a) elsewhere; or g(a) = a with nonlinearity "linear".

    Source: Feng et al. 2024, "Were RNNs all we needed?" (arXiv:2410.01201); g from its
    appendix B.

    Args:
        input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout,
            bidirectional, device, dtype: as `MinGRU`.
        forget_bias: where b_if starts; None draws it as the others. Large values keep the first
            steps in memory longer.

    Inputs, outputs and errors: as `MinGRU`; ValueError for a `forget_bias` without biases.

    Parameters: weight_ih_l[k] (3H, I), (3H, D * H) for k > 0, and bias_ih_l[k] (3H,), gates in the
    order f, i, h; `_reverse` appended for the second direction; drawn as `MinGRU`'s.

    >>> y, h = MinLSTM(3, 5, batch_first=True)(torch.randn(2, 7, 3))
    >>> y.shape, h.shape
    (torch.Size([2, 7, 5]), torch.Size([1, 2, 5]))
    """

    _cell = "minlstm"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str | None = None,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        forget_bias: float | None = None,
    ) -> None:
        self.forget_bias = forget_bias  # read by reset_parameters, which __init__ calls
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            nonlinearity,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
        )

    def _check_arguments(self) -> None:
        super()._check_arguments()
        self._check_forget_bias()

    def _draw(self, name: str, weight: Tensor, bound: float) -> None:
        super()._draw(name, weight, bound)
        if name == "bias_ih" and self.forget_bias is not None:
            weight[: self.hidden_size] = self.forget_bias

    def extra_repr(self) -> str:
        text = super().extra_repr()
        return text if self.forget_bias is None else f"{text}, forget_bias={self.forget_bias}"


class IndRNN(Own):
    r"""A stack of IndRNN layers: vanilla units that each see their own past alone.

    h_t = φ(W_ih x_t + b_ih + u ⊙ h_{t-1}), φ = relu or tanh

    Over T steps a gradient is multiplied by u^T (times the slopes of φ), unit by unit, so what a
    unit remembers can be read off its u. With relu and |u| > 1 states grow without bound: keep
    |u| ≤ 2^(1/T) by clamping the weights after each step of the optimiser, as the paper does.

    Source: Li et al. 2018, "Independently recurrent neural network (IndRNN)" (arXiv:1803.04831).

    Args:
        nonlinearity: "relu" or "tanh".
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device,
            dtype: as `MinGRU`.

    Inputs, outputs and errors: as `MinGRU`.

    Parameters: weight_ih_l[k] (H, I), (H, D * H) for k > 0; weight_hh_l[k] (H,), the u above, from
    U(0, 1); bias_ih_l[k] (H,); `_reverse` appended for the second direction; the others drawn as
    `MinGRU`'s.

    >>> layer = IndRNN(3, 5, num_layers=2)
    >>> y, h = layer(torch.randn(7, 2, 3))
    >>> y.shape, layer.weight_hh_l1.shape
    (torch.Size([7, 2, 5]), torch.Size([5]))
    >>> limit = 2 ** (1 / 7)  # for sequences of 7 steps, after each step of the optimiser:
    >>> for u in (layer.weight_hh_l0, layer.weight_hh_l1):
    ...     _ = u.data.clamp_(-limit, limit)
    """

    _cell = "indrnn"

    def _draw(self, name: str, weight: Tensor, bound: float) -> None:
        if name == "weight_hh":
            weight.uniform_(0, 1)
        else:
            super()._draw(name, weight, bound)
