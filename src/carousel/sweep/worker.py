"""One worker of a sweep: takes trials, trains each in a folder of its own, until none is left."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError

from carousel import training
from carousel.errors import CarouselError, RunError, TrainingDiverged
from carousel.run import layout, reading
from carousel.run.events import Epoch, Pruned
from carousel.run.layout import RunFolder
from carousel.run.writing import note
from carousel.sweep import worker_lock
from carousel.sweep.ledger import RUN, Claim, Ledger
from carousel.sweep.storage import named_errors
from carousel.sweep.summary import record
from carousel.terminal import say

_ALL_BAD = 3
_POLL = 1.0  # seconds


class Stopped(Exception):  # noqa: N818  # somebody asked for it
    """A worker was asked to end (Ctrl-C or SIGTERM); its trial can be taken again."""


@dataclass(frozen=True)
class Work:
    """Orders of a worker. runs: trials of the whole sweep. threads: of a trial. until: Unix time
    after which no trial is begun. said: is told of every trial that has ended. parent: the process
    that began this one; without it no trial is begun."""

    runs: int
    threads: int
    until: float | None = None
    said: Callable[[str], None] = say
    parent: int | None = None

    def is_over(self) -> bool:
        """True if no further trial is to be begun."""
        late = self.until is not None and time.time() >= self.until
        return late or self.parent not in (None, os.getppid())


def work(ledger: Ledger, how: Work) -> None:
    """Train trials until there are as many as asked for, or the time is over; then wait for those
    of others, for one whose worker dies is taken again here. Raises `Stopped`, and `RunError`
    where the first trials could not be trained at all."""
    with worker_lock.alive(ledger.folder) as lock:
        while not how.is_over():
            claim = ledger.claim(how.runs, lock)
            if claim is not None:
                record(ledger, how.runs)  # whoever looks sees what is tried now
                _train(ledger, claim, how)
                record(ledger, how.runs)
            elif ledger.is_done(how.runs):
                return
            else:
                time.sleep(_POLL)


class _Follower:
    """Tells the ledger of every epoch, and asks it whether the trial goes on."""

    def __init__(self, ledger: Ledger, claim: Claim) -> None:
        self.ledger, self.claim = ledger, claim
        self.best: float | None = None
        self.epoch, self.seconds = 0, 0.0
        self.is_taken = self.is_pruned = self.is_cut_off = False

    def __call__(self, summary: Epoch) -> bool:
        return self.told(summary.epoch, summary.validation, summary.seconds)

    def told(self, epoch: int, validation: dict[str, float], seconds: float) -> bool:
        """Take in an epoch; True if the trial goes on."""
        value = validation[self.ledger.plan.metric]
        choose = max if self.ledger.plan.higher else min
        self.best = value if self.best is None else choose(self.best, value)
        is_new, self.epoch, self.seconds = epoch > self.epoch, max(epoch, self.epoch), seconds
        trial = self.claim.trial
        if not is_new:  # done again after a resumption
            return True
        try:
            with named_errors(self.ledger.storage):
                trial.report(self.best, epoch)
                self.is_pruned = trial.should_prune()
        except UpdateFinishedTrialError:  # held for dead, and taken by another
            self.is_taken = True
        except RunError:
            self.is_cut_off = True
            raise
        return not (self.is_pruned or self.is_taken)

    def facts(self) -> dict[str, Any]:
        return {"epochs": self.epoch, "seconds": round(self.seconds, 3), "best": self.best}


def _train(ledger: Ledger, claim: Claim, how: Work) -> None:
    follow = _Follower(ledger, claim)
    try:
        with ledger.beating(claim):
            result = _run(ledger, claim, follow, how)
    except training.Interrupted as stop:
        if follow.is_taken:
            return
        if not follow.is_pruned:
            ledger.give_back(claim)
            raise Stopped from None
        why = _why(ledger, follow)
        note(stop.run, Pruned(why))
        ledger.note(claim, follow.facts())
        ledger.pruned(claim, why)
        how.said(f"{claim.run}: {why}")
        return
    except TrainingDiverged as error:
        ledger.note(claim, follow.facts())
        ledger.pruned(claim, str(error))
        how.said(f"{claim.run}: {error}")
        return
    except CarouselError as error:
        if follow.is_cut_off:  # the storage is away: that is no fault of the trial, which goes on
            raise
        ledger.failed(claim, str(error))
        how.said(f"{claim.run} cannot be trained: {error}")
        _end_if_hopeless(ledger, error)
        return
    value = float(result["validation"][ledger.plan.metric])
    facts = {"epochs": result["epochs"], "seconds": result["seconds"]}
    ledger.note(claim, {**facts, "kept_epoch": result["kept_epoch"], "steps": result["steps"]})
    ledger.ended(claim, value)
    how.said(f"{claim.run}: {ledger.plan.shown(value)}; {result['stop_reason'].partition(';')[0]}")


def _run(ledger: Ledger, claim: Claim, follow: _Follower, how: Work) -> dict[str, Any]:
    """Result of the trial's run: as it is there, or once it has been trained, or resumed."""
    path = ledger.folder / claim.run
    if (path / layout.CONFIG).is_file():
        run = RunFolder.open(path)
        if not layout.is_held(path):
            _tell_again(path, follow)
            if run.finished:
                return run.read_result()
            return training.resume(path, quiet=True, trial=follow).result
        # Whoever works on it was held for dead and is not: this worker begins anew.
        path = ledger.folder / f"{claim.run}-again-{claim.number}"
        ledger.note(claim, {RUN: path.name})
    elif path.exists() and not any(path.iterdir()):
        path.rmdir()
    config, seed = ledger.plan.of_trial(claim.values)
    return training.train(
        config,
        seed=seed,
        threads=how.threads,
        run_dir=path,
        quiet=True,
        trial=follow,
    ).result


def _tell_again(path: Path, follow: _Follower) -> None:
    """Tell the ledger of the epochs that a run has behind it."""
    if not layout.events_of(path).is_file():
        return
    with reading.reading(layout.events_of(path)) as store:
        for event in store.events(Epoch):
            said = json.loads(event.body)
            follow.told(said["epoch"], said["validation"], said["seconds"])
    follow.is_pruned = False  # it was not, when it was there


def _why(ledger: Ledger, follow: _Follower) -> str:
    assert follow.best is not None
    return (
        f"given up after epoch {follow.epoch} of {ledger.plan.epochs}: best "
        f"{ledger.plan.shown(follow.best)}, and others were better by then"
    )


def _end_if_hopeless(ledger: Ledger, error: CarouselError) -> None:
    """Raise the error if all of the first trials could not be trained."""
    found = [trial.user_attrs.get("failed") for trial in ledger.trials()]
    if len(found) >= _ALL_BAD and all(found):
        raise RunError(
            f"none of the first {len(found)} trials could be trained: {error}", *error.arguments
        )
