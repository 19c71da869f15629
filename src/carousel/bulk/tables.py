"""Answers as rows of a table: which columns each kind of answer has, and what stands in them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars

from carousel.errors import DataError
from carousel.tasks.shared.answers import (
    AnomalyAnswer,
    Answer,
    ClassAnswer,
    ForecastAnswer,
    LabelsAnswer,
    NumbersAnswer,
    SentenceAnswer,
    TargetsAnswer,
    WordsAnswer,
)
from carousel.tasks.shared.label_answers import LabelSetAnswer

Row = tuple[Any, ...]
Kind = type[polars.DataType]
Columns = dict[str, Kind]

ERROR = "error"


class Layout(NamedTuple):
    """The columns of one kind of answer, and what makes its rows."""

    columns: Columns
    rows: Callable[[Any], Iterable[Row]]


def layout_of(answer: Answer) -> Layout:
    """The columns that answers like this one have."""
    for kind, layout in _LAYOUTS.items():
        if isinstance(answer, kind):
            return layout(answer)
    raise DataError(f"answers of the kind {type(answer).__name__} have no form as a table")


def _class(answer: ClassAnswer) -> Layout:
    names = list(answer.probabilities)
    columns: Columns = {"prediction": polars.String, "probability": polars.Float32}
    columns |= {f"p_{name}": polars.Float32 for name in names}
    if answer.influences is not None:
        columns["influences"] = polars.String

    def rows(one: ClassAnswer) -> list[Row]:
        row = (one.label, one.probability, *(one.probabilities[name] for name in names))
        if one.influences is None:
            return [row]
        return [(*row, json.dumps(dict_of(one), ensure_ascii=False))]

    def dict_of(one: ClassAnswer) -> list[list[Any]]:
        return [[influence.word, influence.log_odds] for influence in one.influences or ()]

    return Layout(columns, rows)


def _label_set(answer: LabelSetAnswer) -> Layout:
    """The labels in one cell, and the probability of each."""
    names = list(answer.probabilities)
    columns: Columns = {"prediction": polars.String}
    columns |= {f"p_{name}": polars.Float32 for name in names}

    def rows(one: LabelSetAnswer) -> list[Row]:
        return [(one.text, *(one.probabilities[name] for name in names))]

    return Layout(columns, rows)


def _words(answer: WordsAnswer) -> Layout:
    columns: Columns = {
        "position": polars.Int64,
        "word": polars.String,
        "prediction": polars.String,
        "probability": polars.Float32,
    }
    return Layout(columns, lambda one: [(i, *word) for i, word in enumerate(one.words, 1)])


def _labels(answer: LabelsAnswer) -> Layout:
    columns: Columns = {"step": polars.Int64, "prediction": polars.String}
    columns |= {f"p_{name}": polars.Float32 for name in answer.classes}

    def rows(one: LabelsAnswer) -> list[Row]:
        chances = [()] * len(one.labels) if one.chances is None else one.chances.tolist()
        return [
            (step, label, *row)
            for step, (label, row) in enumerate(zip(one.labels, chances, strict=True))
        ]

    return Layout(columns, rows)


def _numbers(answer: NumbersAnswer) -> Layout:
    columns: Columns = {"step": polars.Int64, "prediction": polars.Float64}
    return Layout(columns, lambda one: list(enumerate(one.numbers)))


def _targets(answer: TargetsAnswer) -> Layout:
    columns: Columns = dict.fromkeys(answer.targets, polars.Float64)
    return Layout(columns, lambda one: [tuple(one.targets.values())])


def _forecast(answer: ForecastAnswer) -> Layout:
    """A row for each step ahead, its time, and of each target forecast, interval and truth."""
    columns: Columns = {"step": polars.Int64, "time": polars.String}
    for name in answer.values:
        ends = ("", *(("_low", "_high") if answer.intervals is not None else ()))
        known = ("_measured",) if answer.measured is not None else ()
        columns |= {f"{name}{end}": polars.Float64 for end in (*ends, *known)}

    def rows(one: ForecastAnswer) -> list[Row]:
        cells: list[Sequence[Any]] = []
        for name, values in one.values.items():
            cells.append(values)
            if one.intervals is not None:
                pairs = [pair or (None, None) for pair in one.intervals[name]]
                cells += [[low for low, _ in pairs], [high for _, high in pairs]]
            if one.measured is not None:
                cells.append(one.measured[name])
        return [*zip(range(1, len(one.times) + 1), one.times, *cells, strict=True)]

    return Layout(columns, rows)


def _anomalies(answer: AnomalyAnswer) -> Layout:
    """A row for each step: its time, score and alarm, and the window that it lies in, from 1."""
    columns: Columns = {
        "step": polars.Int64,
        "time": polars.String,
        "score": polars.Float64,
        "alarm": polars.Boolean,
        "window": polars.Int64,
    }

    def rows(one: AnomalyAnswer) -> list[Row]:
        windows: list[int | None] = [None] * one.steps
        for number, window in enumerate(one.windows, 1):
            size = window.last - window.first + 1
            windows[window.first : window.last + 1] = [number] * size
        scores = [None if math.isnan(score) else score for score in one.scores]
        return [*zip(range(one.steps), one.times, scores, one.alarms, windows, strict=True)]

    return Layout(columns, rows)


def _sentence(answer: SentenceAnswer) -> Layout:
    columns: Columns = {
        answer.what: polars.String,
        "score": polars.Float64,
        "log_probability": polars.Float64,
    }

    def rows(one: SentenceAnswer) -> list[Row]:
        return [(a.text, a.score, a.log_probability) for a in one.alternatives]

    return Layout(columns, rows)


_LAYOUTS: dict[type[Answer], Callable[[Any], Layout]] = {
    ClassAnswer: _class,
    LabelSetAnswer: _label_set,
    WordsAnswer: _words,
    LabelsAnswer: _labels,
    NumbersAnswer: _numbers,
    TargetsAnswer: _targets,
    ForecastAnswer: _forecast,
    AnomalyAnswer: _anomalies,
    SentenceAnswer: _sentence,
}


class Tables:
    """Answers to batches of inputs as tables with the same columns each.

    What the inputs are known by stands first, then the answers, then `error`, which says why there
    is none. The names of columns of the input that the answers use too are preceded by input_.
    """

    def __init__(self, key: dict[str, Any], answer: Answer) -> None:
        self._layout = layout_of(answer)
        taken = {*self._layout.columns, ERROR}
        self._names = {name: f"input_{name}" if name in taken else name for name in key}
        kinds = {name: _KINDS.get(type(value), polars.String) for name, value in key.items()}
        self._kinds = kinds
        self.columns: Columns = {self._names[name]: kind for name, kind in kinds.items()}
        self.columns |= {**self._layout.columns, ERROR: polars.String}

    def table(
        self,
        keys: Sequence[dict[str, Any]],
        answers: Sequence[Answer | None],
        problems: dict[int, str],
    ) -> polars.DataFrame:
        """The table of a batch. answers: None where there is a problem."""
        rows: list[Row] = []
        counts: list[int] = []
        none = (None,) * len(self._layout.columns)
        for answer in answers:
            some = [none] if answer is None else self._layout.rows(answer)
            before = len(rows)
            rows += some
            counts.append(len(rows) - before)
        # By columns: polars takes several times as long for rows.
        cells = [*zip(*rows, strict=True)] if rows else [()] * len(none)
        found = [
            polars.Series(name, column, kind)
            for (name, kind), column in zip(self._layout.columns.items(), cells, strict=True)
        ]
        known = {
            column: [self._cell(name, key.get(name)) for key in keys]
            for name, column in self._names.items()
        }
        known[ERROR] = [problems.get(n) if one is None else None for n, one in enumerate(answers)]
        places = np.repeat(np.arange(len(keys)), counts)
        beside = [
            polars.Series(name, column, self.columns[name]).gather(places)
            for name, column in known.items()
        ]
        return polars.DataFrame([*beside[:-1], *found, beside[-1]])

    def _cell(self, name: str, value: Any) -> Any:
        return str(value) if self._kinds[name] is polars.String and value is not None else value


_KINDS: dict[type, Kind] = {int: polars.Int64, float: polars.Float64}
