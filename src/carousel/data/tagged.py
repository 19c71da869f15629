"""Words with a tag beside each, such as its part of speech, which a network reads too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from carousel.errors import DataError


class Tagged(str):
    """A word as a text, with the tag that was given beside it; it is equal to the word alone.

    >>> word = Tagged("runs", "VBZ")
    >>> word == "runs", word.tag
    (True, 'VBZ')
    """

    tag: str

    def __new__(cls, word: str, tag: str) -> Tagged:
        made = super().__new__(cls, word)
        made.tag = tag
        return made

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """Arguments that make it anew in another process."""
        return str(self), self.tag


def tag_of(word: str) -> str:
    """Tag that stands beside a word, "" if none does."""
    return word.tag if isinstance(word, Tagged) else ""


def with_tags(words: Iterable[str], tags: Iterable[str]) -> list[str]:
    """Words with their tags, in the same order."""
    return [Tagged(word, tag) for word, tag in zip(words, tags, strict=True)]


def from_pairs(sentence: Any) -> Any:
    """The words of a sentence, of which pairs (word, tag) are words with their tags; what is no
    sentence stays as it is.

    >>> [tag_of(word) for word in from_pairs(["a", ("cat", "NN")])]
    ['', 'NN']
    """
    if not isinstance(sentence, Iterable):
        return sentence
    return [Tagged(*one) if _is_pair(one) else one for one in sentence]


def _is_pair(one: object) -> bool:
    return isinstance(one, tuple) and len(one) == 2 and all(isinstance(part, str) for part in one)


def require_tags(sentences: Iterable[Sequence[str]]) -> None:
    """Raise `DataError` for the first word without a tag."""
    for word in chain.from_iterable(sentences):
        if not tag_of(word):
            raise DataError(
                f"the model reads a tag beside each word and '{word}' has none: give pairs (word, "
                f"tag), or a file in columns that has the tags where those of training stood"
            )
