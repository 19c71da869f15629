"""Forecasts from one row after another of whole series, in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from carousel.bulk.answer import Outcome, write
from carousel.bulk.inputs import Account, Batch, batches
from carousel.bulk.pictures import Picture
from carousel.errors import CarouselError, DataError
from carousel.tasks.shared.answers import Answer, ForecastAnswer
from carousel.tasks.shared.task import TrainedModel

_AT_ONCE = 512


@runtime_checkable
class Rolls(Protocol):
    """A trained model that forecasts from every row of a series."""

    def rolling(self, series: Any, every: int = 1) -> Iterator[tuple[str, ForecastAnswer]]:
        """The forecasts, and the time of the row that each goes on from."""


def roll_file(
    model: TrainedModel,
    source: str | Path,
    out: str | Path,
    *,
    every: int = 1,
    progress: Callable[[float, int], None] = lambda done, answered: None,
    picture: Picture | None = None,
) -> Outcome:
    """Forecasts from every row of the series in a file, or in those of a folder, that has enough
    rows before it.

    out, progress, picture: as of `answer_file`. every: rows from one forecast to the next. A row
    of the file is one step of one forecast: `origin`, the time of the last row that was read, the
    step ahead and its time, and of each target the forecast, the ends of its interval, and what
    was measured.
    """
    assert isinstance(model, Rolls)
    source, account = Path(source), Account()
    found = _rolled(model, batches(model, source, account), every)
    return write(found, _as_they_are, Path(out), source, account, progress, picture)


def _rolled(model: Rolls, found: Iterator[Batch], every: int) -> Iterator[Batch]:
    """Batches whose inputs are forecasts already."""
    for batch in found:
        series = iter(batch.inputs)
        for number, key in enumerate(batch.keys):
            if number in batch.problems:
                yield Batch([{**key, "origin": None}], [], {0: batch.problems[number]}, batch.done)
                continue
            try:
                told = model.rolling(next(series), every)
                while some := list(islice(told, _AT_ONCE)):
                    keys = [{**key, "origin": origin} for origin, _ in some]
                    yield Batch(keys, [answer for _, answer in some], {}, batch.done)
            except DataError as error:
                yield Batch([{**key, "origin": None}], [], {0: str(error)}, batch.done)


def _as_they_are(answers: list[Answer]) -> list[Answer | CarouselError]:
    return [*answers]
