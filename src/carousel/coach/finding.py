"""What the coach says: a finding, with the numbers that made it speak and what to try first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SEVERITIES = ("info", "warning", "severe")
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


def by_severity(findings: list[Finding]) -> list[Finding]:
    """The severe ones first; among equals, in the order they came."""
    return sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity))
