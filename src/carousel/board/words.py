"""The board's texts: a TOML file of key and sentence per language, all with the same keys."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from carousel import scores
from carousel.data.said import said

FOLDER = Path(__file__).parent / "texts"
LANGUAGES = {"en": "English", "ko": "한국어"}


class Words:
    """The texts in one language.

    >>> Words("en")("seconds_ago", n=3)
    '3 s ago'
    """

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "en"
        self._texts = texts(self.language)

    def __call__(self, key: str, **values: object) -> str:
        """The text of that key, with the values in its braces. Raises `KeyError`."""
        return self._texts[key].format(**values) if values else self._texts[key]

    def said(self, sentence: str) -> str:
        """A word or sentence of the program, such as why a training ended, in this language."""
        return said(sentence, self.language)

    def metric(self, name: str) -> str:
        """A metric's title in this language."""
        return said(scores.title(name), self.language)

    def title(self, name: str) -> str:
        """The title of a chart over series of that name: their own name where there is none."""
        return self._texts.get(f"title_{name}", name)


@cache
def texts(language: str) -> dict[str, str]:
    """Every text in that language, by key."""
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


def preferred(header: str) -> str:
    """The first language of an Accept-Language header that the board speaks; English if none.

    >>> preferred("fr-FR, ko-KR;q=0.8, en;q=0.5"), preferred("de")
    ('ko', 'en')
    """
    wanted = []
    for position, part in enumerate(header.split(",")):
        name, _, rest = part.strip().partition(";")
        try:
            weight = float(rest.strip().removeprefix("q=")) if rest else 1.0
        except ValueError:
            weight = 0.0
        wanted.append((-weight, position, name.partition("-")[0].lower()))
    return next((name for _, _, name in sorted(wanted) if name in LANGUAGES), "en")
