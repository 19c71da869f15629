"""Training of several networks that are one model: one after the other, each in a run of its own.

The run's folder has those runs in members/seed-N, ordinary ones but that their test parts stay
closed until the last has ended; then the average of the networks is judged, and each beside it.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, median_low
from typing import Any

from carousel import bundle
from carousel.coach.words import language
from carousel.config import Config
from carousel.data.record import DataRecord
from carousel.data.shares import is_judged
from carousel.report import write as write_page
from carousel.run import events
from carousel.run.layout import CONFIG, RunFolder
from carousel.run.writing import EventStore
from carousel.scores import HIGHER_IS_BETTER
from carousel.tasks.shared.task import Task, monitored
from carousel.training import session
from carousel.training.display import Display
from carousel.training.judgement import judged, with_parts
from carousel.training.loop import Interrupted
from carousel.training.preparation import using_threads
from carousel.training.seeds import average_of, floats_of, members_of, reason_of


def train_members(run: RunFolder, task: Task, display: Display, quiet: bool) -> dict[str, Any]:
    """Train the members that are not trained yet, judge their average and them, and write it all
    down; returns result.json. Raises `Interrupted`, after which the run is resumed as any other."""
    with (
        run.locked(),
        EventStore(run.events) as store,
        using_threads(run.threads),
    ):
        try:
            found = [
                _member(run, run.path / name, config, seed, quiet)
                for name, config, seed in members_of(run.config, run.seed)
            ]
        except Interrupted:
            store.event(0, events.Interrupted())
            raise Interrupted(run.path) from None
        return _judged(run, task, found, display, store)


def _member(
    run: RunFolder, path: Path, config: Config, seed: int, quiet: bool
) -> tuple[Path, dict[str, Any]]:
    """A member's folder and result, as it is there, or once it has been trained, or resumed."""
    go_on = _always
    if (path / CONFIG).is_file():
        member = RunFolder.open(path)
        if member.finished:
            return path, member.read_result()
        return path, session.resume(path, quiet=quiet, trial=go_on).result
    how: dict[str, Any] = {"threads": run.threads, "device": run.device, "quiet": quiet}
    return path, session.train(config, seed=seed, run_dir=path, trial=go_on, **how).result


def _always(_: events.Epoch) -> bool:
    """True: a member's training goes on, and its test part stays closed."""
    return True


def _judged(
    run: RunFolder,
    task: Task,
    found: list[tuple[Path, dict[str, Any]]],
    display: Display,
    store: EventStore,
) -> dict[str, Any]:
    members = [bundle.load(path) for path, _ in found]
    results = [result for _, result in found]
    steps = sum(result["steps"] for result in results)
    reason = reason_of(len(members))
    store.event(steps, events.Stopped(reason))
    trained = average_of(task, members)
    trained.record, trained.seen = DataRecord.read(run.path), members[0].seen
    bundle.save(trained, run.model)
    display.say(f"{reason}; judging them, and the baselines, which are not recurrent …")
    headline = task.headline or task.validation_metrics[0]
    seconds = [result["seconds"] for result in results]
    content = {
        "recipe": run.config.recipe.name,
        "seed": run.seed,
        "epochs": median_low(result["epochs"] for result in results),
        "steps": steps,
        "seconds": round(sum(seconds), 3),
        "parameters": sum(result["parameters"] for result in results),
        "monitor": monitored(task),
        "metric": headline,
        "metric_higher_is_better": HIGHER_IS_BETTER[headline],
        "best_epoch": median_low(result["best_epoch"] for result in results),
        "kept_epoch": median_low(result["kept_epoch"] for result in results),
        "stop_reason": reason,
        "validation": task.validate(trained.model),
    }
    report: dict[str, Any] = {}
    tests: list[dict[str, float]] = [{} for _ in members]
    if is_judged(run.config):
        test, report = judged(trained, task, store, steps)
        content |= test
        tests = [floats_of(member.evaluate("test")) for member in members]
    content["members"] = [
        {
            "seed": result["seed"],
            "run": str(path.relative_to(run.path)),
            **{key: result[key] for key in ("epochs", "kept_epoch", "seconds", "validation")},
            "test": test,
        }
        for (path, result), test in zip(found, tests, strict=True)
    ]
    content["cost"] = {
        "networks": len(members),
        "training_seconds": round(sum(seconds), 3),
        "training_seconds_of_one": round(fmean(seconds), 3),
    }
    content["data"] = task.account()
    if trained.record is not None:
        content |= with_parts(run, trained.record, task)
    if report:
        bundle.write_report(run.path, trained, report)
    run.write_result(content)
    write_page(run.path, language())
    return content
