"""`S6`: the selective scan of Mamba, whose memory fades as the input says."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.types import Device

from carousel.layers.own import Own

_STEPS = (1e-3, 0.1)  # where Δ starts


class S6(Own):
    r"""A stack of selective scans (Mamba's S6): a linear memory, and a step size from the input.

    Δ_t = softplus(W_Δ x_t + b_Δ)
    n_t = x_t in a layer with as many inputs as units, else W_n x_t
    c_t = exp(Δ_t A) ⊙ c_{t-1} + (Δ_t ⊙ n_t) (W_B x_t), A = -exp(log A)
    h_t = (W_C x_t) c_t + D ⊙ n_t

    Each unit has N coefficients c; what is written to them and read from them, W_B x and W_C x, is
    the same for all units. A small Δ leaves the memory as it is, a large one forgets it for the
    input. The layer is the scan alone: the block called Mamba has a linear layer, a short
    convolution and SiLU before it, and a gate and a linear layer behind it
    (docs/parallel-cells.md has it in ten lines).

    Source: Gu and Dao 2023, "Mamba: linear-time sequence modeling with selective state spaces"
    (arXiv:2312.00752), algorithm 2; W_Δ has full rank here.

    Args:
        input_size: features I of the input.
        hidden_size: units H; as many as inputs for the scan of the paper, without W_n.
        num_layers: layers L, each reading the outputs of the one below.
        bias: whether b_Δ exists.
        batch_first: input and output are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: on the outputs of every layer but the last, in training.
        bidirectional: a second set of weights reads from the end (D = 2 directions).
        device, dtype: of the parameters.
        order: coefficients N of each unit.

    Inputs, outputs and errors: as `carousel.LSTM`, `lengths=` and `PackedSequence` included, with
    the states (h, c), h (D * L, B, H) and c (D * L, B, N * H), all units of the first coefficient,
    then those of the second, and so on; zeros if not given. h_0 is taken as an LSTM's is, but
    nothing depends on it. ValueError for arguments out of range. UserWarning for a dropout between
    layers of which there is one.

    Parameters: weight_ih_l[k] (2H, F), F the layer's inputs: W_Δ and W_n, (H, F) where F = H;
    weight_log_a_l[k] (H, N); weight_bx_l[k] and weight_cx_l[k] (N, F), the W_B and W_C;
    weight_skip_l[k] (H,), the D; bias_delta_l[k] (H,); `_reverse` appended for the second
    direction. As in the paper's code, A starts at -1, -2, … -N, D at one, and b_Δ such that
    softplus(b_Δ) lies between 0.001 and 0.1, even on a scale of logarithms; the others in
    U(-1/√F, 1/√F).

    >>> layer = S6(3, 8, num_layers=2, order=4)
    >>> y, (h, c) = layer(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> y.shape, c.shape, bool((y[4:, 1] == 0).all())
    (torch.Size([7, 2, 8]), torch.Size([2, 2, 32]), True)
    """

    _cell = "s6"

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
        order: int = 16,
    ) -> None:
        self.order = order  # read by what __init__ calls
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

    def _check_arguments(self) -> None:
        super()._check_arguments()
        if self.order < 1:
            raise ValueError(f"S6: order must be 1 or more coefficients, got {self.order}")

    def _draw(self, name: str, weight: Tensor, bound: float) -> None:
        if name == "weight_log_a":
            weight.copy_(torch.arange(1, self.order + 1, device=weight.device).log())
        elif name == "weight_skip":
            weight.fill_(1.0)
        elif name == "bias_delta":
            steps = torch.empty_like(weight).uniform_(*map(math.log, _STEPS)).exp()
            weight.copy_(steps.expm1().log())  # softplus(b) is the step
        else:
            super()._draw(name, weight, bound)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, order={self.order}"
