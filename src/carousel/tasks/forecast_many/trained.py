"""A trained forecaster of many series: how it reads a table of them, and what it says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.coded import codes_in, columns_of, facts_of, recoded
from carousel.data.counting import counted
from carousel.data.files.table_many import many_series_of, warn_of_lost
from carousel.data.files.text import read_text
from carousel.data.many_series import ManySeries, ManySeriesParts, account
from carousel.data.pace import Pace
from carousel.data.regular import filled_in_series
from carousel.data.scaling import FeatureScaler
from carousel.data.sequences import step_words
from carousel.errors import DataError
from carousel.tasks.forecast_many.calibrating import following, just_before, nothing
from carousel.tasks.forecast_many.forecasts import EVALUATION_BATCH, forecasts
from carousel.tasks.forecast_many.network import ManyForecaster, smoothed_seasons
from carousel.tasks.forecast_many.output import Output
from carousel.tasks.forecast_many.report import of_test
from carousel.tasks.forecast_many.windows import Frame, Origins, known_places, turns_of
from carousel.tasks.shared import plots
from carousel.tasks.shared.answers import SeriesForecastAnswer
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.own_table import reads_tables, table_in
from carousel.tasks.shared.task import Given, Notice, Shown, Table, TrainedModel, UnansweredError


@dataclass(frozen=True)
class Shape:
    """Kind of series that a network was trained on: columns, the target first, columns of one
    value for each series, the step of time, waves of the calendar, and, where rows are learnt for
    them, the names of the series."""

    columns: tuple[str, ...]
    static: tuple[str, ...]
    pace: Pace
    turns: int
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, series: ManySeries, config: Config) -> Shape:
        names = series.names if config.many.embed or config.many.smoothing != "none" else ()
        turns = turns_of(series, config)
        return cls(series.columns, series.static_columns, series.pace, turns, names)

    @classmethod
    def restore(cls, facts: Mapping[str, Any]) -> Shape:
        """Rebuild from `facts`."""
        columns, static = columns_of(facts["moving"]), columns_of(facts["static"])
        pace = Pace(*facts["pace"])
        return cls(columns, static, pace, facts["turns"], tuple(facts["names"]))

    def facts(self) -> dict[str, Any]:
        """Everything that `restore` needs, as JSON can hold it."""
        return {
            "moving": facts_of(self.columns),
            "static": facts_of(self.static),
            "pace": [self.pace.every, self.pace.unit],
            "turns": self.turns,
            "names": [*self.names],
        }

    def network(self, config: Config) -> ManyForecaster:
        """A new network for such series."""
        known = known_places(self.columns, config)
        waves, codes = 2 * self.turns, codes_in(self.columns[1:])
        moving = {2 + place: count for place, count in codes.items()}
        ahead = {waves + i: codes[place] for i, place in enumerate(known) if place in codes}
        static = codes_in(self.static)
        count = len(self.static) + config.many.embed
        if config.many.embed:
            static[count - 1] = len(self.names)
        features = 1 + len(self.columns) + waves
        levels = (moving, ahead, static)
        series = len(self.names)
        return ManyForecaster(features, waves + len(known), count, config, levels, series)

    def fit(self, series: ManySeries) -> ManySeries:
        """The series with the codes that levels have here. Raises `DataError` for others."""
        if series.columns != self.columns or series.static_columns != self.static:
            raise DataError(
                f"the series must have the columns {', '.join((*self.columns, *self.static))}, as "
                f"in training; they have {', '.join((*series.columns, *series.static_columns))}"
            )
        if series.pace != self.pace:
            raise DataError(
                f"the network was trained on steps of {_words(self.pace)}, these series have steps "
                f"of {_words(series.pace)}: bring them to the step of training"
            )
        return replace(
            series.in_pace(self.pace),
            columns=self.columns,
            values=recoded(series.values, series.columns, self.columns),
            static_columns=self.static,
            static=recoded(series.static, series.static_columns, self.static),
        )

    def codes(self, names: Sequence[str]) -> Tensor:
        """Numbers (S,) of series as training knows them; 0: not at all."""
        number = {name: i for i, name in enumerate(self.names, 1)}
        return torch.tensor([number.get(name, 0) for name in names])


def _words(pace: Pace) -> str:
    return step_words(pace.every, pace.unit)


class TrainedManyForecaster(TrainedModel):
    """A trained forecaster of many series.

    >>> model = carousel.load("runs/forecast-m4-hourly-20261130-090000")  # doctest: +SKIP
    >>> model.predict("sales.csv")[0].values["sold"][:3]                  # doctest: +SKIP
    (12.1, 13.0, 9.8)
    """

    def __init__(
        self,
        model: nn.Module,
        config: Config,
        shape: Shape,
        scalers: tuple[FeatureScaler, FeatureScaler],
        output: Output,
    ) -> None:
        """scalers: of the columns behind the target, and of those of one value for each series."""
        super().__init__(model, config)
        self.shape, self.scalers, self.output = shape, scalers, output

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedManyForecaster:
        shape = Shape.restore(facts)
        stretch = None if facts["stretch"] is None else torch.tensor(facts["stretch"])
        moving, static = (FeatureScaler.restore(one) for one in facts["scalers"])
        output = Output.of(config, stretch)
        return cls(shape.network(config), config, shape, (moving, static), output)

    def facts(self) -> dict[str, Any]:
        stretch = self.output.stretch
        return {
            **self.shape.facts(),
            "stretch": None if stretch is None else stretch.tolist(),
            "scalers": [scaler.facts() for scaler in self.scalers],
        }

    # ---- answering

    def encode(self, inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The last window (S, T, F) of each series, what is known of the steps to come (S, K, C),
        and what is of a series as a whole (S, G)."""
        series = self._series(inputs)
        x, after, static, _ = self._frame(series).read(Origins.after(series))
        return x, after, static

    def example_inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """A window of zeros."""
        settings, known = self.config.forecast, known_places(self.shape.columns, self.config)
        waves = 2 * self.shape.turns
        return (
            torch.zeros(1, settings.context, 1 + len(self.shape.columns) + waves),
            torch.zeros(1, settings.horizon, waves + len(known)),
            self._static_of_none(),
        )

    def _static_of_none(self) -> Tensor:
        """Facts of a series as a whole, all zero, but for a spread of 1 where it is smoothed."""
        static = torch.zeros(1, len(self.shape.static) + self.config.many.embed)
        if self.config.many.smoothing == "none":
            return static
        facts = torch.zeros(1, 2 + len(smoothed_seasons(self.config)))
        facts[:, 0] = 1.0
        return torch.cat((static, facts), 1)

    def decode(self, outputs: Tensor, inputs: Any) -> list[SeriesForecastAnswer]:
        """Answers of the network's outputs (S, K, P) for series that end there; intervals as the
        network says them: with `forecast.follow` those of `predict` have followed what came
        before."""
        series = self._series(inputs)
        scale = self._frame(series).read(Origins.after(series)).scale
        return self._told(series, self.output.forecast(outputs.detach().cpu(), scale).numpy())

    def predict(self, inputs: Any) -> list[SeriesForecastAnswer]:
        """The steps after the last row of each series: `ManySeries`, the path of a table, a data
        frame with its columns, or a list of such. Raises `DataError` if they do not fit."""
        series = self._series(inputs)
        return self._told(series, self.forecasts_after(series))

    def forecasts_after(self, series: ManySeries) -> NDArray[np.float64]:
        """(low, forecast, high) of the steps after the last row of each series, (3, S, K). Raises
        `DataError` where a column that is known beforehand has no value there."""
        series = self._series(series)
        frame, windows = self._frame(series), Origins.after(series)
        self._require_known(frame, windows)
        return self._forecasts(frame, windows, just_before(series, self.config))

    def forecasts_from(
        self, series: ManySeries, windows: Origins, before: Origins
    ) -> NDArray[np.float64]:
        """(low, forecast, high), (3, n, K), of windows within series as training has them. before:
        windows that stand before those, of which no two share a step: intervals follow them."""
        return self._forecasts(self._frame(self._series(series)), windows, before)

    def _forecasts(self, frame: Frame, windows: Origins, before: Origins) -> NDArray[np.float64]:
        """(low, forecast, high) of windows (3, n, K); before: those whose truth their intervals
        follow, besides each other."""
        if not self.config.forecast.follow:
            return forecasts(self.model, frame, windows, self.output)
        return following(self.model, frame, windows, self.output, before)

    def _require_known(self, frame: Frame, windows: Origins) -> None:
        """Raise `UnansweredError` where a column that is known beforehand has no value to come."""
        if not frame.known:
            return
        lost: list[int] = []
        for some in torch.split(torch.arange(len(windows)), EVALUATION_BATCH):
            after = frame.read(windows.take(some)).after
            lost += some[after.isnan().any(2).any(1)].tolist()
        if lost:
            known, horizon = self.config.columns.known, self.config.forecast.horizon
            wanted = f"rows for the {horizon} steps to come that have these columns and no target"
            of = windows.series.tolist()
            names = {place: frame.series.names[of[place]] for place in lost}
            raise UnansweredError(
                {
                    i: f"columns.known = '{known}': '{n}' must end with {wanted}"
                    for i, n in names.items()
                }
            )

    def _told(self, series: ManySeries, found: NDArray[np.float64]) -> list[SeriesForecastAnswer]:
        target, pace = self._target, series.pace
        probable = self.config.forecast.distribution != "none"
        first = series.starts + pace.every * (series.ends - series.firsts[:-1])
        answers, known = [], dict[int, tuple[str, ...]]()  # most series end at the same time
        for name, start, (low, guess, high) in zip(
            series.names, first, found.transpose(1, 0, 2).tolist(), strict=True
        ):
            ends: tuple[tuple[float, float] | None, ...] = tuple(zip(low, high, strict=True))
            pairs = {target: ends} if probable else None
            times = known.get(int(start)) or pace.texts(start, len(guess))
            known[int(start)] = times
            answers.append(SeriesForecastAnswer(times, {target: tuple(guess)}, pairs, series=name))
        return answers

    @property
    def _target(self) -> str:
        return str(self.shape.columns[0])

    @property
    def wants(self) -> str:
        return "name the table of series to go on from, with the columns of training"

    def read(self, path: Path) -> Given:
        """The series in a table; those without a number have no answer, which is said."""
        series = self.shape.fit(self._of_table(path)[0])  # what is lost is among the notes
        return Given(
            series,
            tuple({"series": name} for name in series.names),
            series.names,
            tuple(map(Notice, [*series.notes, *self._said(series)])),
            noun="series",
        )

    def _said(self, series: ManySeries) -> Iterator[str]:
        if series.filled:
            yield filled_in_series(series.filled)
        if self.shape.names and (new := int((self.shape.codes(series.names) == 0).sum())):
            yield f"{new:,} series that training did not have: {self._as_what()}"
        short = int((np.diff(series.firsts) < self.config.forecast.context).sum())
        if short:
            yield counted(
                short,
                f"series have fewer than the {self.config.forecast.context} steps that the network "
                "reads: the first season is taken to have been there before, too",
            )

    def _as_what(self) -> str:
        """Words for how a series is read that training did not have."""
        many, said = self.config.many, []
        if many.embed:
            said.append("read as none of those it had")
        if many.smoothing != "none":
            said.append(
                "smoothed by the coefficients that all series share, from the season of its own "
                "first cycles"
            )
        return ", ".join(said)

    def _series(self, given: Any) -> ManySeries:
        """Series from what one has, with the columns and the step of training."""
        if isinstance(given, list | tuple) and given:
            return ManySeries.joined([self._series(one) for one in given])
        if not isinstance(given, ManySeries):
            given, lost = self._of_table(given)
            warn_of_lost(lost)
        return self.shape.fit(given)

    def _of_table(self, given: Any) -> tuple[ManySeries, tuple[str, ...]]:
        """The series in a table, and the names of those that have no number."""
        table = isinstance(given, str | Path) or hasattr(given, "columns")
        if not table:
            raise DataError(
                "forecasts go on from the path of a table, a data frame, or ManySeries "
                f"(carousel.data.many_series); got {type(given).__name__}"
            )
        if reads_tables(self.config):
            wanted = (self.shape.columns[1:], self.shape.static)
            return many_series_of(table_in(given), self.config, wanted)
        from carousel.data.sets.m4_hourly import read_file

        if not isinstance(given, str | Path):
            raise DataError("this model was trained on a published set: name a file like its own")
        return read_file(read_text(given), str(given)), ()

    def _frame(self, series: ManySeries) -> Frame:
        frame = Frame(series, self.scalers, self.config)
        if self.shape.names:
            frame.recoded(self.shape.codes(series.names))
        return frame

    # ---- judging

    def _parts(self, part: str) -> ManySeriesParts:
        data = self.data(ManySeriesParts)
        return self.as_trained(replace(data, series=self.shape.fit(data.series)), part)

    def _judge(self, part: str) -> dict[str, Any]:
        parts = self._parts(part)
        frame = self._frame(parts.series)
        windows = Origins.judging(parts, part).measured(frame, part)
        # What was trained on says nothing of errors: the test part follows what validated alone.
        before = Origins.judging(parts, "validation") if part == "test" else nothing()
        found = self._forecasts(frame, windows, before)
        return {**of_test(frame, windows, found, parts, part), **account(parts)}

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        if report["mase_undefined"]:
            yield Notice(f"MASE is undefined for {report['mase_undefined']:,} series")
        yield Table(
            ("series", "MASE", "sMAPE"),
            [
                (one["series"], _number(one["mase"]), _number(one["smape"]))
                for one in report["hardest"]
            ],
        )
        steps = report["mase_per_step"]
        shown = sorted({*np.linspace(0, len(steps) - 1, min(8, len(steps))).astype(int).tolist()})
        yield Table(("step ahead", "MASE"), [(str(k + 1), _number(steps[k])) for k in shown])

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        picture = folder / f"forecasts{suffix}.png"
        context = self.config.forecast.context
        plots.draw_forecasts(report["examples"], context, self._target, picture)
        return [picture]

    def example(self, source: str | Given, number: int) -> Example:
        if isinstance(source, Given):
            series, origin = source.inputs, "your own series"
            windows = Origins.after(series)
        else:
            parts = self._parts(source)
            series, origin = parts.series, f"the {source} part"
            windows = Origins.judging(parts, source)
        chosen = windows.take(torch.tensor([check_number(number, len(windows), "windows")]))
        frame = self._frame(series)
        if isinstance(source, Given):
            self._require_known(frame, chosen)
        x, after, static, _ = frame.read(chosen)
        place = int(chosen.series)
        before = int(chosen.start) - int(series.firsts[place]) - x.size(1)
        times = series.pace.texts(
            series.starts[place] + np.int64(series.pace.every * before), x.size(1)
        )
        horizon = self.config.forecast.horizon
        return Example(
            f"'{series.names[place]}' of {origin}, up to {times[-1]}: the {horizon} steps to come",
            f"the sum of the forecast of {self._target} over the {horizon} steps to come",
            lambda: self.model(x, after.nan_to_num(), static)[0, :, 0].sum(),
            times,
        )


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"
