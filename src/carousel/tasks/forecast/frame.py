"""A series as a forecasting network reads it, and forecasts of its windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import Config
from carousel.config.columns import names_in
from carousel.data.coded import codes_in
from carousel.data.files.table_series import known_numbers
from carousel.data.regular import Series
from carousel.data.scaling import FeatureScaler
from carousel.data.series import Windows, calendar
from carousel.errors import ConfigError
from carousel.tasks.forecast.output import Output
from carousel.tasks.shared.network import evaluating

EVALUATION_BATCH = 512


class Frame:
    """A series as a network reads it: scaled, with the calendar, its targets first in order.

    targets: numbers of the target columns. The level of a window is its last row. truth: as the
    loss sees it, NaN where nothing was measured. numbers_known: of the calendar, which a
    trained network reads; 0: what the time stamps tell.
    """

    def __init__(
        self,
        series: Series,
        scaler: FeatureScaler,
        config: Config,
        sigmoid: bool,
        numbers_known: int = 0,
    ) -> None:
        self.config, self.sigmoid, self.scaler = config, sigmoid, scaler
        self.targets = target_numbers(series.columns, targets_of(config))
        raw = torch.from_numpy(series.values)
        self.scaled = scaler(raw)
        truth = raw.float() if sigmoid else self.scaled
        if series.missing is not None:
            truth = truth.masked_fill(torch.from_numpy(series.missing), torch.nan)
        self.truth = truth[:, self.targets]
        self.known = self._known_of(series, numbers_known)

    def _known_of(self, series: Series, numbers: int) -> Tensor:
        """Values known of each step (T + K, C): the calendar, and columns that are known for the
        steps to come, NaN where they are not."""
        steps = self.config.forecast.horizon
        places = known_numbers(series.columns, self.config.columns)
        parts = [torch.empty(len(series) + steps, 0)]
        if self.config.forecast.calendar:
            turns = max(0, numbers - len(places)) // 2
            parts.append(torch.from_numpy(calendar(series.stamps, steps, turns)))
        if places:
            coming = torch.full((steps, len(places)), torch.nan)
            if series.future is not None and len(series.future):
                some = torch.from_numpy(series.future[:steps, places])
                scaler = FeatureScaler(self.scaler.mean[places], self.scaler.std[places])
                coming[: len(some)] = scaler(some)
            parts.append(torch.cat((self.scaled[:, places], coming)))
        return torch.cat(parts, 1)

    def batch(self, windows: Windows, index: Tensor) -> tuple[Tensor, ...]:
        """x, what is known before and after, the level, and the truth, of some windows."""
        _, truth = windows.gather(self.truth, index)
        return (*self.inputs(windows, index), truth)

    def inputs(self, windows: Windows, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inputs of windows without the truth, which may not have come yet."""
        x = windows.contexts(self.scaled, index)
        before, after = windows.gather(self.known, index)
        x, level = self.leveled(x)
        return x, before, after, level

    def leveled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Windows (B, T, F) whose targets start from their last value, and that value."""
        level = x[:, -1:, self.targets]
        if self.sigmoid or not self.config.forecast.relative:
            return x, torch.zeros_like(level)
        x = x.clone()
        x[:, :, self.targets] -= level
        return x, level

    def restore(self, values: Tensor) -> NDArray[np.float64]:
        """Forecasts (…, C) on the series' own scale."""
        if self.sigmoid:
            return values.double().numpy()
        mean, std = self.scaler.mean[self.targets], self.scaler.std[self.targets]
        result: NDArray[np.float64] = (values.double() * std + mean).numpy()
        return result


def targets_of(config: Config) -> str:
    """The names of what is to be forecast, with commas between; empty for all columns."""
    return config.forecast.targets or config.columns.target


def target_numbers(columns: Sequence[str], names: str) -> list[int]:
    """The numbers of the target columns. Raises `ConfigError` for a name that is not there."""
    wanted = names_in(names)
    for name in wanted:
        if name not in columns:
            raise ConfigError(f"forecast.targets: there is no column '{name}' in {columns}")
    codes = codes_in(columns)
    found = [columns.index(name) for name in wanted]
    if lost := [columns[place] for place in found if place in codes]:
        raise ConfigError(f"'{lost[0]}' is a category, and a forecast is of numbers")
    return found or [place for place in range(len(columns)) if place not in codes]


def levels_of(
    columns: Sequence[str], config: Config, known: int
) -> tuple[dict[int, int], dict[int, int]]:
    """Numbers of levels of columns of codes, by their places in a row of the series, and in the
    `known` numbers that are known beforehand."""
    codes, places = codes_in(columns), known_numbers(columns, config.columns)
    first = known - len(places)
    return codes, {first + i: codes[place] for i, place in enumerate(places) if place in codes}


def forecasts(
    model: nn.Module, frame: Frame, windows: Windows, output: Output
) -> NDArray[np.float64]:
    """(low, forecast, high) of every window on the series' own scale, (3, N, K, C)."""
    parts = []
    with evaluating(model) as device:
        for index in torch.split(torch.arange(len(windows)), EVALUATION_BATCH):
            x, before, after, level = frame.inputs(windows, index)
            raw = model(x.to(device), before.to(device), after.to(device))
            parts.append(output.forecast(raw, level.to(device)).cpu())
    return frame.restore(torch.cat(parts, 1))
