"""Findings of an audit, and their words in every language there is a file of."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from carousel.data.counting import singular
from carousel.data.said import said
from carousel.particles import with_particles

FOLDER = Path(__file__).parent / "texts"
SEVERITIES = ("info", "warning", "severe")
LANGUAGES = ("en", *sorted({path.stem for path in FOLDER.glob("*.toml")} - {"en"}))


@cache
def texts(language: str) -> dict[str, Any]:
    """Every text in a language, by table and key."""
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a table, or to be known of it.

    code: of its check, such as "D004". severity: "info", "warning" or "severe". columns: that it is
    about. numbers: what made it speak, by name. written: its words, where it was read from a file.

    >>> print(Finding("D004", "info", ("site",)))
    note D004: 'site': one value in all rows.
    """

    code: str
    severity: str
    columns: tuple[str, ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)

    def text(self, key: str, language: str = "en") -> str:
        """Its "title", what is "done", or how to "change" that, with its numbers."""
        shown = ", ".join(f"'{name}'" for name in self.columns[:_NAMED])
        if len(self.columns) > _NAMED:
            shown += f" (+{len(self.columns) - _NAMED})"
        known = texts(language)["findings"].get(self.code)
        if known is None:
            return self.written.get(key, "")
        pattern = str(known[key])
        numbers = dict(self.numbers)
        if "step" in numbers:  # such as 1 day
            numbers["step"] = said(str(numbers["step"]), language)
        told = pattern.format(columns=shown, **numbers)
        return singular(told) if language == "en" else with_particles(told)

    def line(self, language: str = "en") -> str:
        """Severity, code and what was found."""
        severity = texts(language)["words"][self.severity]
        return f"{severity} {self.code}: {self.text('title', language)}"

    def lines(self, language: str = "en") -> list[str]:
        """All of it: what was found, what is done, and how to change that."""
        words = texts(language)["words"]
        return [
            self.line(language),
            f"  {words['done']}: {self.text('done', language)}",
            f"  {words['change']}: {self.text('change', language)}",
        ]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Finding:
        """The finding that `to_dict` wrote down; its words are those of then where it has a code
        that is not known here."""
        return cls(
            str(values["code"]),
            str(values["severity"]),
            tuple(values.get("columns", ())),
            {**values.get("numbers", {})},
            {key: str(values[key]) for key in ("title", "done", "change") if key in values},
        )

    def to_dict(self, language: str = "en") -> dict[str, Any]:
        """The finding as JSON can hold it."""
        said = {key: self.text(key, language) for key in ("title", "done", "change")}
        return {
            "code": self.code,
            "severity": self.severity,
            "columns": list(self.columns),
            "numbers": dict(self.numbers),
            **said,
        }

    def __str__(self) -> str:
        return self.line()


_NAMED = 6


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """The severe ones first; among equals, by their codes."""
    return sorted(findings, key=lambda f: (-SEVERITIES.index(f.severity), f.code))
