"""Steps of `carousel predict`: read the input, ask the model, show its answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import typer

from carousel.cli.answers import as_json, render
from carousel.cli.exits import Exit
from carousel.cli.given import Request, given_of, keywords, refuse_others
from carousel.cli.writing import write
from carousel.data.regular import filled_in_words
from carousel.errors import CarouselError, DataError
from carousel.tasks.generate.trained import TrainedLanguageModel
from carousel.tasks.shared.answers import Answer
from carousel.tasks.shared.task import Given, Json, Notice, Shown, TrainedModel

_NAMED = 10  # inputs without an answer of which it is said why


@runtime_checkable
class DrawsAttention(Protocol):
    """A trained model that can draw where it looked."""

    def check_attention(self, count: int, /) -> None:
        """Raise `ConfigError` unless it can draw what so many inputs give."""

    def draw_attention(self, given: Any, answer: Any, path: Path, /) -> list[Notice]:
        """Draw one; returns what there is to say of it."""


def respond(model: TrainedModel, request: Request) -> Iterator[Shown]:
    """Yield what a command shows of a model's answers to the input."""
    if isinstance(model, TrainedLanguageModel):
        yield from write(model, request)
        return
    understood = keywords(model.predict)
    drawing = {"attention"} if isinstance(model, DrawsAttention) else set()
    refuse_others(model, request, understood | drawing)
    given = given_of(model, request)
    picture = request.options.get("attention")
    if picture is not None and isinstance(model, DrawsAttention):
        model.check_attention(len(given.inputs))
    yield from given.notes
    options = {name: value for name, value in request.options.items() if name in understood}
    if "influences" in understood:  # what is looked at by eye is explained unless told otherwise
        one_class = not getattr(model, "several", False)
        options["influences"] = request.why if request.why is not None else one_class
    given, answers, problems = _asked(model, given, options)
    yield from _said(problems)
    if request.as_json:
        yield Json(as_json(given, answers))
    elif not answers:
        yield Notice(f"there is no {given.noun} in it")
    else:
        if filled := sum(given.filled):
            yield Notice(filled_in_words(filled, given.step))
        yield from render(given, answers)
    if picture is not None and isinstance(model, DrawsAttention):
        yield from model.draw_attention(given.inputs[0], answers[0], picture)
    if problems:
        raise typer.Exit(Exit.FOUND)


def _asked(
    model: TrainedModel, given: Given, options: dict[str, Any]
) -> tuple[Given, Sequence[Answer], list[str]]:
    """The inputs that have an answer, their answers, and why others have none. Raises `DataError`
    where none has one."""
    try:
        return given, model.predict(given.inputs, **options), []
    except DataError:
        if len(given.inputs) < 2:
            raise
    from carousel.bulk.answer import Asking

    said = Asking(model, options)(given.inputs)
    kept = [place for place, one in enumerate(said) if not isinstance(one, CarouselError)]
    problems = [str(one) for one in said if isinstance(one, CarouselError)]
    if not kept:
        raise DataError(f"none of the {len(said):,} inputs has an answer: {problems[0]}")
    answers = [one for one in said if not isinstance(one, CarouselError)]
    return given.take(kept), answers, problems


def _said(problems: Sequence[str]) -> Iterator[Notice]:
    for problem in problems[:_NAMED]:
        yield Notice(f"no answer: {problem}")
    if len(problems) > _NAMED:
        yield Notice(f"and {len(problems) - _NAMED:,} more without an answer")
