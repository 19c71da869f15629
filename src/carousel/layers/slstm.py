"""`SLSTM`: the LSTM with exponential gates of the xLSTM, its memory a mean of what it let in."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.types import Device

from carousel.layers.own import Own


class SLSTM(Own):
    r"""A stack of sLSTM layers: exponential gates, a normaliser, and units in heads.

    i_t = exp(W_ii x_t + R_i h_{t-1} + b_i)
    f_t = σ(W_if x_t + R_f h_{t-1} + b_f), or exp of that sum with nonlinearity "exp"
    g_t = tanh(W_ig x_t + R_g h_{t-1} + b_g)
    o_t = σ(W_io x_t + R_o h_{t-1} + b_o)
    c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
    n_t = f_t ⊙ n_{t-1} + i_t
    h_t = o_t ⊙ c_t / n_t

    c and n are kept divided by exp(m_t), m_t = max(log f_t + m_{t-1}, log i_t), which changes no
    h_t and leaves nothing to overflow: `carousel.cells.slstm_step` has the equations as computed.
    An input gate has no upper bound, so that one step can outweigh all before it: memory is revised
    where the LSTM can only add to it.

    Source: Beck et al. 2024, "xLSTM: Extended Long Short-Term Memory" (arXiv:2405.04517); g is
    their z. This is the cell alone, without the convolution, the norm and the projections of their
    block.

    Args:
        input_size: features I of the input.
        hidden_size: units H.
        num_layers: layers L, each reading the outputs of the one below.
        nonlinearity: of the forget gate, "sigmoid" or "exp".
        bias: whether b exists.
        batch_first: input and output are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: on the outputs of every layer but the last, in training.
        bidirectional: a second set of weights reads from the end (D = 2 directions).
        device, dtype: of the parameters.
        heads: groups of units, which see each other's past within their group alone: R_i, R_f, R_g
            and R_o are block-diagonal. hidden_size must be a multiple of it.
        forget_bias: where b_f starts; None draws it as the others. Large values make memory last.

    Inputs, outputs and errors: as `carousel.LSTM`, `lengths=` and `PackedSequence` included, with
    the four states (h, c, n, m) in place of two, each (D * L, B, H); zeros if not given.
    ValueError for arguments out of range and for a `forget_bias` without biases. UserWarning for a
    dropout between layers of which there is one.

    Parameters: weight_ih_l[k] (4H, I), (4H, D * H) for k > 0; weight_hh_l[k] (4H, H / heads), the
    blocks of R one below the other; bias_ih_l[k] (4H,); gates in the order i, f, g, o; `_reverse`
    appended for the second direction; drawn from U(-1/√F, 1/√F), F the columns of the weight, of
    the bias those of weight_ih.

    >>> layer = SLSTM(3, 8, num_layers=2, heads=2)
    >>> y, (h, c, n, m) = layer(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> y.shape, n.shape, layer.weight_hh_l0.shape, bool((y[4:, 1] == 0).all())
    (torch.Size([7, 2, 8]), torch.Size([2, 2, 8]), torch.Size([32, 4]), True)
    """

    _cell = "slstm"

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
        heads: int = 1,
        forget_bias: float | None = None,
    ) -> None:
        self.heads, self.forget_bias = heads, forget_bias  # read by what __init__ calls
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
        if self.heads < 1 or self.hidden_size % self.heads:
            raise ValueError(
                f"SLSTM: hidden_size must be a multiple of heads, 1 or more; got "
                f"{self.hidden_size} and {self.heads}"
            )
        self._check_forget_bias()

    def _draw(self, name: str, weight: Tensor, bound: float) -> None:
        super()._draw(name, weight, weight.size(1) ** -0.5 if name == "weight_hh" else bound)
        if name == "bias_ih" and self.forget_bias is not None:
            weight[self.hidden_size : 2 * self.hidden_size] = self.forget_bias

    def extra_repr(self) -> str:
        text = super().extra_repr()
        text += f", heads={self.heads}" if self.heads != 1 else ""
        return text if self.forget_bias is None else f"{text}, forget_bias={self.forget_bias}"
