"""`LMU`: the Legendre Memory Unit, a vanilla RNN beside a linear memory of a window of time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.types import Device

from carousel.cells.lmu import legendre
from carousel.layers.own import Own


class LMU(Own):
    r"""A stack of LMU layers: hidden units that read a memory of the last θ steps.

    u_t = e_x · x_t + e_h · h_{t-1} + e_m · m_{t-1}
    m_t = A m_{t-1} + B u_t
    h_t = φ(W_x x_t + W_h h_{t-1} + W_m m_t + b), φ = tanh or relu

    One number u_t is written to the memory at each step. A and B are fixed: the d coefficients m_t
    of Legendre polynomials follow u over the last θ steps, whatever d is, and smoother for small d.
    A gradient passes through m over those steps as it is.

    Source: Voelker, Kajić and Eliasmith 2019, "Legendre Memory Units: Continuous-Time
    Representation in Recurrent Neural Networks" (NeurIPS 32).

    Args:
        input_size: features I of the input.
        hidden_size: units H.
        num_layers: layers L, each reading the outputs of the one below.
        nonlinearity: "tanh" or "relu".
        bias: whether b exists.
        batch_first: input and output are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: on the outputs of every layer but the last, in training.
        bidirectional: a second set of weights reads from the end (D = 2 directions).
        device, dtype: of the parameters.
        order: coefficients d of the memory.
        theta: steps θ of the window, a number above zero.

    Inputs, outputs and errors: as `carousel.LSTM`, `lengths=` and `PackedSequence` included, with
    the states (h, m), h (D * L, B, H) and m (D * L, B, d); zeros if not given. ValueError for
    arguments out of range. UserWarning for a dropout between layers of which there is one.

    Parameters: weight_ih_l[k] W_x (H, I), (H, D * H) for k > 0; weight_hh_l[k] W_h (H, H);
    weight_mh_l[k] W_m (H, d); weight_iu_l[k] e_x, weight_hu_l[k] e_h, weight_mu_l[k] e_m, vectors;
    bias_ih_l[k] b (H,); buffers memory_a_l[k] A (d, d) and memory_b_l[k] B (d,); `_reverse`
    appended for the second direction. As in the paper, matrices start in N(0, 2 / (rows +
    columns)), e_x and e_h in U(±√(3 / F)), F their length; e_m and b at zero.

    >>> layer = LMU(3, 8, order=6, theta=20.0)
    >>> y, (h, m) = layer(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> y.shape, m.shape, bool((y[4:, 1] == 0).all())
    (torch.Size([7, 2, 8]), torch.Size([1, 2, 6]), True)
    """

    _cell = "lmu"

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
        order: int = 32,
        theta: float = 100.0,
    ) -> None:
        self.order, self.theta = order, theta  # read by what __init__ calls
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
        if self.order < 1:
            raise ValueError(f"LMU: order must be 1 or more coefficients, got {self.order}")
        if not self.theta > 0:
            raise ValueError(f"LMU: theta must be a number of steps above 0, got {self.theta}")

    def _draw(self, name: str, weight: Tensor, bound: float) -> None:
        if name.startswith("memory"):
            fixed = dict(zip("ab", legendre(self.order, self.theta), strict=True))
            weight.copy_(fixed[name[-1]])
        elif weight.dim() == 2:
            nn.init.xavier_normal_(weight)
        elif name in ("weight_iu", "weight_hu") and len(weight):
            span = (3 / len(weight)) ** 0.5
            weight.uniform_(-span, span)
        else:
            weight.zero_()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, order={self.order}, theta={self.theta}"
