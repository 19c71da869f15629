"""Windows brought to a level and a size of their own, and forecasts brought back (RevIN)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_LEAST = 1e-5  # of the variance, as in the paper: a constant window divides by no zero


@dataclass(frozen=True)
class Reversible:
    """Centre and deviation of each window and series, (B, 1, C) each.

        z_t = (x_t - c) / s      before the network
        y_k = s ŷ_k + c          of its forecasts; deviations and widths times s

    c: the last value of the window, or its mean; s² = its variance + 1e-5. Source: Kim et al. 2022,
    "Reversible Instance Normalization for Accurate Time-Series Forecasting against Distribution
    Shift" (openreview.net/forum?id=cGDAkQo1C0p), without the learnt factor and offset of each
    series, which the layers beside it can be.

    >>> x = torch.tensor([[[1.0], [3.0], [8.0]]])
    >>> window = Reversible.of(x, "last")
    >>> float(window.centre), round(float(window.size), 3), window.apply(x)[0, -1].tolist()
    (8.0, 2.944, [0.0])
    """

    centre: Tensor
    size: Tensor

    @classmethod
    def of(cls, x: Tensor, centre: str) -> Reversible:
        """x (B, T, C); centre: "last" or "mean"."""
        middle = x[:, -1:] if centre == "last" else x.mean(1, keepdim=True)
        size = (x.var(1, correction=0, keepdim=True) + _LEAST).sqrt()
        return cls(middle, size)

    def apply(self, x: Tensor) -> Tensor:
        """Windows (B, T, C) as the network reads them."""
        return (x - self.centre) / self.size

    def restore(self, raw: Tensor, *, centred: bool = True) -> Tensor:
        """Numbers (B, K, C, P) of forecasts: the first a value, the others what softplus makes
        widths of. centred: add the centre, too.

        >>> window = Reversible(torch.full((1, 1, 1), 5.0), torch.full((1, 1, 1), 2.0))
        >>> value, width = window.restore(torch.tensor([[[[1.0, 3.0]]]])).flatten()
        >>> float(value), bool(torch.isclose(F.softplus(width), 2 * F.softplus(torch.tensor(3.0))))
        (7.0, True)
        """
        size = self.size.unsqueeze(-1)
        values = raw[..., :1] * size
        if centred:
            values = values + self.centre.unsqueeze(-1)
        if raw.size(-1) == 1:
            return values
        return torch.cat((values, _inverse(F.softplus(raw[..., 1:]) * size)), -1)


def _inverse(y: Tensor) -> Tensor:
    """x of y = softplus(x), y > 0."""
    y = y.clamp(min=1e-12)
    return y + (-torch.expm1(-y)).log()
