"""Windows of many series for `carousel.backtest`, from origins counted to the end of each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from carousel import scores
from carousel.tasks.forecast_many.scores import naive_errors
from carousel.tasks.forecast_many.trained import TrainedManyForecaster
from carousel.tasks.forecast_many.windows import Origins as Windows
from carousel.tasks.shared.origins import Found, Origins, Scale, Truth
from carousel.tasks.shared.task import TrainedModel

if TYPE_CHECKING:
    from carousel.tasks.forecast_many.task import ForecastManyTask

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
_FEWEST = 2  # rows before a window


class ManyOrigins(Origins):
    """Windows of many series: an origin is a place before the end of each, whenever that is.

    A series with fewer than two rows before a window, and one that only trained, has nothing in it:
    neither truth nor forecast. It counts in no metric.
    """

    def __init__(self, task: ForecastManyTask) -> None:
        self._task, self._data = task, task.series
        self.series = self._data.names
        self.horizon = task.config.forecast.horizon
        first, stop = task.parted.rows["test"]
        self._judged = stop > first
        self.notes = self._data.notes

    @property
    def unseen(self) -> int:
        first, _ = self._task.parted.rows["test"]
        behind = (self._data.ends - first)[self._judged]
        return int(behind.min()) if len(behind) else 0

    @property
    def scale(self) -> Scale:
        parts, data = self._task.parted, self._data
        first, stop = parts.rows["train"]
        truth = data.truth
        deviations = [
            np.nanstd(some) if len(some := truth[a:b]) and not np.isnan(some).all() else 0.0
            for a, b in zip(first.tolist(), stop.tolist(), strict=True)
        ]
        std = np.array(deviations)
        naive = naive_errors(parts, self._task.config.forecast.season, "train")
        return Scale(np.where(std > 0, std, 1.0), naive)

    def truth(self, origins: Sequence[int]) -> Truth:
        data, pace = self._data, self._data.pace
        start, inside = self._starts(origins)
        rows = start[:, None, :] + np.arange(self.horizon)[:, None]
        values = data.truth[np.clip(rows, 0, len(data.values) - 1)]
        counts = data.starts + pace.every * (rows - data.firsts[:-1])
        times: Any = counts.astype(f"datetime64[{pace.unit}]") if pace.dated else counts
        return Truth(times, np.where(inside[:, None, :], values, np.nan))

    def forecasts(self, trained: TrainedModel, origins: Sequence[int]) -> Found:
        assert isinstance(trained, TrainedManyForecaster)
        apart = all(a - b >= self.horizon for a, b in pairwise(origins))
        # Intervals may follow a window that has come, and not one that shares a step with it.
        groups = [origins] if apart else [[origin] for origin in origins]
        each = [self._told(trained, some) for some in groups]
        low, middle, high = (np.concatenate(values) for values in zip(*each, strict=True))
        if self._task.config.forecast.distribution == "none":
            return Found(middle)
        return Found(middle, low, high)

    def _told(self, trained: TrainedManyForecaster, origins: Sequence[int]) -> list[Array]:
        windows, inside = self._windows(origins)
        found = trained.forecasts_from(self._data, windows, self._task.held)
        return [self._spread(values, inside) for values in found]

    def baselines(self, origins: Sequence[int]) -> dict[str, Found]:
        windows, inside = self._windows(origins)
        found = self._task.baseline_forecasts(windows)
        if found.partial:
            named = ", ".join(map(scores.baseline, found.partial))
            left = f"{named}: left out, as {len(windows):,} windows would take minutes"
            self.notes = (*self.notes, left)
        return {
            name: Found(self._spread(values, inside))
            for name, values in found.forecasts.items()
            if name not in found.partial
        }

    def _starts(self, origins: Sequence[int]) -> tuple[Rows, NDArray[np.bool_]]:
        """First rows of windows (W, S), and which of them there are."""
        data = self._data
        start = data.ends - np.array(origins)[:, None]
        inside = (start - data.firsts[:-1] >= _FEWEST) & (start + self.horizon <= data.ends)
        return start, inside & self._judged

    def _windows(self, origins: Sequence[int]) -> tuple[Windows, NDArray[np.bool_]]:
        start, inside = self._starts(origins)
        series = np.broadcast_to(np.arange(len(self._data)), start.shape)[inside]
        first = start[inside]
        return Windows(*map(torch.from_numpy, (series, first, first + self.horizon))), inside

    def _spread(self, values: Array, inside: NDArray[np.bool_]) -> Array:
        """Forecasts (n, K) as (W, K, S), NaN where there is none."""
        count, series = inside.shape
        found = np.full((count, series, self.horizon), np.nan)
        found[inside] = values
        return found.swapaxes(1, 2)
