"""The book of a sweep: which trials there are, who works on each, and what came of it.

It is an Optuna study in a journal file or a database. Workers of any number of machines take trials
from it. One that dies leaves a trial that nobody works on; whoever notices takes it again. That it
died is told by its lock on the same machine, and from others by a counter that it no longer raises:
each watches that by its own clock, so that clocks may differ.
"""

from __future__ import annotations

import threading
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState

from carousel.errors import RunError
from carousel.run import layout
from carousel.sweep import sampling, worker_lock
from carousel.sweep.plan import Plan
from carousel.sweep.space import Value, of_recipe
from carousel.sweep.storage import named_errors, open_storage, shown

_IDENTITY, _FACTS = "carousel", "plan"
AGAIN, RUN, FAILED, WORKER, MACHINE, BEAT = "again", "run", "failed", "lock", "machine", "beat"
_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING, TrialState.WAITING)


@dataclass
class Patience:
    """Seconds. beat: between two signs of life. lost: without one until a worker counts as dead."""

    beat: float = 10.0
    lost: float = 60.0


@dataclass(frozen=True)
class Claim:
    """A trial that this worker has taken. run: the name of its run's folder, which is there already
    where another began it."""

    trial: Trial
    values: dict[str, Value]
    run: str

    @property
    def number(self) -> int:
        return self.trial.number


