"""The texts of reports: a TOML file of key and sentence per language, all with the same keys."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from carousel import scores
from carousel.data.said import said
from carousel.particles import with_particles

FOLDER = Path(__file__).parent / "texts"


class Words:
    """The texts in one language.

    >>> Words("en")("curves")
    'Curves'
    """

    def __init__(self, language: str) -> None:
        self.language = language if (FOLDER / f"{language}.toml").is_file() else "en"
        self._texts = texts(self.language)

    def __call__(self, key: str, **values: object) -> str:
        """The text of that key, with the values in its braces. Raises `KeyError`."""
        text = self._texts[key]
        return with_particles(text.format(**values)) if values else text

    def said(self, sentence: str) -> str:
        """A word or sentence of the program, such as a baseline's name, in this language."""
        return said(sentence, self.language)

    def metric(self, name: str) -> str:
        """A metric's title in this language."""
        return said(scores.title(name), self.language)

    def known(self, key: str, otherwise: str) -> str:
        """The text of that key, where there is one."""
        return self._texts.get(key, otherwise)


@cache
def texts(language: str) -> dict[str, str]:
    """Every text in that language, by key."""
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
