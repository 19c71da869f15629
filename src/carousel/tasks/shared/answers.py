"""Answers of trained models: values, a small frozen dataclass for each kind of answer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Answer(ABC):
    """Answer of a model to one input."""

    @abstractmethod
    def to_json(self) -> Any:
        """The answer as JSON can hold it."""


class Influence(NamedTuple):
    """A word of a sentence and what it did: the log-odds of the class with it minus without it."""

    word: str
    log_odds: float


@dataclass(frozen=True)
class ClassAnswer(Answer):
    """The most probable class of an input.

    label: its name. probabilities: of all classes by name, in the model's order. influences: the
    words that moved the decision; None where nobody asked for them.

    >>> ClassAnswer("cat", {"cat": 0.75, "dog": 0.25}).to_json()
    {'class': 'cat', 'probabilities': {'cat': 0.75, 'dog': 0.25}}
    """

    label: str
    probabilities: dict[str, float]
    influences: tuple[Influence, ...] | None = None

    @property
    def probability(self) -> float:
        """The probability of `label`."""
        return self.probabilities[self.label]

    def ranked(self) -> list[tuple[str, float]]:
        """The classes and their probabilities, the most probable first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])

    def to_json(self) -> dict[str, Any]:
        """Keys "class" and "probabilities", and "influences" where they were asked for."""
        found: dict[str, Any] = {"class": self.label, "probabilities": self.probabilities}
        if self.influences is not None:
            found["influences"] = [influence._asdict() for influence in self.influences]
        return found


def classes_of(chances: Tensor, classes: Sequence[str]) -> list[ClassAnswer]:
    """An answer for each row of class probabilities (n, C).

    >>> [answer.label for answer in classes_of(Tensor([[0.25, 0.75]]), ["cat", "dog"])]
    ['dog']
    """
    best = chances.argmax(1).tolist()
    rows = (dict(zip(classes, row, strict=True)) for row in chances.tolist())
    return [ClassAnswer(classes[i], row) for i, row in zip(best, rows, strict=True)]


class WordLabel(NamedTuple):
    """A word, its label in the most probable row of labels, and how probable that label is."""

    word: str
    label: str
    probability: float


class WordSpan(NamedTuple):
    """Words start, …, end - 1 of a sentence are one `kind`."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class WordsAnswer(Answer):
    """A label for each word of a sentence.

    spans: those that the labels mark. marks: whether labels of the model mark spans at all.
    """

    words: tuple[WordLabel, ...]
    spans: tuple[WordSpan, ...] = ()
    marks: bool = False

    def to_json(self) -> dict[str, Any]:
        """Keys "words" and "spans", of which each has its "kind" and its "text"."""
        return {
            "words": [word._asdict() for word in self.words],
            "spans": [
                {"kind": s.kind, "text": " ".join(w.word for w in self.words[s.start : s.end])}
                for s in self.spans
            ],
        }


@dataclass(frozen=True)
class Segment:
    """Frames first, …, last have one label; probability: the mean of it over them."""

    label: str
    first: int
    last: int
    probability: float


@dataclass(frozen=True)
class LabelsAnswer(Answer):
    """A label for each frame of a recording, and the segments of frames with one label.

    classes, chances (T, C): the probability of each class at each frame; None where they were not
    kept.
    """

    labels: tuple[str, ...]
    segments: tuple[Segment, ...]
    classes: tuple[str, ...] = ()
    chances: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Keys "labels" and "segments"."""
        return {"labels": [*self.labels], "segments": [asdict(each) for each in self.segments]}


