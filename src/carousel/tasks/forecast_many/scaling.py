"""Level and spread of each window: what puts series of any size on one scale."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from carousel.config import Config
from carousel.errors import DataError
from carousel.tasks.shared.counts import COUNTS

_LEAST = 1e-6
"""Spread beside the size of a level below which a window counts as constant."""


@dataclass(frozen=True)
class Scale:
    """Level and spread (B, 1), float64, by which values become z = (t(y) - level) / spread; t is
    the transform.

    >>> scale = Scale(torch.tensor([[2.0]]), torch.tensor([[4.0]]), "none")
    >>> scale.restore(scale(torch.tensor([[10.0]]).double())).item()
    10.0
    """

    level: Tensor
    spread: Tensor
    transform: str

    def __call__(self, values: Tensor) -> Tensor:
        """Values (B, …) that were transformed, on the network's scale, float32."""
        return ((values - self.level) / self.spread).float()

    def restore(self, z: Tensor) -> Tensor:
        """Numbers (…, B, K) of the network on the scale of the series, float64."""
        return undone(z.double() * self.spread + self.level, self.transform)


def transformed(values: Tensor, transform: str, source: str) -> Tensor:
    """Values as `many.transform` says. Raises `DataError` for a logarithm of what has none."""
    if transform == "log":
        if not bool((values > 0).all()):
            raise DataError(
                f"many.transform = 'log' needs values above 0, and {source} has "
                f"{float(values.min()):g}: set 'asinh' or 'none' (and many.smoothing = 'none', "
                "which needs the logarithm), or leave out, or raise, the series that have none"
            )
        return values.log()
    return values.asinh() if transform == "asinh" else values


def undone(values: Tensor, transform: str) -> Tensor:
    """Inverse of `transformed`."""
    return {"log": torch.exp, "asinh": torch.sinh}.get(transform, lambda same: same)(values)


def scale_of(values: Tensor, measured: Tensor, config: Config) -> Scale:
    """Scale of windows (B, T) by the values that were measured (B, T); where none was, by all.

    Counts, which a negative binomial distribution is of, are divided by 1 + their mean (Salinas et
    al. 2020) and keep their level. Else the spread is the mean distance from the level. Of a
    constant window it is the size of its level, and 1 where that is 0, so that z stays small.
    """
    measured = measured | ~measured.any(1, keepdim=True)
    if config.forecast.distribution == COUNTS:
        mean = _mean(values, measured)
        return Scale(torch.zeros_like(mean), 1 + mean, config.many.transform)
    how, season = config.many.scaling, min(config.forecast.season, values.size(1))
    if how == "last":
        places = torch.arange(values.size(1)).where(measured, -1).amax(1, keepdim=True)
        level = values.gather(1, places)
    elif how == "median":
        level = values.where(measured, torch.nan).nanmedian(1, keepdim=True).values
    else:
        counted = measured.clone()
        if how == "season":
            counted[:, :-season] &= ~measured[:, -season:].any(1, keepdim=True)
        level = _mean(values, counted)
    spread = _mean((values - level).abs(), measured)
    size = level.abs()
    constant = torch.where(size > 0, size, 1.0)
    return Scale(
        level, torch.where(spread > _LEAST * size, spread, constant), config.many.transform
    )


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    return (values * counted).sum(1, keepdim=True) / counted.sum(1, keepdim=True)
