"""Stages of a sweep: the trials, the choice by validation, its confirmation, and the test part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from carousel.data.counting import unit_of
from carousel.errors import RunError
from carousel.run.sweep_results import BEST, CONFIRM, is_sweep, read_sweep
from carousel.sweep import confirm
from carousel.sweep.ledger import Ledger
from carousel.sweep.plan import Confirmation
from carousel.sweep.space import changes
from carousel.sweep.summary import best_of, record
from carousel.sweep.worker import Work
from carousel.sweep.workers import Book, work_off


def run(book: Book, how: Work, workers: int, seeds: int) -> dict[str, Any]:
    """Work the book off and confirm its best with so many seeds; returns what sweep.json says.

    Where trials of other machines are still going on when the time here is over, nothing is
    confirmed: whoever ends last does it. Raises `Stopped` and `RunError`.
    """
    ledger = book.open()
    record(ledger, how.runs)
    work_off(book, how, workers)
    best = best_of(ledger)
    content = record(ledger, how.runs)
    if any(trial.state == TrialState.RUNNING for trial in ledger.trials()):
        how.said("trials are going on elsewhere: whoever ends the last of them confirms the best")
        return content
    if best is None:
        if how.is_over():
            how.said("no trial has ended in this time: the same command goes on")
            return content
        raise RunError(f"no trial of the sweep in {book.folder} has ended well: see its trials")
    confirm.write_recipe(book.folder, book.plan, best.params, _about(ledger, best))
    if not seeds:
        return record(ledger, how.runs, {"finished": True})
    return _confirmed(book, ledger, best, how, workers, seeds)


def _confirmed(
    book: Book, ledger: Ledger, best: FrozenTrial, how: Work, workers: int, seeds: int
) -> dict[str, Any]:
    plan = Confirmation.of(book.plan, best.params, seeds)
    of_best = changes(book.plan.config, best.params)
    what = "the best setting and the recipe" if of_best else "the recipe, which was the best"
    how.said(
        f"trial {best.number} is the best; {what} with {seeds} other {unit_of(seeds, 'seeds')} …"
    )
    second = Book(
        plan,
        book.storage,
        f"{book.name} trial {best.number} x {seeds}",
        book.folder / CONFIRM / f"trial-{best.number:04d}",
        book.patience,
    )
    count = seeds * (2 if of_best else 1)
    work_off(second, replace(how, runs=count, until=None), workers)
    confirming = second.open()
    said: dict[str, Any] = {
        "trial": best.number,
        "folder": str(second.folder.relative_to(book.folder)),
        "seeds": seeds,
        **confirm.found(confirming),
    }
    if said["chosen"] == "recipe":
        about = "the recipe as it was: no setting that was tried was better with other seeds"
        confirm.write_recipe(book.folder, book.plan, {}, about)
    how.said(f"chosen: the {said['chosen']}; opening the test part …")
    said["test"] = confirm.open_test(confirming, said)
    before = read_sweep(book.folder) if is_sweep(book.folder) else {}
    earlier = list(before.get("confirmed_earlier", ()))
    known = before.get("confirmed")
    if known and _judged(known) != _judged(said):
        earlier.append(known)
        how.said(
            f"the test part had been opened before, for {_judged(known)}: of several that were "
            f"judged by it, the best looks better than it is"
        )
    more = {"confirmed": said, "finished": True}
    return record(ledger, how.runs, more | ({"confirmed_earlier": earlier} if earlier else {}))


def _judged(confirmed: dict[str, Any]) -> str:
    """Name of the settings that the test part was opened for."""
    return "the recipe" if confirmed["chosen"] == "recipe" else f"trial {confirmed['trial']}"


def _about(ledger: Ledger, best: FrozenTrial) -> str:
    """First line of best.toml."""
    assert best.value is not None
    shown = ledger.plan.shown(best.value)
    return f"{BEST}: trial {best.number} of the sweep {ledger.name}, {shown}"
