"""A trained forecaster: how it reads a series, and what it says of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.coded import columns_of, facts_of
from carousel.data.files.recordings import TABLES
from carousel.data.files.table_series import known_numbers
from carousel.data.files.table_series import series_of as table_series
from carousel.data.regular import Series, filled_in_series
from carousel.data.scaling import FeatureScaler
from carousel.data.series import Windows, account
from carousel.data.series_parts import SeriesParts
from carousel.errors import DataError
from carousel.tasks.forecast.frame import (
    EVALUATION_BATCH,
    Frame,
    forecasts,
    levels_of,
    target_numbers,
    targets_of,
)
from carousel.tasks.forecast.input import Kind, series_of
from carousel.tasks.forecast.network import Forecaster
from carousel.tasks.forecast.output import SHARE, Output
from carousel.tasks.forecast.report import of_windows, shown, window_of
from carousel.tasks.forecast.scores import Yardstick
from carousel.tasks.shared import plots
from carousel.tasks.shared.answers import ForecastAnswer
from carousel.tasks.shared.counts import COUNTS, require_counts
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.following import followed
from carousel.tasks.shared.network import evaluating
from carousel.tasks.shared.own_table import reads_tables, table_in
from carousel.tasks.shared.task import Given, Notice, Shown, TrainedModel

_FOLLOWED = 500  # windows of a series, before its last one, whose truth the last intervals follow


class TrainedForecaster(TrainedModel):
    """A trained forecaster with its columns, the scaler of its inputs and its season's yardstick.

    >>> model = carousel.load("runs/forecast-sunspots-20261124-090000")   # doctest: +SKIP
    >>> low, middle, high = model.forecast(series, 24)  # (24, targets)    # doctest: +SKIP
    """

    averages = True

    def __init__(
        self,
        model: nn.Module,
        config: Config,
        columns: tuple[str, ...],
        scaler: FeatureScaler,
        output: Output,
        known: int,
        step: tuple[int, str] | None = None,
    ) -> None:
        """known: numbers of the calendar. step: of the series it was trained on (`step_of`)."""
        super().__init__(model, config)
        self.columns, self.scaler, self.output, self.known = columns, scaler, output, known
        self.kind = Kind(columns, step)
        self.targets = target_numbers(columns, targets_of(config))

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedForecaster:
        columns, known = columns_of(facts), facts["known"]
        stretch = facts.get("stretch") and torch.tensor(facts["stretch"])
        targets = target_numbers(columns, targets_of(config))
        levels = levels_of(columns, config, known)
        model = Forecaster(len(columns), known, targets, config, levels)
        scaler = FeatureScaler.restore(facts["scaler"])
        scale = scaler.mean[targets], scaler.std[targets]
        output = Output(facts["sigmoid"], config.forecast.distribution, stretch, unit=scale)
        count, unit = facts.get("step") or (0, "")  # models from before it was kept lack it
        return cls(model, config, columns, scaler, output, known, (count, unit) if unit else None)

    def averaged(self, outputs: Tensor) -> Tensor:
        return self.output.averaged(outputs)

    def facts(self) -> dict[str, Any]:
        return {
            **facts_of(self.columns),
            "step": self.kind.step and list(self.kind.step),
            "known": self.known,
            "sigmoid": self.output.sigmoid,
            "stretch": None if self.output.stretch is None else self.output.stretch.tolist(),
            "scaler": self.scaler.facts(),
        }

    # ---- answering

    def encode(self, inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The last windows (n, T, F) of series, and what is known of their steps (n, T, C) and of
        those to come (n, K, C)."""
        read = [self._last(self._series(one))[0] for one in _list(inputs)]
        x, before, after = (torch.cat(parts) for parts in zip(*read, strict=True))
        return x, before, after

    def example_inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """A window of zeros."""
        settings = self.config.forecast
        return (
            torch.zeros(1, settings.context, len(self.columns)),
            torch.zeros(1, settings.context, self.known),
            torch.zeros(1, settings.horizon, self.known),
        )

    def decode(self, outputs: Tensor, series: Sequence[Series]) -> list[ForecastAnswer]:
        """Answers of the network's outputs (n, K, targets, P) for series that end there; intervals
        as the network says them: with `forecast.follow` those of `predict` have followed what came
        before."""
        answers = []
        for each, raw in zip(map(self._fit, series), outputs, strict=True):
            _, level, frame = self._last(each)
            answers.append(self._answer(each, self._restored(raw.unsqueeze(0), level, frame)))
        return answers

    def predict(self, inputs: Any, *, length: int = 0) -> list[ForecastAnswer]:
        """The steps after the last row of series, or of one: a `Series`, the path of a .csv file,
        or a data frame of pandas or polars.

        length: how many steps, `forecast.horizon` if 0; see `forecast` for more than those.
        Raises `DataError` if a series does not fit.
        """
        fitted = [self._series(one) for one in _list(inputs)]
        return [self._answer(series, self.forecast(series, length)) for series in fitted]

    def forecast(self, series: Series | str | Path | Any, steps: int = 0) -> NDArray[np.float64]:
        """(low, forecast, high), each (steps, targets), of the steps after the last row.

        series: a `Series`, the path of a .csv file, or a data frame of pandas or polars. steps:
        `forecast.horizon` if 0. Beyond the horizon the network reads its own forecasts
        (recursive); columns that are no targets stay as they were last, and there is no interval
        any more: low and high are NaN. Raises `DataError` if the series does not fit.
        """
        settings = self.config.forecast
        steps = steps or settings.horizon
        series = self._series(series)
        found: list[NDArray[np.float64]] = []
        while sum(part.shape[1] for part in found) < steps:
            part = self._next(series) if found or not settings.follow else self._latest(series)
            series = self._longer(series, part[1])
            if found:
                part[[0, 2]] = np.nan
            found.append(part)
        result: NDArray[np.float64] = np.concatenate(found, 1)[:, :steps]
        return result

    @property
    def rows_read(self) -> int:
        """Rows at the end of a series on which forecasts of the steps to come depend."""
        settings = self.config.forecast
        return settings.context + (settings.horizon + _FOLLOWED if settings.follow else 0)

    def rolling(self, series: Any, every: int = 1) -> Iterator[tuple[str, ForecastAnswer]]:
        """The forecast from every row that has enough rows before it, with the time of that row;
        `measured` has what came, as far as the series goes.

        series: as for `forecast`. every: rows from one forecast to the next. Raises `DataError` if
        the series does not fit.
        """
        series, settings = self._series(series), self.config.forecast
        frame, horizon = self.frame_of(series), settings.horizon
        step = series.stamps[-1] - series.stamps[-2]
        after = series.stamps[-1] + np.arange(1, horizon + 1) * step
        stamps = [*map(str, series.stamps), *map(str, after)]
        names = [self.columns[i] for i in self.targets]
        truth = self._truth(series)
        # A window may begin behind the last row: nothing of it has come yet.
        stop = len(series) + horizon
        if known_numbers(self.columns, self.config.columns):  # as far as they are known
            stop = len(series) + min(horizon, 0 if series.future is None else len(series.future))
        windows = Windows(range(settings.context, stop), settings.context, horizon)
        windows = windows.take(torch.arange(0, len(windows), every))
        # Intervals that follow what comes need all windows in their order.
        most = len(windows) if settings.follow else EVALUATION_BATCH
        for some in torch.split(torch.arange(len(windows)), max(1, most)):
            chosen = windows.take(some)
            found = self._forecasts(frame, chosen, truth)
            for number, start in enumerate(chosen.starts.tolist()):
                inside = slice(start, start + horizon)
                known = {
                    name: tuple(None if math.isnan(v) else v for v in truth[inside, i].tolist())
                    for i, name in enumerate(names)
                }
                told = self._told(stamps[inside], found[:, number])
                yield stamps[start - 1], replace(told, measured=known)

    def _answer(self, series: Series, found: NDArray[np.float64]) -> ForecastAnswer:
        stamps = self._longer(series, found[1]).stamps[len(series) :]
        return self._told([*map(str, stamps)], found)

    def _told(self, times: Sequence[str], found: NDArray[np.float64]) -> ForecastAnswer:
        low, guess, high = found
        names = [self.columns[i] for i in self.targets]
        intervals = None
        if self.config.forecast.distribution != "none":
            intervals = {
                name: tuple(
                    None if math.isnan(a) else (a, b)
                    for a, b in zip(low[:, i].tolist(), high[:, i].tolist(), strict=True)
                )
                for i, name in enumerate(names)
            }
        values = {name: tuple(guess[:, i].tolist()) for i, name in enumerate(names)}
        return ForecastAnswer(tuple(times), values, intervals)

    @property
    def kinds(self) -> tuple[str, ...]:
        return () if reads_tables(self.config) else TABLES

    @property
    def wants(self) -> str:
        return "name the series to go on from: a .csv file with its columns"

    def read(self, path: Path) -> Given:
        """The series in a .csv file."""
        series = self._series(path)
        notes = [*series.notes]
        if series.filled:
            notes.append(filled_in_series(series.filled))
        if self.kind.step is None:
            notes.append(
                "this model does not know the step of time it was trained on: not compared"
            )
        return Given([series], notes=tuple(map(Notice, notes)), noun="series", alone=True)

    def _series(self, given: Any) -> Series:
        """A series from what one has, with the columns and the step of training."""
        table = isinstance(given, str | Path) or hasattr(given, "columns")
        if reads_tables(self.config) and table and not isinstance(given, Series):
            return self._fit(table_series(table_in(given), self.config, self.columns))
        return self._fit(series_of(given))

    def _fit(self, series: Series) -> Series:
        series, context = self.kind.fit(series), self.config.forecast.context
        if len(series) < max(2, context):
            raise DataError(f"the series has {len(series)} rows, the network reads {context}")
        return series

    def frame_of(self, series: Series) -> Frame:
        """A series with the columns and the step of training, as the network reads it."""
        if self.config.forecast.distribution == COUNTS:
            names = [self.columns[i] for i in self.targets]
            require_counts(series.truth[:, self.targets].ravel(), f"the target {', '.join(names)}")
        return Frame(series, self.scaler, self.config, self.output.sigmoid, self.known)

    def _next(self, series: Series) -> NDArray[np.float64]:
        read, level, frame = self._last(series)
        with evaluating(self.model) as device:
            raw = self.model(*(part.to(device) for part in read)).cpu()
        return self._restored(raw, level, frame)

    def _latest(self, series: Series) -> NDArray[np.float64]:
        """(low, forecast, high), (3, K, C), after the last row, whose intervals have followed the
        last windows of the series before it."""
        self._last(series)  # refuses a series that lacks what is to be known of the steps to come
        return self.forecasts_from(series, [len(series)])[:, 0]

    def forecasts_from(self, series: Series, starts: Sequence[int]) -> NDArray[np.float64]:
        """(low, forecast, high), (3, N, K, C), of the steps from some rows on, as `forecast` says
        them of the series that ends before each."""
        settings, frame, truth = self.config.forecast, self.frame_of(series), self._truth(series)
        followed = self.rows_read - settings.context
        found = []
        for start in starts:
            rows = range(max(settings.context, start - followed), start + settings.horizon)
            windows = Windows(rows, settings.context, settings.horizon)
            found.append(self._forecasts(frame, windows, truth)[:, -1])
        return np.stack(found, 1)

    def _truth(self, series: Series) -> NDArray[np.float64]:
        """Values measured of the targets, and NaN for the steps to come, (T + K, C)."""
        ahead = ((0, self.config.forecast.horizon), (0, 0))
        return np.pad(series.truth[:, self.targets], ahead, constant_values=np.nan)

    def _forecasts(
        self, frame: Frame, windows: Windows, truth: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(low, forecast, high) of windows in order of time, (3, N, K, C); truth (T, C): what has
        come, which intervals follow."""
        found = forecasts(self.model, frame, windows, self.output)
        rate = self.config.forecast.follow
        if not rate:
            return self.output.told(found)
        _, after = windows.gather(torch.from_numpy(truth), torch.arange(len(windows)))
        found = followed(after.numpy(), found, windows.starts.numpy(), rate, SHARE)
        return self.output.told(found)

    def _last(self, series: Series) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor, Frame]:
        """Input of the network from the end of a series, the level, and the frame to read it by."""
        settings, end = self.config.forecast, len(series)
        frame = self.frame_of(series)
        x, level = frame.leveled(frame.scaled[-settings.context :].unsqueeze(0))
        before = frame.known[end - settings.context : end].unsqueeze(0)
        after = frame.known[end : end + settings.horizon].unsqueeze(0)
        if after.isnan().any():
            count = 0 if series.future is None else len(series.future)
            raise DataError(
                f"columns.known = '{self.config.columns.known}': the table must end with rows for "
                f"the {settings.horizon} steps to come that have these columns and no target; it "
                f"has {count} of them"
            )
        return (x, before, after), level, frame

    def _restored(self, raw: Tensor, level: Tensor, frame: Frame) -> NDArray[np.float64]:
        """(low, forecast, high), (3, K, C), of the network's outputs (1, K, C, P)."""
        return self.output.told(frame.restore(self.output.forecast(raw.detach(), level)[:, 0]))

    def _longer(self, series: Series, values: NDArray[np.float64]) -> Series:
        rows = np.repeat(series.values[-1:], len(values), axis=0)
        future = series.future
        if future is not None and len(places := known_numbers(self.columns, self.config.columns)):
            count = min(len(values), len(future))
            rows[:count, places] = future[:count, places]
        rows[:, self.targets] = values
        step = series.stamps[-1] - series.stamps[-2]
        stamps = series.stamps[-1] + np.arange(1, len(values) + 1) * step
        return Series(
            series.columns,
            np.concatenate((series.stamps, stamps)),
            np.concatenate((series.values, rows)),
            future=None if future is None else future[len(values) :],
        )

    # ---- judging

    def _series_parts(self, part: str) -> SeriesParts:
        data = self.data(SeriesParts)
        return self.as_trained(replace(data, series=self._fit(data.series)), part)

    def _judge(self, part: str) -> dict[str, Any]:
        settings = self.config.forecast
        data = self._series_parts(part)
        series, parts = data.series, data.rows
        values = series.truth[:, self.targets]
        yardstick = Yardstick.fit(values[: parts["train"].stop], settings.season)
        report = self._report(series, parts[part], yardstick, f"the {part} part")
        undefined = yardstick.without_mase([self.columns[i] for i in self.targets])
        return {**report, "mase_undefined": undefined, **account(series, parts)}

    def _judge_new(self, path: Path) -> dict[str, Any]:
        series, first = self._series(path), self.config.forecast.context
        std = self.scaler.std[self.targets].double().numpy()
        # What the seasonal naive forecast missed by in training is not kept: there is no MASE.
        yardstick = Yardstick(std, np.zeros_like(std))
        report = self._report(series, range(first, len(series)), yardstick, str(path))
        notes = [*series.notes, "no MASE: it is measured by the series of training"]
        filled = {"missing_values_filled": series.filled, "mase_undefined": []}
        return {**report, "rows": len(series), **filled, "notes": notes}

    def _report(
        self, series: Series, rows: range, yardstick: Yardstick, source: str
    ) -> dict[str, Any]:
        settings, values = self.config.forecast, series.truth[:, self.targets]
        windows = Windows(rows, settings.context, settings.horizon, values)
        if not len(windows):
            raise DataError(f"{source} has no measured value of what is to be forecast")
        found = self._forecasts(self.frame_of(series), windows, values)
        return of_windows(series, self.targets, windows, found, yardstick, settings.distribution)

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        return shown(report)

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        picture = folder / f"forecasts{suffix}.png"
        name = self.columns[self.targets[0]]
        plots.draw_forecasts(report["examples"], self.config.forecast.context, name, picture)
        return [picture]

    def example(self, source: str | Given, number: int) -> Example:
        settings = self.config.forecast
        if isinstance(source, Given):
            series, origin = source.inputs[0], "your own series"
            self._last(series)  # refuses one that lacks what is to be known of the steps to come
            starts = [len(series)]
        else:
            data = self._series_parts(source)
            series, origin = data.series, f"the {source} part"
            rows_ = data.rows[source]
            starts = Windows(rows_, settings.context, settings.horizon).starts.tolist()
        start = starts[check_number(number, len(starts), "windows")]
        return window_of(self, series, start, f"window {number} of {origin}")


def _list(inputs: Any) -> list[Any]:
    return list(inputs) if isinstance(inputs, list | tuple) else [inputs]