@dataclass
class Ledger:
    """The trials of one plan under a name in a storage. folder: of this machine's runs."""

    plan: Plan
    storage: str | Path
    name: str
    folder: Path
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        self._books = open_storage(self.storage)
        self._beats: dict[int, tuple[object, float]] = {}
        with named_errors(self.storage):
            self.study = optuna.create_study(
                storage=self._books,
                study_name=self.name,
                sampler=sampling.sampler(self.plan, is_again, is_lost),
                pruner=sampling.pruner(self.plan),
                direction="maximize" if self.plan.higher else "minimize",
                load_if_exists=True,
            )
            said = self.study.user_attrs
            if _IDENTITY not in said:
                # The plan comes first: who sees the digest sees what it is of.
                self.study.set_user_attr(_FACTS, self.plan.facts)
                self.study.set_user_attr(_IDENTITY, self.plan.identity)
                self._begin()
        if said.get(_IDENTITY, self.plan.identity) != self.plan.identity:
            self._refuse_others(said)

    def _refuse_others(self, said: Mapping[str, Any]) -> None:
        """Raise `RunError` unless the plan of the sweep is this one, but for settings that the
        version which began it did not know."""
        what = f"the sweep '{self.name}' in {shown(self.storage)}"
        if _FACTS in said:
            unlike = self.plan.unlike(said[_FACTS])
            if not unlike:
                return
            more = f" and {len(unlike) - 3} more" if len(unlike) > 3 else ""
            why = f"is another one: {'; '.join(unlike[:3])}{more}"
        else:  # before its plan was written down, there was a digest of it alone
            known = next(filter(None, map(_settings_in, sorted(self.folder.glob("*-*")))), None)
            if known and self.plan.is_of(said[_IDENTITY], known):
                return
            why = (
                "is over other settings, of another recipe, metric, seed or data, or was begun by "
                "a version of Carousel whose settings cannot be told"
            )
        raise RunError(f"{what} {why}: name another run_dir, or give its own command", "run_dir")

    def _begin(self) -> None:
        """Put the recipe as it is first, where it is among what is searched."""
        if self.plan.sampler == "grid":
            return
        own = of_recipe(self.plan.config, self.plan.axes)
        if own is not None:
            self.study.enqueue_trial(own, skip_if_exists=True)

    # ---- what there is

    def trials(self) -> list[FrozenTrial]:
        """Every trial, in order of their numbers."""
        with named_errors(self.storage):
            return self.study.get_trials(deepcopy=False)

    def is_done(self, runs: int) -> bool:
        """True if so many trials have ended and nobody works on one."""
        found = self.trials()
        going = any(t.state in (TrialState.RUNNING, TrialState.WAITING) for t in found)
        return not going and sum(map(counts, found)) >= runs

    # ---- work

    def claim(self, runs: int, lock: str) -> Claim | None:
        """Take a trial: one that waits, or the next, as long as there are fewer than `runs`. lock:
        of this worker (`worker_lock.alive`). None where there is nothing to take, now."""
        self.recover()
        found = self.trials()
        waiting = any(trial.state == TrialState.WAITING for trial in found)
        if not waiting and sum(map(counts, found)) >= runs:
            return None
        with named_errors(self.storage):
            trial = self.study.ask(sampling.distributions(self.plan))
            facts = {MACHINE: worker_lock.here(self.folder), WORKER: lock, BEAT: 0}
            for name, value in facts.items():
                trial.set_user_attr(name, value)
            before = [one for one in self.trials() if one.number < trial.number]
            if AGAIN not in trial.user_attrs and sum(map(counts, before)) >= runs:
                self.study.tell(trial, state=TrialState.FAIL)  # others were quicker
                return None
            run = str(trial.user_attrs.get(RUN) or self.plan.folder_of(trial.number, trial.params))
            trial.set_user_attr(RUN, run)
        return Claim(trial, dict(trial.params), run)

    def ended(self, claim: Claim, value: float) -> None:
        """The trial has ended with this value of the metric."""
        with named_errors(self.storage), suppress(UpdateFinishedTrialError):
            self.study.tell(claim.trial, value, skip_if_finished=True)

    def pruned(self, claim: Claim, why: str) -> None:
        """The trial was given up."""
        with named_errors(self.storage), suppress(UpdateFinishedTrialError):
            claim.trial.set_user_attr("why", why)
            self.study.tell(claim.trial, state=TrialState.PRUNED, skip_if_finished=True)

    def failed(self, claim: Claim, why: str) -> None:
        """The trial cannot be: it counts, and is not taken again."""
        with named_errors(self.storage), suppress(UpdateFinishedTrialError):
            claim.trial.set_user_attr(FAILED, why)
            self.study.tell(claim.trial, state=TrialState.FAIL, skip_if_finished=True)

    def give_back(self, claim: Claim) -> None:
        """The trial was interrupted: whoever comes next goes on with it."""
        with named_errors(self.storage):
            frozen = next(one for one in self.trials() if one.number == claim.number)
            self._again(frozen)

    def note(self, claim: Claim, facts: Mapping[str, Any]) -> None:
        """Write facts of a trial down, as JSON can hold them. Nothing happens to one that has
        ended."""
        with named_errors(self.storage), suppress(UpdateFinishedTrialError):
            for name, value in facts.items():
                claim.trial.set_user_attr(name, value)

    @contextmanager
    def beating(self, claim: Claim) -> Iterator[None]:
        """Give signs of life of a trial inside the block."""
        over = threading.Event()

        def beat() -> None:
            count = 0
            while not over.wait(self.patience.beat):
                count += 1
                # A storage that is away for a while is no reason to end: the training goes on.
                with suppress(RunError, UpdateFinishedTrialError), named_errors(self.storage):
                    claim.trial.set_user_attr(BEAT, count)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    # ---- the dead

    def recover(self) -> list[int]:
        """Give back the trials of workers that have died; returns their numbers."""
        found = []
        for trial in self.trials():
            if trial.state == TrialState.RUNNING and self._is_lost(trial) and self._again(trial):
                found.append(trial.number)
        return found

    def _is_lost(self, trial: FrozenTrial) -> bool:
        said = trial.user_attrs
        if worker_lock.is_gone(self.folder, said.get(MACHINE, ""), said.get(WORKER, "")):
            return True
        now, beat = time.monotonic(), said.get(BEAT)
        known = self._beats.get(trial.number)
        if known is None or known[0] != beat:
            self._beats[trial.number] = (beat, now)
            return False
        return now - known[1] > self.patience.lost

    def _again(self, trial: FrozenTrial) -> bool:
        """Close a trial that nobody works on and queue its settings anew; False if another did."""
        with named_errors(self.storage):
            try:
                self._books.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            except UpdateFinishedTrialError:
                return False
            # A worker may have died while it drew them; those of a trial that waited are known.
            settings = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
            if set(settings) == set(self.plan.axes):
                said = {AGAIN: trial.number}
                if RUN in trial.user_attrs:
                    said[RUN] = trial.user_attrs[RUN]
                self.study.enqueue_trial(settings, user_attrs=said)
        return True


def _settings_in(run: Path) -> dict[str, Any] | None:
    """The settings of a run's configuration by section, of whatever version; None if there are
    none to be read."""
    try:
        return tomllib.loads((run / layout.CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def is_again(trial: FrozenTrial) -> bool:
    """True for a second attempt at another trial's settings."""
    return AGAIN in trial.user_attrs


def is_lost(trial: FrozenTrial, all_of: Sequence[FrozenTrial]) -> bool:
    """True for a trial that was closed before it was one, and whose settings nobody has tried."""
    if counts(trial) or not trial.state.is_finished():
        return False
    return all(other.user_attrs.get(AGAIN) != trial.number for other in all_of)


def counts(trial: FrozenTrial) -> bool:
    """True for a trial that is one of those asked for: not one that was taken again as another."""
    return trial.state in _COUNTED or FAILED in trial.user_attrs
