"""Windows of one series for `carousel.backtest`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from carousel.data.series import Windows
from carousel.errors import DataError
from carousel.tasks.forecast.trained import TrainedForecaster
from carousel.tasks.shared.origins import Found, Origins, Scale, Truth
from carousel.tasks.shared.task import TrainedModel

if TYPE_CHECKING:
    from carousel.tasks.forecast.task import ForecastTask


class SeriesOrigins(Origins):
    """Windows of one series: what is forecast are its target columns."""

    def __init__(self, task: ForecastTask) -> None:
        self._task, self._data = task, task.series
        self.series = tuple(self._data.columns[i] for i in task.frame.targets)
        self.horizon = task.config.forecast.horizon
        self.notes = self._data.notes

    @property
    def unseen(self) -> int:
        rows = self._task.parts
        judged = rows.get("test") or range(rows["validation"].stop, len(self._data))
        return len(self._data) - judged.start

    @property
    def scale(self) -> Scale:
        return Scale(self._task.yardstick.std, self._task.yardstick.naive)

    def truth(self, origins: Sequence[int]) -> Truth:
        steps = self._windows(origins).starts.numpy()[:, None] + np.arange(self.horizon)
        values = self._data.truth[:, self._task.frame.targets]
        return Truth(self._data.stamps[steps], values[steps])

    def forecasts(self, trained: TrainedModel, origins: Sequence[int]) -> Found:
        assert isinstance(trained, TrainedForecaster)
        starts = self._windows(origins).starts.tolist()
        low, middle, high = trained.forecasts_from(trained.kind.fit(self._data), starts)
        if self._task.config.forecast.distribution == "none":
            return Found(middle)
        return Found(middle, low, high)

    def baselines(self, origins: Sequence[int]) -> dict[str, Found]:
        found = self._task.baseline_forecasts(self._windows(origins))
        self.notes = (*self.notes, *found.left_out)
        return {name: Found(values) for name, values in found.forecasts.items()}

    def _windows(self, origins: Sequence[int]) -> Windows:
        """Windows from these origins. Raises `DataError` for one that the series has not."""
        settings, count = self._task.config.forecast, len(self._data)
        starts = torch.tensor([count - origin for origin in origins])
        for origin in origins:
            if origin < self.horizon or count - origin < settings.context:
                raise DataError(
                    f"an origin {origin} steps before the end of a series of {count} needs "
                    f"forecast.context = {settings.context} steps before it and forecast.horizon "
                    f"= {self.horizon} from it on"
                )
        windows = Windows(range(count), settings.context, settings.horizon)
        return windows.take(starts)
