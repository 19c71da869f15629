"""Meanings of the numbers that a forecaster puts out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from carousel.tasks.shared.average import mean_of_chances, mean_of_widths
from carousel.tasks.shared.counts import (
    COUNTS,
    count_losses,
    count_spans,
    counts_within,
    numbers_of,
)
from carousel.tasks.shared.distributions import density_losses, ends, pinball

SHARE = 0.8
"""Share of the truth that an interval is to hold."""


@dataclass(frozen=True)
class Output:
    """Meaning of a network's numbers: its loss, its forecast, its interval.

    sigmoid: the one number is the logit of a value in [0, 1]; the loss is binary cross-entropy.
    Otherwise, on the scale of the standardised series: "none": a value, squared error, or its
    absolute value with `absolute`;
    "gaussian": mean and deviation, -ln of the density; "quantile": 10, 50 and 90 %, the pinball
    loss (Koenker and Bassett 1978), ordered by construction; "conformal": as "none", and an
    interval from one standard deviation below to one above, until `stretch` says how wide;
    "negative-binomial", of counts: the value on the scale of the series makes their mean, the
    second number their shape (`carousel.tasks.shared.counts`), with 1 + the mean of training as ν.

    stretch (K, C): how much wider than the network says its intervals are told; None: as it says.
    unit: mean and deviation (C,) that standardise the series; only counts need them.
    """

    sigmoid: bool
    distribution: str
    stretch: Tensor | None = None
    absolute: bool = False
    unit: tuple[Tensor, Tensor] | None = None

    def losses(self, raw: Tensor, level: Tensor, truth: Tensor) -> Tensor:
        """The loss of each value: raw (B, K, C, P), level and truth (B, 1 or K, C)."""
        if self.sigmoid:
            return F.binary_cross_entropy_with_logits(raw[..., 0], truth, reduction="none")
        value = raw[..., 0] + level
        if self.distribution in ("none", "conformal"):
            error = value - truth
            return error.abs() if self.absolute else error.square()
        if self.distribution == COUNTS:
            mean, std = self._unit
            counts = (truth.double() * std + mean).round()
            return count_losses(*self._counts(raw, value), counts).float()
        if self.distribution == "gaussian":
            numbers = torch.cat((value.unsqueeze(-1), raw[..., 1:]), -1)
            return density_losses(numbers, truth, self.distribution)
        below, above = ends(raw, self.distribution)
        return pinball(truth, torch.stack((value - below, value, value + above)))

    def forecast(self, raw: Tensor, level: Tensor) -> Tensor:
        """(low, forecast, high), (3, B, K, C); without a distribution all three are the same."""
        if self.sigmoid:
            return raw[..., 0].sigmoid().expand(3, *raw.shape[:3])
        value = raw[..., 0] + level
        if self.distribution == "none":
            return value.expand(3, *value.shape)
        wider = 1.0 if self.stretch is None else self.stretch.to(raw)
        if self.distribution == COUNTS:
            mean, std = self._unit
            middle, below, above = count_spans(*self._counts(raw, value))
            spans = torch.stack((middle - below * wider, middle, middle + above * wider))
            return (spans - mean) / std
        below, above = (end * wider for end in ends(raw, self.distribution))
        return torch.stack((value - below, value, value + above))

    def told(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """(low, forecast, high), (3, ...), on the scale of the series, as they are told: of counts
        as counts, which `forecast` has half a count further on either side."""
        return counts_within(*found) if self.distribution == COUNTS else found

    @property
    def _unit(self) -> tuple[Tensor, Tensor]:
        assert self.unit is not None
        mean, std = self.unit
        return mean.double(), std.double()

    def _counts(self, raw: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and shape of counts (B, K, C)."""
        mean, std = self._unit
        size = 1 + mean
        numbers = torch.stack(((value.double() * std + mean) / size, raw[..., 1].double()), -1)
        return numbers_of(numbers, size)

    def averaged(self, raw: Tensor) -> Tensor:
        """One network's numbers, from those of several (M, B, K, C, P): forecasts and quantiles are
        then the means of theirs."""
        if self.sigmoid:
            return mean_of_chances(raw)
        return torch.cat((raw[..., :1].mean(0), mean_of_widths(raw[..., 1:])), -1)
