"""Texts of the coach, by key: a TOML file per language in texts/, all with the same keys.

A language is spoken as soon as its file is there.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from carousel.data.said import said
from carousel.errors import ConfigError
from carousel.particles import with_particles
from carousel.places import setting

FOLDER = Path(__file__).parent / "texts"
Said = dict[str, str]  # a text by language


def languages() -> tuple[str, ...]:
    """Languages with a file of texts, English first."""
    return ("en", *sorted({path.stem for path in FOLDER.glob("*.toml")} - {"en"}))


LANGUAGES = languages()


@dataclass(frozen=True)
class Text:
    """A rule in one language. title may hold numbers in braces; advice: as many as `Rule.do`."""

    title: str
    meaning: str
    fires: str
    advice: tuple[str, ...]
    false_alarm: str


@cache
def texts(language: str) -> dict[str, dict[str, Any]]:
    """Every text in that language, by table and key."""
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


@cache
def text_of(code: str, language: str) -> Text:
    """The texts of a rule. Raises `KeyError` for a rule that has none."""
    found = texts(language)["rules"][code]
    return Text(**{**found, "advice": tuple(found["advice"])})


def word(table: str, key: str, language: str, **values: object) -> str:
    """One text, with the values in its braces.

    >>> word("page", "try", "en")
    'Try'
    """
    text = str(texts(language)[table][key])
    return with_particles(text.format(**values)) if values else text


def sentence(key: str, **values: object) -> Said:
    """A sentence of a check in every language, for whoever reads it later.

    >>> sentence("other_row", row=2)["en"]
    'the output of row 0 of a batch depends on row 2'
    """
    return in_every_language("checks", key, **values)


def in_every_language(table: str, key: str, **values: object) -> Said:
    """One text in every language.

    >>> in_every_language("parts", "f")
    {'en': 'forget gate', 'ko': '망각 게이트'}
    """
    return {language: word(table, key, language, **values) for language in LANGUAGES}


def said_in_every_language(text: str) -> Said:
    """An English text of the data's own, such as the name of a metric, in every language.

    >>> said_in_every_language("accuracy")
    {'en': 'accuracy', 'ko': '정확도'}
    """
    return {language: said(text, language) for language in LANGUAGES}


def in_language(numbers: Mapping[str, Any], language: str) -> dict[str, float | int | str]:
    """Numbers of which some are words by language, such as {"en": …, "ko": …}, in one of them;
    in English what was written down before that language was spoken.

    >>> in_language({"loss": 2.0, "what": {"en": "late", "ko": "늦음"}}, "ko")
    {'loss': 2.0, 'what': '늦음'}
    """
    return {n: v.get(language) or v["en"] if isinstance(v, dict) else v for n, v in numbers.items()}


_ASKED: ContextVar[str | None] = ContextVar("language", default=None)


@contextmanager
def speaking(asked: str | None) -> Iterator[None]:
    """Speak a language wherever none is asked for inside the block; None changes nothing.

    Raises `ConfigError` for one that the coach does not speak, before the block is entered.

    >>> with speaking("ko"):
    ...     language()
    'ko'
    """
    token = _ASKED.set(language(asked) if asked else _ASKED.get())
    try:
        yield
    finally:
        _ASKED.reset(token)


def language(asked: str | None = None) -> str:
    """The language to speak: the one asked for, else that of `speaking`, else the user's, else the
    locale's, else English.

    The user's is the setting `lang` of `carousel.places`.

    Raises `ConfigError` for one that the coach does not speak.

    >>> language("ko")
    'ko'
    """
    if asked := asked or _ASKED.get() or setting("lang"):
        if asked not in LANGUAGES:
            raise ConfigError(f"lang must be one of {', '.join(LANGUAGES)}; got '{asked}'", "lang")
        return asked
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            spoken = os.environ[name].partition("_")[0].partition(".")[0]
            return spoken if spoken in LANGUAGES else "en"
    return "en"
