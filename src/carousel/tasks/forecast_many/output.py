"""Loss and forecasts of many series, on scales of their own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from carousel.config import Config
from carousel.tasks.forecast_many.scaling import Scale, transformed
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
        if self.distribution in ("gaussian", "student-t"):
            return density_losses(
                raw, scale(transformed(truth, scale.transform, "the target")), self.distribution
            )
        low, middle, high = scale.restore(self._three(raw))
        if self.distribution == "none":
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
        return scale.restore(self._three(raw))

    def _three(self, raw: Tensor) -> Tensor:
        middle = raw[..., 0]
        below, above = ends(raw, self.distribution)
        if self.stretch is not None:
            wider = self.stretch.to(raw)
            below, above = below * wider, above * wider
        return torch.stack((middle - below, middle, middle + above))
