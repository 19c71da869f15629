"""What a command was given for a trained model: its inputs, and the options that it understands."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from carousel.errors import ConfigError, DataError
from carousel.tasks.shared.given import SentenceModel, is_file
from carousel.tasks.shared.task import Given, Request, TrainedModel

__all__ = ["Request", "given_of", "keywords", "refuse_others"]


def keywords(function: Callable[..., Any]) -> set[str]:
    """The arguments that a function takes by name only."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


def refuse_others(model: TrainedModel, request: Request, known: set[str]) -> None:
    """Raise `ConfigError` for an option that the model has no use for.

    known: options besides those of reading the input.
    """
    known = known | keywords(model.read)
    if isinstance(model, SentenceModel):
        known.add("text")
    request.only(model.config.task, *known)


def given_of(model: TrainedModel, request: Request) -> Given:
    """The inputs that a request names. Raises `ConfigError` or `DataError` if there are none."""
    if isinstance(model, SentenceModel):
        return _sentences(model, request.input, request.options.get("text"))
    if request.input is None:
        raise ConfigError(model.wants)
    reading = keywords(model.read)
    return model.read(request.input, **{n: v for n, v in request.options.items() if n in reading})


def _sentences(model: SentenceModel, source: Path | None, text: str | None) -> Given:
    if source is not None and text is None:
        if is_file(source):
            return model.read(source)
        return model.read_texts([_sentence(source)])
    if source is None and text is not None:
        return model.read_texts([text])
    raise ConfigError("give a sentence (--text, or in quotation marks) or a file of them")


def _sentence(source: Path) -> str:
    """What was given in place of a file, where it is plainly a sentence."""
    try:
        folder = source.is_dir()
    except (OSError, ValueError):  # too long for a name
        folder = False
    if folder:
        raise DataError(f"{source} is a folder: give a file of sentences")
    sentence = str(source)
    if any(c.isspace() or not c.isascii() for c in sentence):
        return sentence
    raise DataError(f"there is no file {source}; for a sentence of one word use --text")