@dataclass(frozen=True)
class NumbersAnswer(Answer):
    """A number for each step of a recording."""

    numbers: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Key "numbers"."""
        return {"numbers": [*self.numbers]}


@dataclass(frozen=True)
class TargetsAnswer(Answer):
    """One number, or several, of a whole recording.

    targets: the numbers by the names of what was to be found.

    >>> TargetsAnswer({"age": 31.5}).number
    31.5
    """

    targets: dict[str, float]

    @property
    def number(self) -> float:
        """The first of the numbers; where there is one, that."""
        return next(iter(self.targets.values()))

    def to_json(self) -> dict[str, Any]:
        """Key "targets"."""
        return {"targets": {**self.targets}}


@dataclass(frozen=True)
class ForecastAnswer(Answer):
    """The steps after the last row of a series.

    times: of the steps, as text. values: of each target by name, a number for each step.
    intervals: (low, high) of the same steps, None for a step that has none; None altogether of a
    model that gives none. measured: what came, None where nothing was measured; None altogether of
    steps that nobody can have measured yet.
    """

    times: tuple[str, ...]
    values: dict[str, tuple[float, ...]]
    intervals: dict[str, tuple[tuple[float, float] | None, ...]] | None = None
    measured: dict[str, tuple[float | None, ...]] | None = None

    def to_json(self) -> Any:
        """The rows of `steps`."""
        return self.steps()

    def steps(self) -> list[dict[str, Any]]:
        """A row for each step: "time", the forecast of each target by name, and, of a model that
        gives intervals, "interval": [low, high] of each, or None for steps that have none."""
        rows = []
        for step, time in enumerate(self.times):
            row: dict[str, Any] = {"time": time, **{n: v[step] for n, v in self.values.items()}}
            if self.intervals is not None:
                ends = {name: ends[step] for name, ends in self.intervals.items()}
                known = {name: [*pair] for name, pair in ends.items() if pair is not None}
                row["interval"] = known or None
            if self.measured is not None:
                row["measured"] = {name: values[step] for name, values in self.measured.items()}
            rows.append(row)
        return rows


@dataclass(frozen=True)
class SeriesForecastAnswer(ForecastAnswer):
    """The steps after the last row of one of many series, whose name is `series`."""

    series: str = ""

    def to_json(self) -> Any:
        """Keys "series", its name, and "steps", the rows of `steps`."""
        return {"series": self.series, "steps": self.steps()}


@dataclass(frozen=True)
class AnomalyWindow:
    """Rows first, …, last of a series that are unusual; start, end: their times.

    score: the highest in it, in thresholds. columns: share of each in the error of its alarms, the
    largest first.
    """

    first: int
    last: int
    start: str
    end: str
    score: float
    columns: dict[str, float]

    @property
    def blamed(self) -> list[str]:
        """The fewest columns that make up half of the error."""
        names, total = [], 0.0
        for name, share in self.columns.items():
            names.append(name)
            total += share
            if total >= 0.5:
                break
        return names


@dataclass(frozen=True)
class AnomalyAnswer(Answer):
    """Anomalies of one series. steps: how many it has; unscored: how many of them have no score.
    scores: of each step, 1 is the threshold, NaN where there is none; alarms: which of them are
    some; times: of the steps, as text."""

    windows: tuple[AnomalyWindow, ...]
    steps: int
    unscored: int
    scores: tuple[float, ...] = ()
    alarms: tuple[bool, ...] = ()
    times: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Keys "windows" (each with "start", "end", "first", "last", "score", "columns" and
        "blamed"), "steps", "unscored" and "scores" (null where there is none)."""
        return {
            "windows": [
                {
                    "start": window.start,
                    "end": window.end,
                    "first": window.first,
                    "last": window.last,
                    "score": window.score,
                    "columns": window.columns,
                    "blamed": window.blamed,
                }
                for window in self.windows
            ],
            "steps": self.steps,
            "unscored": self.unscored,
            "scores": [None if math.isnan(score) else score for score in self.scores],
        }


@dataclass(frozen=True)
class Alternative:
    """A sentence that a search found; log_probability of its tokens and its end; score: what the
    search ranks by."""

    text: str
    log_probability: float
    score: float
    tokens: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Keys "text", "score" and "log_probability"."""
        return {"text": self.text, "score": self.score, "log_probability": self.log_probability}


@dataclass(frozen=True)
class SentenceAnswer(Answer):
    """A sentence about an input, in its best alternatives, the best first."""

    alternatives: tuple[Alternative, ...]
    what: ClassVar[str] = "sentence"  # what JSON calls it

    @property
    def text(self) -> str:
        """The best of the alternatives."""
        return self.alternatives[0].text

    def to_json(self) -> dict[str, Any]:
        """The best sentence by what it is, and "alternatives"."""
        return {self.what: self.text, "alternatives": [a.to_json() for a in self.alternatives]}


class TranslationAnswer(SentenceAnswer):
    """A translation of a sentence."""

    what = "translation"


class CaptionAnswer(SentenceAnswer):
    """A caption of an image."""

    what = "caption"


@dataclass(frozen=True)
class Written:
    """A text that was drawn, and the seed that draws it again."""

    seed: int
    text: str


@dataclass(frozen=True)
class TextAnswer(Answer):
    """Texts that follow a prompt.

    samples: the texts without the prompt. unknown: tokens of the prompt that the model has not
    seen, each once.
    """

    prompt: str
    samples: tuple[Written, ...]
    unknown: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The first of the samples."""
        return self.samples[0].text

    def to_json(self) -> dict[str, Any]:
        """Keys "prompt", "unknown" and "samples", of which each has its "seed" and its "text"."""
        samples = [asdict(sample) for sample in self.samples]
        return {"prompt": self.prompt, "unknown": [*self.unknown], "samples": samples}
