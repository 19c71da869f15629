"""The coach of a run: it looks on while the loop trains, and never touches what is trained."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from carousel import scores
from carousel.coach import checks, facts
from carousel.coach.evidence import Evidence
from carousel.coach.finding import Finding
from carousel.coach.observer import Observer
from carousel.coach.record import read_evidence
from carousel.coach.watch import Call, in_evaluation, watch
from carousel.coach.words import language
from carousel.run.events import Checks, Diverged, Epoch, Event, Facts, Pretrained
from carousel.run.layout import RunFolder
from carousel.run.reading import events as recorded
from carousel.run.writing import EventStore
from carousel.tasks.shared.losses import Batch
from carousel.tasks.shared.subject import TaskSubject
from carousel.tasks.shared.task import Task, monitored
from carousel.training.display import Display
from carousel.training.unsaved import Unsaved

_SECONDS_FOR_FACTS = 0.2
_SECONDS_FOR_CHECKS = 2.0


class RunCoach:
    """Watches one run: `carousel.coach.Observer` between a task, an event store and a display.

    Everything it computes is on copies or in evaluation mode, with torch's random state put back:
    a run with it ends with the same bits as one without.
    """

    def __init__(
        self,
        task: Task,
        run: RunFolder | Unsaved,
        store: EventStore,
        display: Display,
        net: nn.Module,
        to_device: Callable[[Batch], Batch],
        total_steps: int,
    ) -> None:
        self._task, self._store, self._display, self._net = task, store, display, net
        self._to_device, self._seed = to_device, run.seed
        self._probed: Batch | None = None
        self._enabled, self._total = run.config.coach.enabled, total_steps
        self._checks = run.config.coach.check
        self._clock: dict[str, float] = {}
        path = str(run.path) if isinstance(run, RunFolder) else ""
        self._evidence = Evidence(config=run.config, monitor=monitored(task), run=path)
        self._evidence.higher_is_better = scores.HIGHER_IS_BETTER.get(monitored(task), False)
        self.observer = Observer(
            net,
            run.config.coach,
            self._evidence,
            store.record,
            store.event,
            total_steps=total_steps,
            probe=self._probe,
            outputs=self._outputs
            if type(task.subject).outputs is not TaskSubject.outputs
            else None,
            language=language(),
        )

    def start(self, step: int) -> None:
        """Training begins, or goes on after `step`."""
        if not self._enabled:
            return
        if step:
            self._store.flush()
            read_evidence(self._store.path, self._evidence)
        else:
            self._store.flush()
            for event in recorded(self._store.path, Pretrained):
                self._evidence.take(event)
            if self._checks:
                self._check()
            with self.observer.budget.spending(), _undisturbed():
                try:
                    self._record_facts()
                except Exception as error:  # a look at the data must not stop a run
                    self.observer.failed("facts", step, error)
        self._say(self.observer.judge(step))

    def before_step(self, step: int) -> None:
        if self._enabled:
            self.observer.before_step(step)

    def after_step(self, step: int, values: dict[str, float], clip_scale: float) -> None:
        if not self._enabled:
            return
        self.observer.after_step(step, values, clip_scale)
        if self.observer.is_due(step):
            self._say(self.observer.judge(step))

    def mark(self, part: str, seconds: float) -> None:
        """Time that a part of the loop took: data, forward, backward, optimiser, validation."""
        self._clock[part] = self._clock.get(part, 0.0) + seconds

    def end_epoch(self, step: int, summary: Epoch, values: dict[str, float]) -> None:
        """An epoch has been evaluated."""
        clock, self._clock = self._clock, {}
        if not self._enabled:
            return
        budget = self.observer.budget
        clock["coach"] = budget.spent
        times = {f"time/{part}": seconds for part, seconds in clock.items()}
        share = {"coach/share": budget.taken}
        self._store.record(step, {**times, **share})
        self.observer.note(step, {**values, **share})
        self._evidence.take({"kind": summary.kind, "step": step, **summary.body()})
        self._say(self.observer.judge(step))

    def diverged(self, step: int, event: Diverged) -> None:
        """Training is about to stop on what is not finite."""
        if self._enabled:
            self._evidence.take({"kind": event.kind, "step": step, **event.body()})
            self._say(self.observer.judge(step))

    def summary(self, step: int, result: dict[str, Any]) -> dict[str, Any]:
        """Summary for result.json: the codes of findings that stand, severe ones first, and
        the share of the training time that measuring took."""
        if not self._enabled:
            return {}
        self._evidence.end(result)
        self._say(self.observer.judge(step, finished=True))
        standing = self.observer.monitor.standing.values()
        codes = {s: [f.code for f in standing if f.severity == s] for s in ("severe", "warning")}
        return {**codes, "share_of_time": round(self.observer.budget.taken, 4)}

    # ---- what is looked at

    def _probe(self) -> list[Call]:
        """One batch of the training part, always the same, in evaluation mode."""
        with _undisturbed(), in_evaluation(self._net), watch(self._net) as calls:
            result = self._task.loss(self._net, self._probe_batch())
            wanted = [out for call in calls for out in call.outputs if out.requires_grad]
            if wanted:  # of layers that are not trained yet nothing has a gradient
                torch.autograd.grad(result.objective, wanted, allow_unused=True)
        return calls

    def _probe_batch(self) -> Batch:
        if self._probed is None:
            last = self._task.batches_per_epoch - 1  # which may be smaller
            number = random.Random(self._seed).randrange(max(1, last))
            self._probed = self._to_device(next(self._task.train_batches(0, number)))
        return self._probed

    def _outputs(self) -> dict[str, float]:
        with _undisturbed():
            return self._task.subject.outputs(self._net)

    def _check(self) -> None:
        """The cheap checks of `carousel check`, once; what they find is a fact for the rules."""
        started = time.perf_counter()
        try:
            found = checks.check(self._task, self._net, quick=True, seconds=_SECONDS_FOR_CHECKS)
        except Exception as error:
            self.observer.failed("check", 0, error)
            return
        known = {o.code: o.numbers for o in found if o.state == "found"}
        failed = {o.code: o.said["en"] for o in found if o.state == "failed"}
        seconds = round(time.perf_counter() - started, 3)
        self._take(0, Checks(known, failed, seconds))

    def _record_facts(self) -> None:
        known = {
            "monitor": self._evidence.monitor,
            "higher_is_better": self._evidence.higher_is_better,
            "total_steps": self._total,
            "checks": self._evidence.facts.get("checks", {}),
        }
        limit, move = _SECONDS_FOR_FACTS, self._to_device
        known |= facts.of_task(self._task, self._net, to_device=move, seconds=limit)
        self._take(0, Facts(**known))

    def _take(self, step: int, event: Event) -> None:
        """Record an event, and let the rules know of it."""
        self._store.event(step, event)
        self._evidence.take({"kind": event.kind, "step": step, **event.body()})

    def _say(self, findings: list[Finding]) -> None:
        for finding in findings:
            if finding.severity != "info":
                self._display.say(f"coach: {finding.line(self.observer.monitor.language)}")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put torch's random state back at the end."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        yield
