"""Messages of a run: the coach's findings, and turns such as a resumption."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from carousel.coach.finding import SEVERITIES, Advice, Finding
from carousel.coach.rules import RULES
from carousel.coach.words import LANGUAGES
from carousel.particles import with_particles
from carousel.run.events import Diverged, FindingCleared, FindingRaised, Interrupted, Resumed
from carousel.run.reading import events, reading

_TURNS = (Resumed.kind, Interrupted.kind, Diverged.kind)


@dataclass(frozen=True)
class Said:
    """One sentence at one step. severity: info, warning or severe. numbers: what made it speak.

    until: the step from which on it was no longer so, if that was said.
    """

    step: int
    title: str
    severity: str = "info"
    numbers: str = ""
    advice: tuple[Advice, ...] = ()
    until: int | None = None


def said_of(path: Path, language: str) -> list[Said]:
    """Every finding and turn of a run, the severe ones first. Raises `RunError`.

    A finding has a code, a severity, a title and advice; of several languages, the one asked for.
    """
    found = list(_all(path, language))
    return sorted(found, key=lambda said: (-SEVERITIES.index(said.severity), said.step))


def _all(path: Path, language: str) -> Iterator[Said]:
    with reading(path) as store:
        kinds = store.kinds()
    for kind in kinds:
        if kind in _TURNS:
            for event in events(path, kind):
                what = ": ".join(str(event[k]) for k in ("what", "tensor") if k in event)
                severe = "severe" if kind == Diverged.kind else "info"
                yield Said(event["step"], f"{kind} {what}".strip(), severe)
        elif kind == FindingRaised.kind:
            cleared = list(events(path, FindingCleared))
            for event in events(path, kind):
                yield _finding(event, language, _until(event, cleared))


def _until(event: dict[str, Any], cleared: list[dict[str, Any]]) -> int | None:
    """The step at which the finding of that code was next taken back."""
    code, when = event.get("code"), event["time"]
    later = (entry for entry in cleared if entry.get("code") == code and entry["time"] >= when)
    return next((int(entry["step"]) for entry in later), None)


def _finding(event: dict[str, Any], language: str, until: int | None) -> Said:
    severity, numbers, advice = (event.get(name) for name in ("severity", "numbers", "advice"))
    finding = Finding(
        code=str(event.get("code", "")),
        severity=severity if severity in SEVERITIES else "info",
        title=_in(event.get("title", event.get("code", "")), language),
        numbers=numbers if isinstance(numbers, dict) else {},
        advice=tuple(
            _advice(entry, language)
            for entry in (advice if isinstance(advice, list) else ())
            if entry
        ),
        step=event["step"],
    )
    title, advice = finding.title, finding.advice
    if not isinstance(event.get("title"), dict):  # recorded in one language
        title, advice = _spoken(finding, language)
    return Said(finding.step, title, finding.severity, finding.seen, advice, until)


def _spoken(finding: Finding, language: str) -> tuple[str, tuple[Advice, ...]]:
    """Title and advice in that language: of a rule that is known, and whose numbers are numbers.

    A run records them in the language that was spoken then; lines to paste are the same in all.
    """
    recorded = finding.title, finding.advice
    rule = RULES.get(finding.code)
    if rule is None or any(isinstance(value, str) for value in finding.numbers.values()):
        return recorded
    try:
        title = with_particles(rule.text(language).title.format_map(finding.numbers))
    except (KeyError, ValueError, TypeError):  # of another version, with other numbers
        return recorded
    said = {words: n for spoken in LANGUAGES for n, words in enumerate(rule.text(spoken).advice)}
    here = rule.text(language).advice
    return title, tuple(
        replace(one, text=here[said[one.text]]) if one.text in said else one
        for one in finding.advice
    )


def _advice(entry: Any, language: str) -> Advice:
    words = entry if isinstance(entry, dict) else {"text": entry}
    return Advice(_in(words.get("text", ""), language), _in(words.get("do") or "", language))


def _in(text: Any, language: str) -> str:
    if isinstance(text, dict):
        text = text.get(language, text.get("en", ""))
    return str(text)
