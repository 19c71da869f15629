"""Findings: numbers that made a rule speak, and what to try first.

How one reads, in a line or in full, is said here alone; who prints it chooses colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from carousel.coach.words import texts

SEVERITIES = ("info", "warning", "severe")
Number = float | int | str
Numbers = Mapping[str, Number]


@dataclass(frozen=True)
class Advice:
    """Something to try. do: a `--set` line or a command that can be pasted, or empty."""

    text: str
    do: str = ""

    def __str__(self) -> str:
        return f"{self.text}  {self.do}" if self.do else self.text


@dataclass(frozen=True)
class Finding:
    """One thing that the coach has seen.

    code: of its rule. severity: one of `SEVERITIES`. title: a sentence. meaning: why it matters.
    numbers: what made it speak, by name. step: the optimiser step of the look, 0 before training.
    advice: what to try, best first. false_alarm: when it may be none. source: keys of `SOURCES`.

    >>> finding = Finding("plateau", "info", "The loss stands still.", step=40)
    >>> finding.to_dict()["title"]
    'The loss stands still.'
    >>> print(finding)
    note: The loss stands still. (plateau)
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
        """Finding as JSON can hold it."""
        return asdict(self)

    @property
    def seen(self) -> str:
        """Its numbers in a line.

        >>> Finding("plateau", "info", "", numbers={"change": 0.00012346, "steps": 40}).seen
        'change 0.0001235, steps 40'
        """
        return ", ".join(f"{name} {_number(value)}" for name, value in self.numbers.items())

    def line(self, language: str = "en") -> str:
        """Finding and first advice in one line."""
        words = texts(language)["finding"]
        found = f"{words[self.severity]}: {self.title} ({self.code})"
        return f"{found} {words['try']}: {self.advice[0]}" if self.advice else found

    def lines(self, language: str = "en") -> Iterator[tuple[str, str]]:
        """All of it, line by line, each with its kind: meaning, advice, command or aside. Who
        shows it puts severity and title above."""
        words = texts(language)["finding"]
        yield "meaning", self.meaning
        for number, advice in enumerate(self.advice, 1):
            yield "advice", f"{words['try']} {number}: {advice.text}"
            if advice.do:
                yield "command", f"  {advice.do}"
        yield "aside", f"{words['false']} {self.false_alarm}"
        where = f", {words['step']} {self.step}" if self.step else ""
        yield "aside", f"{words['numbers']}: {self.seen or '-'}{where}"
        yield "aside", f"{self.code}; {words['source']}: {self.source}"

    def text(self, language: str = "en") -> str:
        """All of it as a paragraph."""
        head = f"{texts(language)['finding'][self.severity]}  {self.title}"
        return "\n  ".join([head, *(line for _, line in self.lines(language))])

    def __str__(self) -> str:
        return self.line()


def by_severity(findings: list[Finding]) -> list[Finding]:
    """The severe ones first; among equals, in the order they came."""
    return sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity))


def _number(value: Number) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
