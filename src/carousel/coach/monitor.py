"""Asks every rule, look by look, and keeps findings from flickering."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carousel.coach.evidence import Evidence
from carousel.coach.finding import Finding
from carousel.coach.rules import RULES, Rule
from carousel.config import CoachConfig

_LOOKS = 20


def is_due(step: int, total_steps: int) -> bool:
    """True if rules look at this step: twenty times a run, besides the end of every epoch."""
    each = max(1, total_steps // _LOOKS)
    return step % each == 0


@dataclass
class _Streak:
    speaks: int = 0
    silent: int = 0


@dataclass
class Monitor:
    """The findings that stand, from look to look.

    A finding is raised when its rule has spoken in `confirm` looks in a row (a steady rule: in
    one), and taken back when it was silent in `clear`. The numbers are those of the newest look in
    which it spoke. What was raised stays on `raised`.
    """

    settings: CoachConfig
    language: str = "en"
    standing: dict[str, Finding] = field(default_factory=dict)
    raised: dict[str, Finding] = field(default_factory=dict)
    _streaks: dict[str, _Streak] = field(default_factory=dict)

    def look(self, evidence: Evidence, *, finished: bool = False) -> list[Finding]:
        """The findings that this look has raised. finished: ask what is asked at the end too."""
        new = []
        for code, rule in RULES.items():
            if rule.when == "after" and not finished:
                continue
            finding = self._ask(rule, evidence)
            if finding is None:
                self._silent(code)
                continue
            key = code if finding.code == code else f"{code}!"
            if self._spoken(key, rule.steady or finding.code != code or finished, finding):
                new.append(finding)
        return new

    def _ask(self, rule: Rule, evidence: Evidence) -> Finding | None:
        try:
            numbers = self._numbers(rule, evidence)
            if numbers is None:
                return None
            return rule.finding(
                numbers, self.language, evidence.config, evidence.step, run=evidence.run
            )
        except Exception as error:  # a rule that fails must not stop a run: it is told as it is
            told = f"{type(error).__name__}: {error}"
            numbers = {"rule": rule.code, "error": told}
            return RULES["rule-failed"].finding(numbers, self.language, step=evidence.step)

    def _numbers(self, rule: Rule, evidence: Evidence) -> Mapping[str, Any] | None:
        """Numbers from a check before training, or else from the rule's judge."""
        found: Mapping[str, Any] | None = evidence.facts.get("checks", {}).get(rule.code)
        if found is None and rule.judge is not None:
            return rule.judge(evidence, self.settings.thresholds)
        return found

    def _spoken(self, key: str, at_once: bool, finding: Finding) -> bool:
        streak = self._streaks.setdefault(key, _Streak())
        streak.speaks, streak.silent = streak.speaks + 1, 0
        if key in self.standing:
            self.standing[key] = dataclasses.replace(finding, step=self.standing[key].step)
            self.raised[key] = self.standing[key]
            return False
        if streak.speaks < self.settings.confirm and not at_once:
            return False
        self.standing[key] = self.raised[key] = finding
        return True

    def _silent(self, code: str) -> None:
        streak = self._streaks.setdefault(code, _Streak())
        streak.speaks, streak.silent = 0, streak.silent + 1
        if streak.silent >= self.settings.clear:
            self.standing.pop(code, None)


def diagnose(
    evidence: Evidence,
    settings: CoachConfig | None = None,
    language: str = "en",
    *,
    finished: bool = True,
) -> Monitor:
    """Look at a record as a run would have: at every look, then at the whole of it."""
    settings = settings or (evidence.config.coach if evidence.config else CoachConfig())
    monitor = Monitor(settings, language)
    total = int(evidence.facts.get("total_steps") or evidence.step)
    ends = {int(epoch["step"]) for epoch in evidence.epochs}
    looks = {step for step in range(evidence.step) if is_due(step, total)} | ends
    for step in sorted(looks - {0}):
        monitor.look(evidence.until(step))
    monitor.look(evidence, finished=finished)
    return monitor
