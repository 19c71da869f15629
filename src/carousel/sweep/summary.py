"""Summary of a sweep as sweep.json has it: whoever reads that needs no Optuna."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import filelock
from optuna.trial import FrozenTrial, TrialState

from carousel.run.sweep_results import FORMAT, is_sweep, read_sweep, write_sweep
from carousel.sweep import sampling, space
from carousel.sweep.ledger import AGAIN, FAILED, RUN, Ledger, counts
from carousel.sweep.plan import Confirmation

_LOCK = ".sweep.lock"
_KEPT = ("confirmed", "confirmed_earlier")
_STATES = {
    TrialState.COMPLETE: "ended",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def summary(ledger: Ledger, runs: int) -> dict[str, Any]:
    """The plan, every trial that counts, the best of them, and what matters most."""
    plan, found = ledger.plan, [trial for trial in ledger.trials() if counts(trial)]
    trials = [_trial(ledger, trial) for trial in found]
    best = best_of(ledger)
    epochs = sum(trial["epochs"] for trial in trials)
    return {
        "format": FORMAT,
        "name": ledger.name,
        **plan.to_json(),
        "runs": runs,
        "trials": trials,
        "best": None if best is None else best.number,
        "importance": sampling.importance(ledger.study),
        "epochs_trained": epochs,
        "finished": False,
    }


def best_of(ledger: Ledger) -> FrozenTrial | None:
    """The best trial that ran to its end; the first of several that are the same."""
    ended = [
        (trial.value, trial)
        for trial in ledger.trials()
        if trial.state == TrialState.COMPLETE and trial.value is not None
    ]
    choose = max if ledger.plan.higher else min
    return choose(ended, key=lambda pair: pair[0])[1] if ended else None


def record(ledger: Ledger, runs: int, more: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write sweep.json in the ledger's folder, with `more` in it; returns what is in it."""
    if isinstance(ledger.plan, Confirmation):  # it stands in that of its sweep
        return summary(ledger, runs) | (more or {})
    with filelock.FileLock(ledger.folder / _LOCK):  # so that no older one is written last
        content = summary(ledger, runs) | (more or {})
        if more is None and is_sweep(ledger.folder):  # a trial that ended later says no less
            before = read_sweep(ledger.folder)
            content |= {key: before[key] for key in _KEPT if key in before}
        write_sweep(ledger.folder, content)
    return content


def _trial(ledger: Ledger, trial: FrozenTrial) -> dict[str, Any]:
    said = trial.user_attrs
    value = trial.value if trial.state == TrialState.COMPLETE else said.get("best")
    found: dict[str, Any] = {
        "number": trial.number,
        "run": str(said.get(RUN, "")),
        "state": "failed" if FAILED in said else _STATES[trial.state],
        "settings": dict(trial.params),
        "unread": sorted(_unread(ledger, trial)),
        "value": value,
        "epochs": int(said.get("epochs", 0)),
        "seconds": float(said.get("seconds", 0.0)),
    }
    for name in ("kept_epoch", AGAIN):
        if name in said:
            found[name] = said[name]
    if why := said.get(FAILED) or said.get("why"):
        found["why"] = why
    return found


def _unread(ledger: Ledger, trial: FrozenTrial) -> set[str]:
    """Settings that were drawn and that nothing read beside the others."""
    if isinstance(ledger.plan, Confirmation) or FAILED in trial.user_attrs:
        return set()
    return set(trial.params) - set(space.settled(ledger.plan.config, trial.params))


def here(folder: Path, run: str) -> Path | None:
    """The folder of a run, if this machine has it."""
    return folder / run if run and (folder / run).is_dir() else None
