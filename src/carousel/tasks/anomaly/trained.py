"""A trained detector: what it says of a series, and how it is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.counting import unit_of
from carousel.data.regular import filled_in_series
from carousel.data.watched import Watched, WatchedSeries, probation
from carousel.errors import DataError
from carousel.runtime.alarms import Limit
from carousel.runtime.unusual import warm_up
from carousel.tasks.anomaly.alarms import alarms_of, answer_of, promise, smoothed
from carousel.tasks.anomaly.errors import Usual, errors_of, network_errors, scaler_of, windows_of
from carousel.tasks.anomaly.input import Reader
from carousel.tasks.anomaly.network import build
from carousel.tasks.anomaly.plots import draw_watches, picture_of
from carousel.tasks.anomaly.scores import Watch, detail, measures
from carousel.tasks.anomaly.stream import AnomalyStream
from carousel.tasks.shared.answers import AnomalyAnswer
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.own_table import reads_tables
from carousel.tasks.shared.task import Given, Notice, Shown, Table, TrainedModel

Array = NDArray[np.float64]


class TrainedDetector(TrainedModel):
    """A trained network with the scale and the usual error of each series, and the threshold.

    >>> model = carousel.load("runs/anomaly-nab-20261124-090000")   # doctest: +SKIP
    >>> (answer,) = model.predict("series.csv")                      # doctest: +SKIP
    >>> [(w.start, w.end, w.blamed) for w in answer.windows]         # doctest: +SKIP
    """

    def __init__(
        self,
        model: nn.Module,
        config: Config,
        columns: tuple[str, ...],
        usual: dict[str, Usual],
        limits: dict[str, Limit],
    ) -> None:
        """usual: by the name of the series, or "" where the whole set has one. limits: the same;
        "" is that of the set."""
        super().__init__(model, config)
        self.columns, self.usual, self.limits = columns, usual, limits
        self.reader = Reader(config, columns)

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedDetector:
        columns = tuple(facts["columns"])
        usual = {name: Usual.restore(each) for name, each in facts["usual"].items()}
        model = build(len(columns), config)
        limits = {name: Limit(**each) for name, each in facts["limits"].items()}
        return cls(model, config, columns, usual, limits)

    def facts(self) -> dict[str, Any]:
        return {
            "columns": list(self.columns),
            "usual": {name: each.facts() for name, each in self.usual.items()},
            "limits": {name: asdict(each) for name, each in self.limits.items()},
        }

    # ---- answering

    def encode(self, inputs: Any) -> tuple[Tensor]:
        """Scaled series (n, T, F), zeros behind the shorter ones; of a reconstruction, every
        window of them, one series after the other (N, L, F)."""
        rows = [self._scaled(one, self._usual_of(one)) for one in self.reader.all_of(inputs)]
        if self.config.anomaly.error == "forecast":
            return (nn.utils.rnn.pad_sequence(rows, batch_first=True),)
        return (torch.cat([windows_of(row, self.config.anomaly.window) for row in rows]),)

    def example_inputs(self) -> tuple[Tensor]:
        """A window of zeros."""
        return (torch.zeros(1, self.config.anomaly.window, len(self.columns)),)

    def decode(self, outputs: Tensor, series: Sequence[Any]) -> list[AnomalyAnswer]:
        """Answers of the network's outputs for `encode` of these series."""
        answers, first = [], 0
        for number, one in enumerate(self.reader.all_of(list(series))):
            usual = self._usual_of(one)
            if self.config.anomaly.error == "forecast":
                out = outputs[number, : len(one)]
            else:
                count = max(0, len(one) - self.config.anomaly.window + 1)
                out = outputs[first : first + count]
                first += count
            scaled = self._scaled(one, usual)
            errors = errors_of(out.detach(), scaled, one.missing, self.config.anomaly)
            answers.append(self._answer(one, usual, errors))
        return answers

    def predict(self, inputs: Any) -> list[AnomalyAnswer]:
        """The anomalies of series, or of one: a `Watched`, the path of a .csv file, a data frame,
        or values (T, F). Raises `DataError` for one that does not fit, and one without any
        score, as it is too short."""
        answers = []
        for one in self.reader.all_of(inputs):
            usual = self._usual_of(one)
            errors = self._errors(one, usual)
            if np.isnan(errors).all():
                raise DataError(self._without_score(one))
            answers.append(self._answer(one, usual, errors))
        return answers

    def alarms(self, series: Any) -> NDArray[np.bool_]:
        """True at each step (T,) of one series that is unusual; never at steps without a score."""
        (one,) = self.reader.all_of([series])
        usual = self._usual_of(one)
        return np.array(self._answer(one, usual, self._errors(one, usual)).alarms)

    def _without_score(self, one: Watched) -> str:
        first, name = warm_up(self.config.anomaly), one.name or "the series"
        if len(one) > first:
            return f"{name} has no step that can be judged: every value is missing"
        rows = unit_of(len(one), "rows")
        return (
            f"{name} has {len(one):,} {rows}, and none is judged: the first score is that of row "
            f"{first + 1:,}; give {first:,} rows before what is to be judged"
        )

    def scores(self, series: Any) -> Array:
        """Score of each step (T,) of one series; 1 is the threshold, NaN where there is none."""
        return np.array(self.predict([series])[0].scores)

    def raw_scores(self, series: Any) -> Array:
        """Score of each step (T,) of one series before it is divided by the threshold: about 1 is
        usual, NaN where there is none."""
        (one,) = self.reader.all_of([series])
        usual = self._usual_of(one)
        return smoothed(usual.judge(self._errors(one, usual))[0], self.config.anomaly)

    def stream(self, series: str = "", beginning: ArrayLike | None = None) -> AnomalyStream:
        """A stream that scores live data step by step.

        series: its name, of those of training. beginning (T, F): normal rows of a series that
        training had not: its scale and usual error come from them, and the stream goes on after
        them. Raises `DataError` if neither says what is usual.
        """
        if beginning is not None and series not in self.usual:
            (one,) = self.reader.all_of(np.asarray(beginning, dtype=np.float64))
            usual = self._fit(one, len(one))
        else:
            usual = self._named(series)
        limit = self._limit(series)
        stream = AnomalyStream(self.model, usual, limit, self.columns, self.config.anomaly)
        for row in np.asarray(beginning, dtype=np.float64) if beginning is not None else ():
            stream.step(row)
        stream.filled = 0
        return stream

    @property
    def kinds(self) -> tuple[str, ...]:
        return () if reads_tables(self.config) else (".csv",)

    @property
    def wants(self) -> str:
        return "name the series to watch: a .csv file with the columns of training, or a folder"

    def read(self, path: Path) -> Given:
        """The series in a .csv file, or in those of a folder."""
        found, notes = [], list[str]()
        for one in self.reader.read(path):
            said = [f"{one.name}: {note}" if one.name else note for note in one.notes]
            if one.labels is not None:
                said.append(f"{one.name or path.name}: its labels are not read: they only judge")
            found.append(self.reader.fitted(replace(one, notes=())))
            said += [f"{one.name or path.name}: {note}" for note in found[-1].notes]
            if (strange := self._strange(found[-1])) is not None:
                said.append(strange)
            notes += said
        facts = tuple({"series": one.name} for one in found)
        names = tuple(one.name for one in found)
        missing = sum(one.filled for one in found)
        if missing:
            notes.append(f"{filled_in_series(missing)}, not judged")
        return Given(
            found,
            () if len(found) == 1 else facts,
            names,
            tuple(map(Notice, notes)),
            noun="series",
            alone=len(found) == 1,
        )

    def _strange(self, one: Watched) -> str | None:
        """Notice about a series whose usual error is taken from its own beginning."""
        if "" in self.usual or one.name in self.usual or len(self.usual) == 1:
            return None
        return (
            f"{one.name} is not among the series of training: its scale and usual error are taken "
            f"from its first {probation(len(one))} rows, which must be normal, and its threshold "
            f"is that of the whole set"
        )

    def _named(self, name: str) -> Usual:
        if "" in self.usual:
            return self.usual[""]
        if name in self.usual:
            return self.usual[name]
        if not name and len(self.usual) == 1:
            return next(iter(self.usual.values()))
        raise DataError(
            f"the model was trained on {', '.join(self.usual)}, each with a scale of its own: name "
            f"one of them, or hand in a beginning; got '{name}'",
            "beginning",
        )

    def _limit(self, name: str) -> Limit:
        if not name and len(self.usual) == 1:
            name = next(iter(self.usual))
        return self.limits.get(name) or self.limits[""]

    def _usual_of(self, one: Watched) -> Usual:
        if "" in self.usual or one.name in self.usual or len(self.usual) == 1:
            return self._named(one.name if one.name in self.usual else "")
        return self._fit(one, probation(len(one)))

    def _fit(self, one: Watched, count: int) -> Usual:
        """Scale and usual error from the first rows of a series."""
        if count < 2:
            raise DataError(
                f"{one.name or 'the series'} has {len(one)} rows: too few to say what is usual"
            )
        one = replace(one, ends=(count, count))
        scaler = scaler_of([one])
        scaled = scaler(torch.from_numpy(one.values[:count]))
        missing = None if one.missing is None else one.missing[:count]
        settings = self.config.anomaly
        errors = network_errors(self.model, scaled, missing, settings)
        return Usual.fit(scaler, errors, settings.score, one.name or "the series")

    def _scaled(self, one: Watched, usual: Usual) -> Tensor:
        return usual.scaler(torch.from_numpy(one.values))

    def _errors(self, one: Watched, usual: Usual) -> Array:
        scaled = self._scaled(one, usual)
        return network_errors(self.model, scaled, one.missing, self.config.anomaly)

    def _answer(self, one: Watched, usual: Usual, errors: Array) -> AnomalyAnswer:
        raw, shares = usual.judge(errors)
        settings = self.config.anomaly
        scores, alarms = alarms_of(raw, self._limit(one.name), settings)
        return answer_of(scores, alarms, shares, one.times, self.columns, settings.merge)

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(self.data(WatchedSeries), part)
        return self._report([(self.reader.fitted(one), one.rows(part)) for one in data.series])

    def _judge_new(self, path: Path) -> dict[str, Any]:
        found, notes = [], list[str]()
        for one in map(self.reader.fitted, self.reader.read(path)):
            said = self._strange(one)
            first = probation(len(one)) if said else 0  # which says what is usual
            found.append((one, slice(first, len(one))))
            notes += [*one.notes, *([said] if said else [])]
        if not any(one.labels is not None for one, _ in found):
            raise DataError(
                f"{path} has no labels to judge by: a column of 0 and 1 with the name of that in "
                f"training ('{self.config.columns.target or self.config.anomaly.labels}')"
            )
        filled = sum(one.filled for one, _ in found)
        return {**self._report(found), "missing_values_filled": filled, "notes": notes}

    def _report(self, series: Sequence[tuple[Watched, slice]]) -> dict[str, Any]:
        """Metrics and detail of some rows of each series."""
        settings, watches, squares, pictures = self.config.anomaly, [], [], {}
        for one, rows in series:
            usual = self._usual_of(one)
            errors = self._errors(one, usual)
            raw, _ = usual.judge(errors)
            scores, alarms = alarms_of(raw, self._limit(one.name), settings)
            labels = None if one.labels is None else one.labels[rows]
            watches.append(Watch(one.name, scores[rows], alarms[rows], labels))
            squares.append((errors[rows] ** 2)[~np.isnan(errors[rows])])
            pictures[one.name] = picture_of(one, scores, alarms, rows, labels)
        together = np.concatenate(squares)
        if not len(together):
            raise DataError("no step has a score: every series is too short, or all is missing")
        report: dict[str, Any] = measures(watches, settings.merge)
        report["mse_standardised"] = float(together.mean())
        report |= {
            "thresholds": {w.name: asdict(self._limit(w.name)) for w in watches},
            "per_series": detail(watches, settings.merge),
            "pictures": pictures,
        }
        return report

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        heads = ("series", "threshold", "windows", "true", "found", "false")
        table = Table(heads, [])
        for name, row in report["per_series"].items():
            cells = [row.get(key) for key in heads[2:]]
            limit = f"{report['thresholds'][name]['value']:.4g}"
            table.rows.append((name, limit, *("-" if c is None else f"{c:,}" for c in cells)))
        yield table
        yield f"asked for: {promise(self.config.anomaly)}\n"

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        picture = folder / f"anomalies{suffix}.png"
        draw_watches(report["pictures"], self.columns[0], picture)
        return [picture]

    def example(self, source: str | Given, number: int) -> Example:
        length = self.config.anomaly.window
        if isinstance(source, Given):
            places = [(one, len(one)) for one in source.inputs if len(one) >= length]
            origin = "your own series"
        else:
            data = self.as_trained(self.data(WatchedSeries), source)
            places = [
                (one, row + 1)
                for one in map(self.reader.fitted, data.series)
                for row in range(len(one))[one.rows(source)]
                if row + 1 >= length
            ]
            origin = f"the {source} part"
        one, end = places[check_number(number, len(places), f"windows of {length} steps")]
        x = self._scaled(one, self._usual_of(one))[end - length : end].unsqueeze(0)
        forecasting = self.config.anomaly.error == "forecast"
        what = "the forecast of the step to come" if forecasting else "the reconstructed last step"
        return Example(
            f"window {number} of {origin}: {one.name}, up to {one.times[end - 1]}",
            f"{what}, summed over {len(self.columns)} columns",
            lambda: self.model(x)[0, -1, 0].sum() if forecasting else self.model(x)[0, -1].sum(),
            one.times[end - length : end],
        )
