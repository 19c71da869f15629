"""Texts that a trained model is given: by a program, or in a file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel.data.files.table_texts import texts_in
from carousel.data.files.text import read_text, suffix_of
from carousel.data.table import is_table
from carousel.errors import DataError
from carousel.tasks.shared.task import Given, Notice, TrainedModel

_NAMED = 10


def several(given: object, what: str = "sentences") -> list[Any]:
    """List of what a program hands over; a single text is a list of one.

    Raises `DataError` for what is no list: a table would give the names of its columns.
    """
    if isinstance(given, str):
        return [given]
    table = isinstance(given, bytes | Mapping) or hasattr(given, "columns")
    if table or not isinstance(given, Iterable):
        raise DataError(f"the {what} must be a list of texts, got {type(given).__name__}")
    return list(given)


def texts_of(given: object, what: str = "sentences") -> list[str]:
    """The texts that a program hands over: several, or a single one, which is one text.

    Raises `DataError` for what is no text, and names it.

    >>> texts_of("good"), texts_of(("good", "bad"))
    (['good'], ['good', 'bad'])
    """
    texts = several(given, what)
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            raise DataError(
                f"number {number} of the {what} must be a text, got {type(text).__name__}: "
                f"{str(text)[:40]}"
            )
    return texts


def one_text(given: object, what: str) -> str:
    """A text that a program hands over. Raises `DataError` for anything else."""
    if not isinstance(given, str):
        raise DataError(f"the {what} must be a single text, got {type(given).__name__}")
    return given


@dataclass(frozen=True)
class Listed:
    """The sentences of a text in their order, blank ones too.

    inputs: as the model takes them. note: what of the text was read, in words; "" if all. header:
    whether its first line names columns.
    """

    inputs: Sequence[Any]
    note: str = ""
    header: bool = False


class SentenceModel(TrainedModel):
    """A trained model whose inputs are sentences.

    in_blocks: a sentence may take several lines of a file, up to a blank one.
    """

    in_blocks = False

    def read(self, path: Path) -> Given:
        """The sentences of a file: its lines, or a column where it has several."""
        return self._given(*self._read_file(path))

    def read_texts(self, texts: Sequence[str]) -> Given:
        """Sentences that are texts, without those that are blank."""
        return self._given(texts, "")

    def _read_file(self, path: Path) -> tuple[list[str], str]:
        """The sentences of a file; and what of it was read, in words ("" if all)."""
        listed = self.listed_table(path)
        if listed is None:
            listed = self.listed(read_text(path), path)
        return [*listed.inputs], listed.note

    def listed(self, text: str, path: Path) -> Listed:
        """The sentences of a text, which is a file or a piece of it: its lines, or a column."""
        return Listed(text.removesuffix("\n").split("\n"))

    def listed_table(self, path: Path) -> Listed | None:
        """The sentences of a table by its column of training; None of files that are no table, and
        for a model that knows no such column."""
        if not self.config.columns.text or self.in_blocks or not is_table(path):
            return None
        return None if suffix_of(path) == ".txt" else Listed(*texts_in(path, self.config))

    def unknown_in(self, sentence: Any) -> Iterable[str]:
        """The tokens of a sentence, as the model takes it, that the model does not know."""
        return self._unknown_in(sentence)

    @abstractmethod
    def _unknown_in(self, text: str) -> Iterable[str]:
        """The tokens of a sentence that the model does not know."""

    def _given(
        self, texts: Sequence[str], note: str, unknown: Iterable[str] | None = None
    ) -> Given:
        """unknown: tokens that the model does not know, where the texts alone do not tell."""
        sentences = [text.strip() for text in texts if text.strip()]
        if not sentences:
            raise DataError("there is no sentence in it: it is empty")
        notices = [Notice(note)] if note else []
        if blank := len(texts) - len(sentences):
            what = "sentence" if note else "line"
            notices.append(Notice(f"{blank} blank {what}{'s' * (blank > 1)} passed over"))
        if unknown is None:
            unknown = (token for s in sentences for token in self._unknown_in(s))
        notices += unknown_notice(unknown)
        facts = tuple({"text": sentence} for sentence in sentences)
        numbers = tuple(str(number) for number in range(1, len(sentences) + 1))
        return Given(sentences, facts, numbers, tuple(notices), noun="sentence")


def is_file(source: Path) -> bool:
    """True if there is a file of this name; a sentence may be too long for one."""
    try:
        return source.is_file()
    except (OSError, ValueError):
        return False


def unknown_notice(unknown: Iterable[str]) -> list[Notice]:
    """Names the first few tokens that a model does not know, if there are any."""
    names = list(dict.fromkeys(unknown))
    if not names:
        return []
    shown = " ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
    return [Notice(f"not in the model's vocabulary, read as <unk>: {shown}")]
