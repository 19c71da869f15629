"""Intervals of many series as wide as the truth asks for: before, and as it comes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.many_series import ManySeries
from carousel.tasks.forecast_many.forecasts import spans_of
from carousel.tasks.forecast_many.output import Output
from carousel.tasks.forecast_many.windows import Frame, Origins
from carousel.tasks.shared.conformal import stretch

Array = NDArray[np.float64]
SHARE = 0.8
"""Share of the truth that an interval is to hold."""
MOST = 20
"""Windows of a series, before the steps to come, whose truth their intervals follow."""


def stretch_of(model: nn.Module, frame: Frame, windows: Origins, output: Output) -> Tensor:
    """Factor (K,) with which the intervals of windows hold `SHARE` of their truth."""
    spans, scale = spans_of(model, frame, windows, output)
    truth = output.placed(frame.truth(windows), scale).double().numpy()[..., None]
    low, middle, high = spans.double().numpy()[..., None]
    wider: Array = stretch(truth, (low, middle, high), SHARE)[:, 0]
    return torch.from_numpy(wider).float()


def following(
    model: nn.Module, frame: Frame, windows: Origins, output: Output, before: Origins
) -> Array:
    """(low, forecast, high) of windows (3, n, K), whose intervals have followed `forecast.follow`
    what came in the windows of their series before them. before: others that stand before all of
    these, to begin from; no two share a step."""
    every = Origins(
        *(
            torch.cat((getattr(before, name), getattr(windows, name)))
            for name in ("series", "start", "stop")
        )
    )
    order = torch.from_numpy(np.lexsort((every.start.numpy(), every.series.numpy())))
    spans, scale = spans_of(model, frame, every, output)
    truth = output.placed(frame.truth(every), scale).double().numpy()
    wider = np.empty(len(every))
    wider[order.numpy()] = factors(
        truth[order],
        spans[:, order].double().numpy(),
        every.series[order].numpy(),
        frame.config.forecast.follow,
    )
    low, middle, high = spans
    times = torch.from_numpy(wider).unsqueeze(1)
    spans = torch.stack((middle - times * (middle - low), middle, middle + times * (high - middle)))
    found: Array = output.told(spans, scale)[:, len(before) :].numpy()
    return found


def factors(truth: Array, spans: Array, of: NDArray[np.int64], rate: float) -> Array:
    """Factor (n,) by which the intervals of each window are wider than they were told.

        ln f ← ln f + rate (missed - (1 - SHARE))

    for each series, from f = 1, as soon as a window of it has come: missed is the share of what was
    measured in it that lay outside f times the interval; of a window in which nothing was, nothing
    is learnt. So of n windows of a series the share of misses is off by |ln f| / (rate n). Source:
    Gibbs and Candès 2021 (arXiv:2106.00170), as in `carousel.tasks.shared.following`, with one
    width for a series, which has few windows, in place of one for each step.

    truth (n, K), NaN where nothing was measured; spans: low, middle, high (3, n, K); of (n,): the
    series of each window, in rising order, and of a series in order of time.

    >>> y = np.array([[9.0, 9.0], [0.0, 9.0], [0.0, 0.0]])  # two outside, then one
    >>> one = np.ones_like(y)
    >>> factors(y, np.stack((-one, 0 * one, one)), np.array([4, 4, 4]), 0.5).round(3).tolist()
    [1.0, 1.492, 1.733]
    """
    low, middle, high = spans
    first = np.searchsorted(of, of)  # the place at which the series of each window begins
    turn = np.arange(len(of)) - first
    logarithm = np.zeros(len(of))
    for number in range(int(turn.max(initial=0)) + 1):
        some = np.flatnonzero(turn == number)
        if number:
            logarithm[some] = logarithm[some - 1] + _change(
                truth[some - 1], (low, middle, high), some - 1, np.exp(logarithm[some - 1]), rate
            )
    found: Array = np.exp(logarithm)
    return found


def _change(
    truth: Array,
    spans: tuple[Array, Array, Array],
    places: NDArray[np.int64],
    wide: Array,
    rate: float,
) -> Array:
    low, middle, high = (part[places] for part in spans)
    times = wide[:, None]
    outside = (truth < middle - times * (middle - low)) | (truth > middle + times * (high - middle))
    measured = (~np.isnan(truth)).sum(1)
    missed = outside.sum(1) / np.maximum(measured, 1)
    changed: Array = np.where(measured > 0, rate * (missed - (1 - SHARE)), 0.0)
    return changed


def nothing() -> Origins:
    """No windows."""
    none = torch.empty(0, dtype=torch.int64)
    return Origins(none, none, none)


def just_before(series: ManySeries, config: Config) -> Origins:
    """The last windows of each series that have come: as many as a training holds out to validate
    and judge (what was learnt from says nothing of errors), `MOST` at the most."""
    settings = config.forecast
    firsts, ends, horizon = series.firsts[:-1], series.ends, settings.horizon
    held = (ends - firsts) * (settings.validation + settings.test) / horizon
    counts = np.clip(np.round(held).astype(np.int64), 2, MOST)
    counts = np.minimum(counts, np.maximum(0, (ends - firsts - 2) // horizon))
    of = np.repeat(np.arange(len(series)), counts)
    number = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    start = ends[of] - horizon * (counts[of] - number)
    return Origins(*map(torch.from_numpy, (of, start, start + horizon)))
