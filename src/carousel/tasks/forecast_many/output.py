"""Loss and forecasts of many series, on scales of their own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from carousel.config import Config
from carousel.tasks.forecast_many.scaling import Scale, transformed
from carousel.tasks.shared.counts import (
    COUNTS,
    count_losses,
    count_spans,
    counts_within,
    numbers_of,
)
from carousel.tasks.shared.distributions import density_losses, ends, pinball

_OF_SMAPE = 10.0  # an error of 10 % counts as much as that of the seasonal naive forecast
_LEAST = 1e-9


@dataclass(frozen=True)
class Output:
    """Meaning of a network's numbers (B, K, P): `forecast.distribution` and `many.objective`.

    stretch (K,): how much wider than the network says its intervals are told; None: as it says.
    """

    distribution: str
    objective: str
    stretch: Tensor | None = None

    @classmethod
    def of(cls, config: Config, stretch: Tensor | None = None) -> Output:
        return cls(config.forecast.distribution, config.many.objective, stretch)

    def losses(self, raw: Tensor, scale: Scale, truth: Tensor, naive: Tensor) -> Tensor:
        """The loss (B, K) of each value: truth (B, K) on the scale of the series, a number
        everywhere; naive (B, 1): the error of the seasonal naive forecast of its series."""
        if self.distribution == COUNTS:
            return count_losses(*numbers_of(raw, scale.spread), truth).float()
        if self.distribution in ("gaussian", "student-t"):
            return density_losses(raw, self.placed(truth, scale), self.distribution)
        low, middle, high = scale.restore(self._three(raw))
        if self.distribution in ("none", "conformal"):
            errors = (middle - truth).abs()
        else:
            errors = 2 * pinball(truth, torch.stack((low, middle, high)))
        size = (truth.abs() + middle.abs()).clamp(min=_LEAST)
        found: Tensor = errors.new_zeros(())
        if self.objective in ("mase", "both"):
            found = errors / naive
        if self.objective in ("smape", "both"):
            found = found + (_OF_SMAPE if self.objective == "both" else 1.0) * 2 * errors / size
        return found.float()

    def forecast(self, raw: Tensor, scale: Scale) -> Tensor:
        """(low, forecast, high), (3, B, K), on the scale of the series."""
        return self.told(self.spans(raw, scale), scale)

    def spans(self, raw: Tensor, scale: Scale) -> Tensor:
        """(low, middle, high), (3, B, K), where intervals are stretched: on the scale of the
        network, or, of counts, from half a count below the interval to half a count above."""
        if self.distribution != COUNTS:
            return self._three(raw)
        return self._stretched(*count_spans(*numbers_of(raw, scale.spread)))

    def told(self, spans: Tensor, scale: Scale) -> Tensor:
        """Spans on the scale of the series; of counts, the counts that lie within."""
        if self.distribution != COUNTS:
            return scale.restore(spans)
        return torch.from_numpy(counts_within(*spans.double().numpy()))

    def placed(self, truth: Tensor, scale: Scale) -> Tensor:
        """Truth (B, K), NaN or not, where spans lie."""
        if self.distribution == COUNTS:
            return truth
        empty = truth.isnan()
        plain = truth.masked_fill(empty, 1.0)
        placed = scale(transformed(plain, scale.transform, "the target"))
        return placed.masked_fill(empty, torch.nan)

    def _three(self, raw: Tensor) -> Tensor:
        return self._stretched(raw[..., 0], *ends(raw, self.distribution))

    def _stretched(self, middle: Tensor, below: Tensor, above: Tensor) -> Tensor:
        if self.stretch is not None:
            wider = self.stretch.to(middle)
            below, above = below * wider, above * wider
        return torch.stack((middle - below, middle, middle + above))
