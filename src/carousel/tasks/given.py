"""Sentences that `carousel predict` is given: in an option, in place of a file, or in a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from carousel.data.text import read_text
from carousel.errors import ConfigError, DataError
from carousel.tasks.task import Notice, Request

_NAMED = 10


def sentences_of(request: Request, task: str) -> tuple[list[str], list[Notice]]:
    """The sentences to answer, none of them blank, and what there is to say of them.

    Raises `ConfigError` or `DataError` if there is none, or it cannot be told what was meant.
    """
    text = request.only(task, "text").get("text")
    if (text is None) == (request.input is None):
        raise ConfigError("give a sentence (--text, or in quotation marks) or a file of them")
    given = lines_of(request.input) if request.input is not None else [text or ""]
    sentences = [sentence.strip() for sentence in given if sentence.strip()]
    if not sentences:
        raise DataError("there is no sentence in it: it is empty")
    blank = len(given) - len(sentences)
    notice = Notice(f"{blank} blank line{'s' * (blank > 1)} passed over")
    return sentences, [notice] if blank else []


def lines_of(source: Path) -> list[str]:
    """The lines of a file, or what was given itself where it is plainly a sentence.

    Raises `DataError` if it is neither.
    """
    try:
        is_file = source.is_file()
    except OSError:  # too long for a name
        is_file = False
    if is_file:
        return read_text(source).removesuffix("\n").split("\n")
    sentence = str(source)
    if any(c.isspace() or not c.isascii() for c in sentence):
        return [sentence]
    raise DataError(f"there is no file {source}; for a sentence of one word use --text")


def unknown_notice(unknown: Iterable[str]) -> list[Notice]:
    """Names the first few tokens that a model does not know, if there are any."""
    names = list(dict.fromkeys(unknown))
    if not names:
        return []
    shown = " ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
    return [Notice(f"not in the model's vocabulary, read as <unk>: {shown}")]
