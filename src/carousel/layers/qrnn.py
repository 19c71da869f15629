"""`QRNN`: gates that see one input, or two, and no recurrent product."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.types import Device

from carousel.layers.own import Own

_CELLS = {1: "qrnn", 2: "qrnn2"}  # by their windows


class QRNN(Own):
    r"""A stack of quasi-recurrent layers, with fo-pooling: a convolution over time, then gates.

    a_t = W_ih x_t + W_ph x_{t-1} + b        the second product with window=2 alone
    g_t = tanh(a_g), f_t = σ(a_f), o_t = σ(a_o)
    c_t = f_t ⊙ c_{t-1} + (1 - f_t) ⊙ g_t
    h_t = o_t ⊙ c_t

    Source: Bradbury et al. 2017, "Quasi-recurrent neural networks" (arXiv:1611.01576).

    Args:
        input_size: features I of the input.
        hidden_size: units H.
        num_layers: layers L, each reading the outputs of the one below.
        bias: whether b exists.
        batch_first: input and output are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: on the outputs of every layer but the last, in training.
        bidirectional: a second set of weights reads from the end (D = 2 directions).
        device, dtype: of the parameters.
        window: inputs that a step reads, 1 or 2: this one, and the one before it (after it, in the
            direction from the end).

    Inputs, outputs and errors: as `carousel.LSTM`, `lengths=` and `PackedSequence` included. With
    window=1 the state is the pair (h, c), each (D * L, B, H); with window=2 it is (h, c, n), where
    n (D * L, B, 3H) is what the input before adds to the sums, W_ph x_{t-1}, zero at the beginning.
    h_0 is taken as an LSTM's is, but nothing depends on it. ValueError for arguments out of range.
    UserWarning for a dropout between layers of which there is one.

    Parameters: weight_ih_l[k] (3H, I), (3H, D * H) for k > 0; with window=2, weight_ph_l[k] of the
    same shape; bias_ih_l[k] (3H,); gates in the order g, f, o; `_reverse` appended for the second
    direction; drawn from U(-1/√F, 1/√F), F the inputs of a step: window times the columns.

    >>> layer = QRNN(3, 5, num_layers=2, window=2)
    >>> y, (h, c, n) = layer(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> y.shape, c.shape, n.shape, layer.weight_ph_l0.shape
    (torch.Size([7, 2, 5]), torch.Size([2, 2, 5]), torch.Size([2, 2, 15]), torch.Size([15, 3]))
    """

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
        *,
        window: int = 1,
    ) -> None:
        if window not in _CELLS:
            raise ValueError(f"QRNN: window must be 1 or 2 inputs, got {window}")
        self.window, self._cell = window, _CELLS[window]  # read by what __init__ calls
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

    def _draw(self, name: str, weight: Tensor, bound: float) -> None:
        super()._draw(name, weight, bound * self.window**-0.5)

    def extra_repr(self) -> str:
        text = super().extra_repr()
        return text if self.window == 1 else f"{text}, window={self.window}"
