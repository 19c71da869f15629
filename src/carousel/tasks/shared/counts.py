"""Negative binomial distribution of counts: what a network's numbers mean, loss and quantiles.

P(y) = Γ(y + r) / (Γ(r) y!) (α μ)^y / (1 + α μ)^(y + r),  r = 1 / α

has the mean μ and the variance μ + α μ²; with α towards 0 it is Poisson's. As in DeepAR (Salinas
et al. 2020, International Journal of Forecasting 36(3), arXiv:1704.04110) both numbers come through
a softplus, and ν, the size of a window, puts series of all sizes on one scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from carousel.errors import DataError
from carousel.tasks.shared.distributions import QUANTILES, positive

Array = NDArray[np.float64]

COUNTS = "negative-binomial"
_SHARP = 5.0
"""How sharply the softplus of the mean bends: from 1 on it is its argument but for 0.2 %, so that a
network that repeats a season has that season as its mean."""
_TINY = 1e-9
_AT_ONCE = 1 << 18
_SUMMED = 64


def numbers_of(raw: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and shape of counts, float64, of raw (..., 2) and the size of windows (...).

        μ = ν softplus(5 raw_0) / 5,  α = softplus(raw_1) / √ν

    >>> mean, shape = numbers_of(torch.tensor([2.0, 0.0]), torch.tensor(4.0))
    >>> round(mean.item(), 4), round(shape.item(), 4)
    (8.0, 0.3471)
    """
    raw, size = raw.double(), size.double()
    mean = size * (F.softplus(_SHARP * raw[..., 0]) / _SHARP + _TINY)
    return mean, positive(raw[..., 1]) / size.sqrt()


def count_losses(mean: Tensor, shape: Tensor, truth: Tensor) -> Tensor:
    """-ln P(y) of counts, in float64, all (...).

    >>> round(count_losses(torch.tensor(2.0), torch.tensor(1.0), torch.tensor(0.0)).exp().item(), 6)
    3.0
    """
    mean, shape, truth = mean.double(), shape.double(), truth.double()
    often = 1 / shape
    grown = torch.log1p(shape * mean)
    chance = (
        torch.lgamma(truth + often)
        - torch.lgamma(often)
        - torch.lgamma(truth + 1)
        + truth * (torch.log(shape * mean) - grown)
        - often * grown
    )
    return -chance


def count_quantiles(mean: Array, shape: Array, levels: Sequence[float]) -> Array:
    """Quantiles (Q, ...) of counts: for each level the smallest count with at least that share of
    the distribution at or below it.

    >>> count_quantiles(np.array([3.0, 0.1]), np.array([0.5, 0.5]), (0.5, 0.9)).tolist()
    [[2.0, 0.0], [7.0, 0.0]]
    """
    mean, shape = np.broadcast_arrays(mean, shape)
    flat, wide = mean.reshape(-1), shape.reshape(-1)
    found = np.full((len(levels), len(flat)), np.nan)
    for start in range(0, len(flat), _AT_ONCE):
        _sum_up(flat[start : start + _AT_ONCE], wide[start : start + _AT_ONCE], levels,
                found[:, start : start + _AT_ONCE])  # fmt: skip
    for level, row in zip(levels, found, strict=True):
        if (far := np.isnan(row)).any():
            from scipy.stats import nbinom  # slow to import

            chance = 1 / (1 + wide[far] * flat[far])
            row[far] = nbinom.ppf(level, 1 / wide[far], chance)
    return found.reshape(-1, *mean.shape)


def _sum_up(mean: Array, shape: Array, levels: Sequence[float], found: Array) -> None:
    """Fill in quantiles below `_SUMMED`, by adding up P(0), P(1), …, which takes a tenth of the
    time of SciPy's."""
    places = np.flatnonzero(mean < _SUMMED)
    often, grown = 1 / shape[places], shape[places] * mean[places]
    share = grown / (1 + grown)
    chance = np.exp(-often * np.log1p(grown))
    total = np.zeros_like(chance)
    for count in range(_SUMMED):
        total = total + chance
        for level, row in zip(levels, found, strict=True):
            row[places[(total >= level) & np.isnan(row[places])]] = count
        left = total < max(levels)
        places, often, share = places[left], often[left], share[left]
        total, chance = total[left], chance[left] * (count + often) / (count + 1) * share
        if not len(places):
            return


def count_spans(mean: Tensor, shape: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Median of counts, and how far the interval of 80 % reaches below and above it, half a count
    more on either side: a count y takes up y - 0.5, …, y + 0.5, so that an interval of one count
    can be stretched, too. mean and shape, and each result (...)."""
    found = count_quantiles(mean.detach().cpu().numpy(), shape.detach().cpu().numpy(), QUANTILES)
    low, middle, high = map(torch.from_numpy, found)
    return middle, middle - low + 0.5, high - middle + 0.5


def counts_within(low: Array, middle: Array, high: Array) -> Array:
    """(low, middle, high), (3, ...), as counts: the smallest and the largest from `low` to `high`.

    >>> counts_within(*np.array([-0.5, 1.0, 3.5])).tolist()
    [0.0, 1.0, 3.0]
    """
    near = 1e-6  # a count at the very end lies within
    low = np.maximum(0.0, np.ceil(low - near * (1 + np.abs(low)))) + 0.0  # never -0
    found: Array = np.stack((low, np.round(middle), np.floor(high + near * (1 + np.abs(high)))))
    return found


def require_counts(values: Array, source: str) -> None:
    """Raise `DataError` for values that are no whole numbers from 0 on; NaN is none at all."""
    wrong = (values < 0) | (values != np.round(values))
    wrong &= ~np.isnan(values)
    if wrong.any():
        example = float(values[np.flatnonzero(wrong)[0]])
        raise DataError(
            "forecast.distribution = 'negative-binomial' is of counts, whole numbers from 0 on; "
            f"{int(wrong.sum()):,} of {int((~np.isnan(values)).sum()):,} values of {source} are "
            f"none, such as {example:g}: set 'quantile' or another distribution"
        )
