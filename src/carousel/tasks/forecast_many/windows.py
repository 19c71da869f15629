"""Windows of many series: which there are, how an epoch draws them, what a network reads of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import Config
from carousel.config.columns import names_in
from carousel.data.coded import codes_in
from carousel.data.files.table_steps import sources_of
from carousel.data.many_series import ManySeries, ManySeriesParts
from carousel.data.order import generator_of
from carousel.data.scaling import FeatureScaler
from carousel.errors import DataError
from carousel.runtime.calendar import waves
from carousel.tasks.forecast_many.network import smoothed_seasons
from carousel.tasks.forecast_many.scaling import Scale, scale_of, transformed
from carousel.tasks.shared.counts import COUNTS, require_counts

Rows = NDArray[np.int64]
_IN_ALL = 16_000
_TURNS = {"Y": 1, "M": 1, "W": 2, "D": 2}


@dataclass(frozen=True)
class Origins:
    """Windows (n,): the number of its series, the row of the first step that is forecast, and the
    row behind the last that may be looked at."""

    series: Tensor
    start: Tensor
    stop: Tensor

    def __len__(self) -> int:
        return len(self.series)

    def take(self, index: Tensor) -> Origins:
        """Some of the windows, by their numbers."""
        return Origins(self.series[index], self.start[index], self.stop[index])

    @classmethod
    def judging(cls, parts: ManySeriesParts, part: str) -> Origins:
        """Windows of a part that share no step, the last of each series at its end."""
        first, stop = parts.rows[part]
        counts = (stop - first) // parts.horizon
        series = np.repeat(np.arange(len(counts)), counts)
        number = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
        start = stop[series] - parts.horizon * (counts[series] - number)
        return cls(*map(torch.from_numpy, (series, start, start + parts.horizon)))

    def measured(self, frame: Frame, part: str) -> Origins:
        """Self, if anything that was measured lies in them. Raises `DataError` if not."""
        if not len(self):
            raise DataError(f"the {part} part has no window to judge")
        if frame.truth(self).isnan().all():
            raise DataError(
                f"no window of the {part} part, {len(self):,} of {frame.config.forecast.horizon} "
                "steps at the end of series, has a measured value of the target: cut off rows that "
                "have none there, or let the part be larger"
            )
        return self

    @classmethod
    def after(cls, series: ManySeries) -> Origins:
        """The window behind the last step that has come of each series."""
        ends = torch.from_numpy(series.ends)
        return cls(torch.arange(len(series)), ends, ends)


class Drawing:
    """Draws of training windows: in an epoch each series gives `each` of them, or all where it has
    fewer, so that short series are not repeated and long ones drown none.

    A series of n windows is cut into as many stretches of equal length as it gives windows, of
    which each gives one at random. The first step to forecast has two rows before it at least. A
    series that counts nothing (`columns.weight`) gives none.
    """

    def __init__(self, parts: ManySeriesParts, config: Config) -> None:
        first, stop = parts.rows["train"]
        self._begin = first + np.minimum(2, stop - first)
        last = np.maximum(stop - parts.horizon, np.minimum(self._begin, stop - 1))
        self._count, self._stop = np.maximum(0, last - self._begin + 1), stop
        if parts.series.weights is not None:
            self._count[parts.series.weights == 0] = 0
        each = config.many.windows or max(1, _IN_ALL // max(1, int((self._count > 0).sum())))
        self.each = np.minimum(each, self._count)

    @property
    def total(self) -> int:
        """Windows of an epoch."""
        return int(self.each.sum())

    @property
    def all(self) -> int:
        """Windows that there are."""
        return int(self._count.sum())

    def epoch(self, seed: int, epoch: int) -> Origins:
        """Windows of an epoch in the order in which they are learnt from; that and the draw depend
        on (seed, epoch) alone."""
        generator = generator_of(seed, epoch)
        chance = torch.rand(self.total, generator=generator, dtype=torch.float64).numpy()
        series = np.repeat(np.arange(len(self.each)), self.each)
        number = np.arange(self.total) - np.repeat(self.each.cumsum() - self.each, self.each)
        place = (number + chance) * self._count[series] / self.each[series]
        place = np.minimum(place.astype(np.int64), self._count[series] - 1)
        order = torch.randperm(self.total, generator=generator)
        start = self._begin[series] + place
        found = Origins(*map(torch.from_numpy, (series, start, self._stop[series])))
        return found.take(order)


class Read(NamedTuple):
    """Inputs that a network reads of windows.

    x (B, T, F): the target on the scale of its window, 1 where it was measured, the other columns,
    what is known of each step. after (B, K, C): what is known of the steps to come. static (B, G).
    scale: of each window. With `many.smoothing` static has, at its end, what that needs.
    """

    x: Tensor
    after: Tensor
    static: Tensor
    scale: Scale


class Frame:
    """Many series as a network reads them: windows on one scale, other columns scaled alike."""

    def __init__(
        self, series: ManySeries, scalers: tuple[FeatureScaler, FeatureScaler], config: Config
    ) -> None:
        """scalers: of the columns behind the target, and of those of one value for each series."""
        self.series, self.config = series, config
        values = torch.from_numpy(series.values)
        self._raw = values[:, 0]
        self._coming = torch.from_numpy(_coming(series))
        plain = self._raw.where(~self._coming, 1.0)
        if config.forecast.distribution == COUNTS:
            require_counts(series.truth, f"the target '{series.columns[0]}'")
        self._target = transformed(plain, config.many.transform, "the target")
        self._measured = torch.from_numpy(~series.missing) & ~self._coming
        self.known = known_places(series.columns, config)
        self._columns = _scaled(scalers[0], values[:, 1:])
        # What a series lacks is the mean, which is 0.
        self._static = _scaled(scalers[1], torch.from_numpy(series.static)).nan_to_num()
        if config.many.embed:
            codes = torch.arange(1, len(series) + 1, dtype=torch.float32)
            self._static = torch.cat((self._static, codes.unsqueeze(1)), 1)
        self._firsts, self._lasts = (
            torch.from_numpy(series.firsts[a:b]) for a, b in ((0, -1), (1, None))
        )
        self._turns = turns_of(series, config)
        self._codes = torch.arange(1, len(series) + 1)

    def recoded(self, codes: Tensor) -> None:
        """Set the numbers (S,) of the series as training knows them; 0: not at all."""
        self._codes = codes
        if self.config.many.embed:
            self._static[:, -1] = codes.float()

    def read(self, windows: Origins) -> Read:
        """Inputs of windows; what is known of steps beyond the last row is NaN."""
        settings, start = self.config.forecast, windows.start.unsqueeze(1)
        rows, inside = self._rows(windows)
        values, measured = self._target[rows], self._measured[rows] & inside
        scale = scale_of(values, measured, self.config)
        x = [scale(values).unsqueeze(2), measured.float().unsqueeze(2), self._columns[rows]]
        ahead = start + torch.arange(settings.horizon)
        last = self._lasts[windows.series].unsqueeze(1)
        after = self._columns[ahead.minimum(last - 1)][:, :, self.known]
        after = after.masked_fill((ahead >= last).unsqueeze(2), torch.nan)
        if self._turns:
            steps = torch.arange(-settings.context, settings.horizon)
            waving = self._calendar(windows, steps, self._turns)
            x.append(waving[:, : settings.context])
            after = torch.cat((waving[:, settings.context :], after), 2)
        static = self._static[windows.series]
        if self.config.many.smoothing != "none":
            static = torch.cat((static, self._smoothed_by(windows, scale)), 1)
        return Read(torch.cat(x, 2), after, static, scale)

    def _smoothed_by(self, windows: Origins, scale: Scale) -> Tensor:
        """Facts (B, 2 + seasons) that a smoothing needs: the spread, the place of the first step to
        come in each season by the time since the calendar's, or the count's, zero, and the number
        of the series."""
        pace, of = self.series.pace, windows.series
        begun = torch.from_numpy(self.series.starts[of.numpy()] // pace.every)
        place = begun + windows.start - self._firsts[of]
        seasons = [place.remainder(season).float() for season in smoothed_seasons(self.config)]
        return torch.stack((scale.spread[:, 0].float(), *seasons, self._codes[of].float()), 1)

    def truth(self, windows: Origins) -> Tensor:
        """Truth that came (B, K), float64, NaN where nothing was measured, or may be looked at."""
        rows = windows.start.unsqueeze(1) + torch.arange(self.config.forecast.horizon)
        seen = rows < windows.stop.unsqueeze(1)
        rows = rows.minimum(windows.stop.unsqueeze(1) - 1)
        return self._raw[rows].masked_fill(~(seen & self._measured[rows]), torch.nan)

    def forward(self, values: Tensor) -> Tensor:
        """Values as the scale of a window takes them: transformed; NaN stays."""
        empty = values.isnan()
        plain = values.masked_fill(empty, 1.0)
        return transformed(plain, self.config.many.transform, "the target").masked_fill(
            empty, torch.nan
        )

    def contexts(self, windows: Origins) -> Tensor:
        """Values before each window as they were, (B, T), float64: a zero is one."""
        return self._raw[self._rows(windows)[0]]

    def _rows(self, windows: Origins) -> tuple[Tensor, Tensor]:
        """Rows (B, T) before each window, and which of them the series has: before it began it is
        taken to have repeated its first season."""
        settings = self.config.forecast
        start, first = windows.start.unsqueeze(1), self._firsts[windows.series].unsqueeze(1)
        rows = start + torch.arange(-settings.context, 0)
        inside = rows >= first
        period = torch.minimum(start - first, torch.tensor(settings.season))
        return torch.where(inside, rows, first + (rows - first).remainder(period)), inside

    def coming(self, windows: Origins) -> Tensor:
        """Waves of the calendar at the steps to come (B, K, 2 W), whether or not a network reads
        them; W = 0 where steps are mere counts."""
        steps, pace = torch.arange(self.config.forecast.horizon), self.series.pace
        if not pace.dated:
            return torch.zeros(len(windows), len(steps), 0)
        return self._calendar(windows, steps, waves_in(pace.unit))

    def _calendar(self, windows: Origins, steps: Tensor, turns: int) -> Tensor:
        pace, numbers = self.series.pace, windows.series.numpy()
        place = (windows.start - self._firsts[windows.series]).numpy()
        counts = self.series.starts[numbers] + pace.every * place
        every = counts[:, None] + pace.every * steps.numpy()
        stamps = every.astype(f"datetime64[{pace.unit}]")
        stamps = stamps.astype("datetime64[D]") if pace.unit in ("Y", "M", "W") else stamps
        return torch.from_numpy(waves(stamps, turns))


def turns_of(series: ManySeries, config: Config) -> int:
    """Waves of the calendar that are read, 0 without one."""
    if not (config.forecast.calendar and series.pace.dated):
        return 0
    return waves_in(series.pace.unit)


def waves_in(unit: str) -> int:
    """Waves of the calendar that steps of a unit tell apart: of the year, the week, the day."""
    return _TURNS.get(unit, 3)


def known_places(columns: tuple[str, ...], config: Config) -> list[int]:
    """Places, among the columns behind the target, of those known for the steps to come."""
    known = {*names_in(config.columns.known)}
    return [i for i, name in enumerate(columns[1:]) if sources_of([name], config.columns) & known]


def fit_scalers(parts: ManySeriesParts) -> tuple[FeatureScaler, FeatureScaler]:
    """Scalers of the columns behind the target, by the rows that are trained on, and of the
    columns of one value for each series."""
    series, (first, stop) = parts.series, parts.rows["train"]
    inside = np.zeros(len(series.values) + 1, np.int64)
    np.add.at(inside, first, 1)
    np.add.at(inside, stop, -1)
    rows = torch.from_numpy(series.values[inside[:-1].cumsum() > 0][:, 1:])
    return (
        _fitted(rows, codes_in(series.columns[1:])),
        _fitted(torch.from_numpy(series.static), codes_in(series.static_columns)),
    )


def _fitted(values: Tensor, codes: Mapping[int, int]) -> FeatureScaler:
    if not values.size(1):  # nothing beside the target
        return FeatureScaler(torch.empty(0), torch.empty(0))
    measured = ~values.isnan()
    return FeatureScaler.fit(values.nan_to_num(), measured | ~measured.any(0), codes)


def _scaled(scaler: FeatureScaler, values: Tensor) -> Tensor:
    """Values on the scale of training; NaN stays."""
    empty = values.isnan()
    return scaler(values.masked_fill(empty, 0.0)).masked_fill(empty, torch.nan)


def _coming(series: ManySeries) -> NDArray[np.bool_]:
    """Rows of steps that have not come yet."""
    ends = np.repeat(series.ends, np.diff(series.firsts))
    found: NDArray[np.bool_] = np.arange(len(series.values)) >= ends
    return found
