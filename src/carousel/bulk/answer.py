"""Asks a trained model for everything in a file or folder, and writes down what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel.bulk.inputs import Account, Batch, batches
from carousel.bulk.pictures import Picture
from carousel.bulk.sinks import check, writing
from carousel.errors import CarouselError, DataError
from carousel.tasks.shared.answers import Answer
from carousel.tasks.shared.task import Given, TrainedModel, UnansweredError

_NAMED = 10


@dataclass(frozen=True)
class Outcome:
    """Result of answering a file: what became of its inputs.

    answered, failed: how many have an answer, and how many none. rows: of the file. problems: why
    the first few failed. account: what is to be said of the input.
    """

    path: Path
    answered: int
    failed: int
    rows: int
    problems: tuple[str, ...]
    account: Account

    def to_json(self) -> dict[str, Any]:
        """The counts by name, as JSON can hold them."""
        account = self.account
        return {
            "out": str(self.path),
            "answered": self.answered,
            "failed": self.failed,
            "rows": self.rows,
            "blank": account.blank,
            "filled": account.filled,
            "other_files": account.others,
            "with_unknown_words": account.unknown,
            "problems": [*self.problems],
            "notes": [*account.notes],
        }


def answer_file(
    model: TrainedModel,
    source: str | Path,
    out: str | Path,
    *,
    reading: dict[str, Any] | None = None,
    progress: Callable[[float, int], None] = lambda done, answered: None,
    picture: Picture | None = None,
    **options: Any,
) -> Outcome:
    """Answers to all inputs in a file, or in the files of a folder, in their order.

    out: ends with .csv, .parquet or .ndjson; it is there when it is whole, and an older one stays
    until then. reading: arguments of `model.read`; options: of `model.predict`. progress: is told
    the share that is done, and the number of answers. picture: gathers what it draws. An input
    without an answer keeps its row, which says why. Raises `DataError` where there is no answer at
    all.

    >>> model = carousel.load("runs/speech-digits-20261124-090000")    # doctest: +SKIP
    >>> answer_file(model, "recordings", "answers.parquet").answered   # doctest: +SKIP
    300
    """
    source, account = Path(source), Account()
    found = batches(model, source, account, **(reading or {}))
    ask = Asking(model, options)
    return write(found, ask, Path(out), source, account, progress, picture)


class Asking:
    """Asks a model for batches of inputs. options: of its `predict`."""

    def __init__(self, model: TrainedModel, options: dict[str, Any]) -> None:
        self._model, self._options = model, options

    def __call__(self, inputs: Any) -> list[Answer | CarouselError]:
        """An answer to each input, or why there is none; halves where one of several has none."""
        if not len(inputs):
            return []
        try:
            return [*self._model.predict(inputs, **self._options)]
        except UnansweredError as error:
            return self._others(inputs, error.problems)
        except DataError as error:
            if len(inputs) == 1:
                return [error]
        half = len(inputs) // 2
        return [*self(inputs[:half]), *self(inputs[half:])]

    def _others(self, inputs: Any, problems: dict[int, str]) -> list[Answer | CarouselError]:
        kept = [place for place in range(len(inputs)) if place not in problems]
        said = iter(self(Given(inputs).take(kept).inputs))
        return [
            DataError(problems[place]) if place in problems else next(said)
            for place in range(len(inputs))
        ]


def write(
    found: Iterable[Batch],
    ask: Callable[[Any], list[Answer | CarouselError]],
    out: Path,
    source: Path,
    account: Account,
    progress: Callable[[float, int], None],
    picture: Picture | None = None,
) -> Outcome:
    """Answers to batches of inputs, written to a file (see `answer_file`)."""
    check(out, source)
    answered = failed = 0
    named: list[str] = []
    with writing(out) as sink:
        for batch in found:
            problems = dict(batch.problems)
            said = iter(ask(batch.inputs))
            answers: list[Answer | None] = []
            for number in range(len(batch.keys)):
                one = None if number in problems else next(said)
                if isinstance(one, CarouselError):
                    problems[number], one = str(one), None
                answers.append(one)
            named += list(problems.values())[: _NAMED - len(named)]
            failed += len(problems)
            answered += len(batch.keys) - len(problems)
            if batch.keys:
                sink.add(batch.keys, answers, problems)
            if picture is not None:
                picture.add(batch.keys, batch.inputs, answers)
            progress(batch.done, answered)
        if not answered:
            raise DataError(
                f"none of the {failed:,} inputs of {source} has an answer: {named[0]}"
                if failed
                else f"there is nothing to answer in {source}"
            )
    return Outcome(out, answered, failed, sink.rows, tuple(named), account)
