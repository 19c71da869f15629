"""Input and options of a command that asks a trained model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from carousel.errors import ConfigError, DataError
from carousel.tasks.shared.given import SentenceModel, is_file
from carousel.tasks.shared.task import Given, TrainedModel


@dataclass(frozen=True)
class Request:
    """Input and options given to a command.

    why: whether to say what moved a decision; None where nobody said.
    """

    input: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)
    as_json: bool = False
    why: bool | None = None


@runtime_checkable
class ReadsTexts(Protocol):
    """A trained model whose input may be a text in place of a file."""

    def read_texts(self, texts: Sequence[str]) -> Given: ...


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
    for name in request.options:
        if name not in known:
            option, task = name.replace("_", "-"), model.config.task
            raise ConfigError(f"--{option} means nothing to a model of the task '{task}'")


def given_of(model: TrainedModel, request: Request) -> Given:
    """The inputs that a request names. Raises `ConfigError` or `DataError` if there are none."""
    if isinstance(model, SentenceModel):
        return _sentences(model, request.input, request.options.get("text"))
    text = request.options.get("text")
    if text is not None and isinstance(model, ReadsTexts):
        if request.input is not None:
            raise ConfigError("give a text (--text) or a file of it, not both")
        return model.read_texts([text])
    if request.input is None:
        more = "give a text (--text) or a file of it"
        raise ConfigError(more if isinstance(model, ReadsTexts) else model.wants)
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
    """Text given in place of a file, where it is plainly a sentence."""
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
