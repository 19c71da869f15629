"""Judgement of a run on its test part, as result.json has it."""

from __future__ import annotations

from typing import Any

from carousel.data.record import DataRecord
from carousel.errors import RunError, command
from carousel.run import events
from carousel.run.fold_results import read_folds
from carousel.run.layout import RunFolder
from carousel.run.writing import EventStore
from carousel.tasks.shared.task import Task, TrainedModel


def judged(
    trained: TrainedModel, task: Task, store: EventStore, step: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scores on the test part of network and baselines, for result.json, and the whole report."""
    store.event(step, events.UseOfTest("train"))
    report = trained.evaluate("test")
    test = {name: value for name, value in report.items() if isinstance(value, float)}
    baselines, notes = task.judged_baselines()
    return {"test": test, "baseline": baselines} | (
        {"baseline_notes": notes} if notes else {}
    ), report


def with_parts(run: RunFolder, record: DataRecord, task: Task) -> dict[str, Any]:
    """The parts, the test part among them, for result.json; they are put on record."""
    record = record.with_test(task.parted)
    run.remember(record.text())
    return parts(record)


def parts(record: DataRecord) -> dict[str, Any]:
    counts = {name: part.counts for name, part in record.parts.items()}
    return {"parts": counts, "fingerprint": record.fingerprint}


def by_folds(run: RunFolder) -> dict[str, Any]:
    """Judgement of a run that nothing of its own judges: the mean over the folds beside it."""
    beside = run.path.absolute().parent
    found = read_folds(beside)
    if "mean" not in found:
        raise RunError(
            f"{run.path} is judged by the folds beside it, and not all have ended: "
            f"{command('train', '--resume', beside)}"
        )
    return {
        "test": found["mean"],
        "baseline": {name: one["mean"] for name, one in found["baseline"].items()},
        "judged_by": {"mean_of_folds": len(found["folds"]), "spread": found["spread"]},
    }
