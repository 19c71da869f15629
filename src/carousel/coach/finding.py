"""What the coach says: a finding, with the numbers that made it speak and what to try first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from carousel.errors import ConfigError

SEVERITIES = ("info", "warning", "severe")
LANGUAGES = ("en", "ko")
Number = float | int | str
Numbers = Mapping[str, Number]


@dataclass(frozen=True)
class Advice:
    """Something to try. do: a `--set` line or a command that can be pasted, or empty."""

    text: str
    do: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that the coach has seen.

    code: of its rule. severity: one of `SEVERITIES`. title: a sentence. meaning: why it matters.
    numbers: what made it speak, by name. step: the optimiser step of the look, 0 before training.
    advice: what to try, best first. false_alarm: when it may be none. source: keys of `SOURCES`.

    >>> finding = Finding("plateau", "info", "The loss stands still.", step=40)
    >>> finding.to_dict()["title"]
    'The loss stands still.'
    """

    code: str
    severity: str
    title: str
    meaning: str = ""
    numbers: dict[str, Number] = field(default_factory=dict)
    advice: tuple[Advice, ...] = ()
    false_alarm: str = ""
    source: str = ""
    step: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.severity}: {self.title} ({self.code})"


def in_language(numbers: Mapping[str, Any], language: str) -> dict[str, Number]:
    """Numbers of which some are words by language, such as {"en": …, "ko": …}, in one of them.

    >>> in_language({"loss": 2.0, "what": {"en": "late", "ko": "늦음"}}, "ko")
    {'loss': 2.0, 'what': '늦음'}
    """
    return {n: v[language] if isinstance(v, dict) else v for n, v in numbers.items()}


def by_severity(findings: list[Finding]) -> list[Finding]:
    """The severe ones first; among equals, in the order they came."""
    return sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity))


def language(asked: str | None = None) -> str:
    """The language to speak: the one asked for, else the locale's, else English.

    Raises `ConfigError` for one that the coach does not speak.

    >>> language("ko")
    'ko'
    """
    if asked:
        if asked not in LANGUAGES:
            raise ConfigError(f"--lang must be one of {', '.join(LANGUAGES)}; got '{asked}'")
        return asked
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            found = os.environ[name].partition("_")[0].partition(".")[0]
            return found if found in LANGUAGES else "en"
    return "en"
