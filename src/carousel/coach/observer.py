"""Measures a training while it goes on, within its budget, and asks the rules."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack

from torch import Tensor, nn

from carousel.coach.budget import Budget
from carousel.coach.evidence import Evidence
from carousel.coach.finding import Finding
from carousel.coach.monitor import Monitor, is_due
from carousel.coach.probe import look_inside
from carousel.coach.rules import RULES
from carousel.coach.watch import Call, watch
from carousel.coach.weights import (
    Block,
    blocks_of,
    histogram,
    sample,
    spectral_radii,
    update_numbers,
)
from carousel.config import CoachConfig
from carousel.run.events import Event, FindingCleared, FindingRaised, Histogram, Profiles

KINDS = ("updates", "inside", "outputs", "histograms", "spectrum")
_LOOKS_A_RUN = 250
_EIGENVALUES_A_SECOND = 1.5e8  # units cubed

Record = Callable[[int, dict[str, float]], None]
Note = Callable[[int, Event], None]


class Observer:
    """Shared part of `carousel.train` and `carousel.Coach`.

    record(step, values) and event(step, event) take what is measured, as those of
    `EventStore`; probe runs a fixed batch and returns its calls, or None: then the calls of the
    step itself are looked at. outputs: what the answers look like on validation data, if known.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: CoachConfig,
        evidence: Evidence,
        record: Record,
        event: Note,
        *,
        total_steps: int = 0,
        probe: Callable[[], list[Call]] | None = None,
        outputs: Callable[[], dict[str, float]] | None = None,
        language: str = "en",
    ) -> None:
        self.model, self.settings, self.evidence = model, settings, evidence
        self._record, self._event, self._probe = record, event, probe
        self._outputs = outputs
        self.total_steps = total_steps
        self.monitor = Monitor(settings, language)
        self.blocks: list[Block] = blocks_of(model)
        kinds = tuple(kind for kind in KINDS if kind != "outputs" or outputs is not None)
        spacing = max(1, total_steps // _LOOKS_A_RUN)
        self.budget = Budget(settings.budget, kinds, spacing)
        cubes = sum(b.of(b.parameter).size(-1) ** 3 for b in self.blocks if b.recurrent)
        self.budget.expect("spectrum", cubes / _EIGENVALUES_A_SECOND)
        self._kind: str | None = None
        self._before: list[Tensor] = []
        self._calls: list[Call] = []
        self._watching = ExitStack()

    def before_step(self, step: int) -> None:
        """Call before the forward pass of optimiser step number `step`, from 1 on."""
        self._kind = self.budget.choose(step)
        if self._kind == "updates" or self._kind == "histograms":
            with self.budget.spending():
                self._before = [sample(b.of(b.parameter)).clone() for b in self.blocks]
        elif self._kind == "inside" and self._probe is None:
            self._calls = self._watching.enter_context(watch(self.model))

    def after_step(self, step: int, values: dict[str, float], clip_scale: float = 1.0) -> None:
        """Call after the optimiser's step. values: of the step, such as its loss, already
        recorded; clip_scale: by how much the gradient was shortened."""
        self.note(step, values)
        kind, self._kind = self._kind, None
        if kind is None:
            return
        with self.budget.spending(kind):
            try:
                measured = self._measure(kind, step, clip_scale)
            except Exception as error:  # measuring must not stop what it measures
                self.failed(kind, step, error)
                return
            measured["coach/share"] = self.budget.taken
            finite = {name: v for name, v in measured.items() if math.isfinite(v)}
            self._record(step, finite)
            self.note(step, finite)

    def _measure(self, kind: str, step: int, clip_scale: float) -> dict[str, float]:
        if kind == "spectrum":
            return spectral_radii(self.blocks)
        if kind == "outputs" and self._outputs is not None:
            return {f"output/{name}": value for name, value in self._outputs().items()}
        if kind == "inside":
            calls = self._probe() if self._probe is not None else self._calls
            self._watching.close()
            self._calls = []
            found = look_inside(calls, self.settings.probe_rows, self.settings.lag)
            self._event(step, Profiles(found.profiles))
            return found.numbers
        before, self._before = self._before, []
        if kind == "histograms":
            for block, old in zip(self.blocks, before, strict=True):
                new = sample(block.of(block.parameter))
                bins = histogram(new), histogram(new - old)
                self._event(step, Histogram(block.name, *bins))
        return update_numbers(self.blocks, before, clip_scale)

    def failed(self, kind: str, step: int, error: Exception) -> None:
        """Give a measurement up, and say so."""
        self._watching.close()
        self.budget.give_up(kind)
        numbers = {"rule": kind, "error": f"{type(error).__name__}: {error}"}
        language = self.monitor.language
        finding = RULES["rule-failed"].finding(numbers, language, step=step)
        self.monitor.standing[f"{kind}!"] = self.monitor.raised[f"{kind}!"] = finding
        self._event(step, _raised(finding))

    def note(self, step: int, values: dict[str, float]) -> None:
        """Let the rules know of numbers that are recorded elsewhere."""
        self.evidence.add(step, values)

    def is_due(self, step: int) -> bool:
        return self.total_steps > 0 and is_due(step, self.total_steps)

    def judge(self, step: int, *, finished: bool = False) -> list[Finding]:
        """Ask the rules; what is new is recorded, and returned."""
        with self.budget.spending():
            standing = set(self.monitor.standing)
            new = self.monitor.look(self.evidence, finished=finished)
            for finding in new:
                self._event(step, _raised(finding))
            for code in standing - set(self.monitor.standing):
                self._event(step, FindingCleared(code))
        return new


def _raised(finding: Finding) -> FindingRaised:
    said = finding.to_dict()
    del said["step"]  # every event has one
    return FindingRaised(**said)
