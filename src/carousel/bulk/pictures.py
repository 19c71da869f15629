"""Pictures of answers that are written to a file: the first few inputs, or counts of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from carousel.errors import ConfigError
from carousel.tasks.shared.answers import (
    AnomalyAnswer,
    Answer,
    ClassAnswer,
    ForecastAnswer,
    LabelsAnswer,
    NumbersAnswer,
    TargetsAnswer,
)
from carousel.tasks.shared.fonts import lettering, shown
from carousel.tasks.shared.label_answers import LabelSetAnswer

_INPUTS, _STEPS, _CLASSES, _ORIGINS = 6, 4000, 30, 5000
_GREY, _RED, _BLUE = "#555", "#c0392b", "#2c6fbb"
#: Tasks whose answers can be drawn.
DRAWN = ("classify", "classify_text", "classify_recordings", "label_frames", "regress", "forecast",
         "forecast_many", "anomaly")  # fmt: skip


class Picture:
    """A picture of answers, gathered while they are written: little of them is kept.

    Of classes and of labels the count of each; of whole recordings the numbers of each target; of
    steps the first six inputs; of rolling forecasts the first step of each, beside what was
    measured.
    """

    def __init__(self) -> None:
        #: Answers by class, or by label.
        self.counts: Counter[str] = Counter()
        self._sets: list[int] = []  # of several labels: how many each answer has
        self._first: list[tuple[str, Any, Answer]] = []
        self._numbers: dict[str, list[float]] = {}
        self._rolled: list[ForecastAnswer] = []

    def add(
        self,
        keys: Sequence[dict[str, Any]],
        inputs: Sequence[Any],
        answers: Sequence[Answer | None],
    ) -> None:
        """Take a batch. inputs: of those that have an answer, or might have had one."""
        for number, (key, answer) in enumerate(zip(keys, answers, strict=True)):
            if isinstance(answer, ClassAnswer):
                self.counts[answer.label] += 1
            elif isinstance(answer, LabelSetAnswer):
                self.counts.update(answer.labels)
                self._sets.append(len(answer.labels))
            elif isinstance(answer, TargetsAnswer):
                for name, value in answer.targets.items():
                    self._numbers.setdefault(name, []).append(value)
            elif isinstance(answer, ForecastAnswer) and "origin" in key:
                if len(self._rolled) < _ORIGINS:
                    self._rolled.append(answer)
            elif answer is not None and len(self._first) < _INPUTS:
                given = inputs[number] if len(inputs) == len(keys) else None
                self._first.append((_name_of(key), given, answer))

    @property
    def _forecasts(self) -> list[ForecastAnswer]:
        first = [answer for _, _, answer in self._first if isinstance(answer, ForecastAnswer)]
        return [*first, *self._rolled[:1]]

    def draw(self, path: Path) -> None:
        """Write the PNG. Raises `ConfigError` where there is nothing that can be drawn."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
        from matplotlib.figure import Figure

        names = [*self.counts, *self._numbers, *(name for name, _, _ in self._first)]
        names += [
            label for _, _, a in self._first if isinstance(a, LabelsAnswer) for label in a.classes
        ]
        names += [n for a in self._forecasts for n in a.values]
        count = len(self._numbers) or len(self._first) or 1
        height = 0.3 * min(_CLASSES, len(self.counts)) + 1.2 if self.counts else 2.2 * count
        figure = Figure(figsize=(9, height), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        rows = figure.subplots(count, 1, squeeze=False)[:, 0]
        with lettering(names) as missing:
            if self.counts or self._sets:
                _draw_counts(rows[0], self.counts, missing)
                if self._sets:
                    none = self._sets.count(0)
                    title = f"{len(self._sets):,} answers by label; {none:,} have none"
                    rows[0].set_title(title, fontsize=9)
            elif self._numbers:
                for axes, (name, values) in zip(rows, self._numbers.items(), strict=True):
                    axes.hist(values, bins="auto" if len(values) > 1 else 1, color=_BLUE)
                    axes.set_title(f"{shown(name, missing)}: {len(values):,} answers", fontsize=9)
            elif self._rolled:
                _draw_rolled(rows[0], self._rolled, missing)
            elif self._first:
                for axes, (name, given, answer) in zip(rows, self._first, strict=True):
                    _draw_steps(axes, given, answer, missing)
                    axes.set_title(shown(name, missing), fontsize=9, loc="left")
            else:
                raise ConfigError("there is no answer that can be drawn: leave out plot", "plot")
            for axes in rows:
                axes.tick_params(labelsize=7)
            figure.savefig(path)


def _name_of(key: dict[str, Any]) -> str:
    return ", ".join(
        f"{value}" if name == "file" else f"{name} {value}" for name, value in key.items()
    )


def _draw_counts(axes: Any, counts: Counter[str], missing: str) -> None:
    top = counts.most_common(_CLASSES)[::-1]
    axes.barh([shown(name, missing) for name, _ in top], [count for _, count in top], color=_BLUE)
    rest = len(counts) - len(top)
    more = f"; {rest:,} rarer classes are not drawn" if rest else ""
    axes.set_title(f"{sum(counts.values()):,} answers by class{more}", fontsize=9)


def _draw_rolled(axes: Any, answers: Sequence[ForecastAnswer], missing: str) -> None:
    """Draw the first step of each forecast beside what came."""
    name = next(iter(answers[0].values))
    axes.plot([one.values[name][0] for one in answers], color=_RED, lw=1, label="forecast")
    measured = [one.measured[name][0] if one.measured else None for one in answers]
    axes.plot(
        [np.nan if value is None else value for value in measured],
        color=_GREY, lw=0.8, label="measured",
    )  # fmt: skip
    axes.set_title(
        f"{shown(name, missing)}: one step ahead, {len(answers):,} forecasts", fontsize=9
    )
    axes.legend(fontsize=7)


def _draw_steps(axes: Any, given: Any, answer: Answer, missing: str) -> None:
    """Draw an answer that has steps."""
    if isinstance(answer, ForecastAnswer):
        _draw_forecast(axes, given, answer, missing)
    elif isinstance(answer, AnomalyAnswer):
        scores = np.array(answer.scores[:_STEPS])
        axes.plot(scores, color=_BLUE, lw=0.8)
        axes.axhline(1, color=_RED, lw=0.9, ls="--")
        alarms = np.flatnonzero(answer.alarms[:_STEPS])
        axes.plot(alarms, scores[alarms], ".", color=_RED, ms=4)
        axes.set_ylabel("score", fontsize=7)
    elif isinstance(answer, NumbersAnswer):
        axes.plot(answer.numbers[:_STEPS], color=_RED, lw=1)
        axes.set_xlabel("step", fontsize=7)
    elif isinstance(answer, LabelsAnswer):
        classes = [*answer.classes] or sorted(set(answer.labels))
        place = {name: number for number, name in enumerate(classes)}
        steps = [place[label] for label in answer.labels[:_STEPS]]
        axes.step(range(len(steps)), steps, where="post", color=_BLUE, lw=1)
        axes.set_yticks(range(len(classes)), [shown(name, missing) for name in classes])
        axes.set_ylim(-0.5, len(classes) - 0.5)
    else:
        raise ConfigError("these answers cannot be drawn: leave out plot", "plot")


def _draw_forecast(axes: Any, given: Any, answer: ForecastAnswer, missing: str) -> None:
    """Draw the end of the series, and the first target that is forecast."""
    name = next(iter(answer.values))
    found = answer.values[name]
    ahead = np.arange(1, len(found) + 1)
    columns = getattr(given, "columns", ())
    if name in columns:
        past = getattr(given, "past", given.values)  # without rows for steps to come
        before = np.asarray(past)[-3 * len(found) - 20 :, list(columns).index(name)]
        axes.plot(np.arange(1 - len(before), 1), before, color=_GREY, lw=1, label="measured")
    axes.plot(ahead, found, color=_RED, lw=1.4, label=f"forecast of {shown(name, missing)}")
    if answer.intervals is not None:
        ends = [pair or (np.nan, np.nan) for pair in answer.intervals[name]]
        low, high = zip(*ends, strict=True)
        axes.fill_between(ahead, low, high, color=_RED, alpha=0.2, label="interval")
    axes.set_xlabel(f"steps from {answer.times[0]} on", fontsize=7)
    axes.legend(fontsize=7, loc="upper left")
