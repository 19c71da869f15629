"""`LRU`: a complex diagonal linear recurrence, stable whatever its weights are."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.types import Device

from carousel.layers.own import Own


class LRU(Own):
    r"""A stack of linear recurrent units: a complex memory that turns and fades, and a product.

    s_t = λ ⊙ s_{t-1} + exp(γ) ⊙ (B x_t), λ = exp(-exp(ν) + i exp(θ))
    h_t = Re(C s_t) + D x_t + b

    s has a complex number of each unit, B and C are complex, and all else is real. |λ| is below one
    whatever ν and θ are, and exp(γ), which starts at √(1 - |λ|²), keeps the size of s. The
    recurrence is linear: put a nonlinearity between layers where the task needs one, as the paper
    does, for a stack of LRUs alone is linear in its inputs.

    Source: Orvieto et al. 2023, "Resurrecting recurrent neural networks for long sequences"
    (arXiv:2303.06349), section 3, without the normalisation and the gated unit around it.

    Args:
        input_size: features I of the input.
        hidden_size: units H, of the memory and of the output.
        num_layers: layers L, each reading the outputs of the one below.
        bias: whether b exists; the paper has none.
        batch_first: input and output are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: on the outputs of every layer but the last, in training.
        bidirectional: a second set of weights reads from the end (D = 2 directions).
        device, dtype: of the parameters.
        r_min, r_max: |λ| starts between the two, spread evenly over the ring; 0 to 1.
        max_phase: the angle of λ starts between 0 and this; at most 2π.

    Inputs, outputs and errors: as `carousel.LSTM`, `lengths=` and `PackedSequence` included, with
    the states (h, c, n), each (D * L, B, H), s = c + i n; zeros if not given. h_0 is taken as an
    LSTM's is, but nothing depends on it. ValueError for arguments out of range. UserWarning for a
    dropout between layers of which there is one.

    Parameters: weight_ih_l[k] (3H, F), F the layer's inputs: D, Re B and Im B; weight_sh_l[k]
    (H, 2H): Re C and -Im C; weight_nu_l[k], weight_theta_l[k] and weight_gamma_l[k] (H,), the ν, θ
    and γ; bias_ih_l[k] (H,); `_reverse` appended for the second direction. As in the paper, B
    starts in N(0, 1 / (2 F)), C in N(0, 1 / H), the squares of |λ| in U(r_min², r_max²), the angles
    in U(0, max_phase); D in U(-1/√F, 1/√F), and b at zero.

    >>> layer = LRU(3, 8, r_min=0.9, r_max=0.999)
    >>> y, (h, c, n) = layer(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> y.shape, n.shape, bool((y[4:, 1] == 0).all())
    (torch.Size([7, 2, 8]), torch.Size([1, 2, 8]), True)
    >>> size = torch.exp(-torch.exp(layer.weight_nu_l0))
    >>> bool((size >= 0.9).all() and (size <= 0.999).all())
    True
    """

    _cell = "lru"

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
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 2 * math.pi,
    ) -> None:
        self.r_min, self.r_max, self.max_phase = r_min, r_max, max_phase  # read by __init__
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
        if not 0 <= self.r_min < self.r_max <= 1:
            raise ValueError(
                f"LRU: r_min and r_max must be numbers with 0 <= r_min < r_max <= 1, got "
                f"{self.r_min} and {self.r_max}"
            )
        if not 0 < self.max_phase <= 2 * math.pi:
            raise ValueError(
                f"LRU: max_phase must be an angle above 0 and at most 2π, got {self.max_phase}"
            )

    def _draw(self, name: str, weight: Tensor, bound: float) -> None:
        H = self.hidden_size
        if name == "weight_ih":
            weight[:H].uniform_(-bound, bound)
            weight[H:].normal_(0, bound * 0.5**0.5)
        elif name == "weight_sh":
            weight.normal_(0, H**-0.5)
        elif name == "weight_nu":
            squares = torch.empty_like(weight).uniform_(self.r_min**2, self.r_max**2)
            fine = torch.finfo(weight.dtype)
            # λ of size one has no logarithm of γ, and λ of zero none of its own.
            inside = squares.clamp(max(1e-12, fine.tiny), 1 - fine.eps)
            weight.copy_((-0.5 * inside.log()).log())
        elif name == "weight_theta":
            angles = torch.empty_like(weight).uniform_(0, self.max_phase)
            weight.copy_(angles.clamp(min=1e-6).log())
        elif name == "bias_ih":
            nn.init.zeros_(weight)

    def reset_parameters(self) -> None:
        """Weights as the class says; γ follows from ν."""
        super().reset_parameters()
        with torch.no_grad():
            for name in self.weight_names():
                if name.startswith("weight_gamma"):
                    nu = getattr(self, name.replace("gamma", "nu"))
                    # 1 - |λ|² = 1 - exp(-2 exp(ν)), to all its digits.
                    getattr(self, name).copy_(0.5 * (-torch.expm1(-2 * nu.exp())).log())

    def extra_repr(self) -> str:
        text, full = super().extra_repr(), {"r_min": 0.0, "r_max": 1.0, "max_phase": 2 * math.pi}
        changed = [f", {k}={getattr(self, k)}" for k, v in full.items() if getattr(self, k) != v]
        return text + "".join(changed)
