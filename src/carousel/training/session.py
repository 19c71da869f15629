"""One run from recipe to result: set up, fit, judge once on the test part, write it all down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from carousel import bundle
from carousel.coach.words import language
from carousel.config import Config
from carousel.data.audit import look_at
from carousel.data.counting import unit_of
from carousel.data.held import facts_of, said_of
from carousel.data.record import UNVERIFIED, DataRecord, sizes
from carousel.data.said import said
from carousel.data.shares import is_judged
from carousel.errors import RunError, command
from carousel.report import html_of_run
from carousel.report import write as write_page
from carousel.run import events, layout
from carousel.run.fold_results import read_folds
from carousel.run.layout import RunFolder
from carousel.run.writing import EventStore
from carousel.scores import HIGHER_IS_BETTER
from carousel.tasks.shared.task import Task, TrainedModel, monitored
from carousel.training.display import Display, make_display
from carousel.training.loop import Interrupted, Trainer
from carousel.training.new_run import new_run
from carousel.training.preparation import Preparation, checked_threads, using_threads
from carousel.training.team import Team
from carousel.training.together import Plan, follow, join

GoesOn = Callable[[events.Epoch], bool]
"""Asked after every epoch whether the run goes on."""


@dataclass(frozen=True)
class TrainedRun:
    """A finished run: where it is, and what result.json says."""

    path: Path
    result: dict[str, Any]

    def _repr_html_(self) -> str:
        """HTML that a notebook shows of it: the score, its baselines, and where the report is."""
        return html_of_run(self.path)

    def load(self) -> TrainedModel:
        """The trained model."""
        return bundle.load(self.path)


def train(
    recipe: str | Config,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    seed: int | None = None,
    threads: int | None = None,
    device: str = "cpu",
    run_dir: str | Path | None = None,
    quiet: bool = False,
    trial: GoesOn | None = None,
) -> TrainedRun:
    """Train a recipe in a new run folder and judge it on the test part.

    Args:
        recipe: name of a recipe, path of a TOML file, or a `Config`.
        overrides: "section.key=value" strings, applied in order, or values by "section.key".
        seed: of weights, order and dropout; the file's own if it states one, else 0.
        threads: CPU threads; torch's current number if None.
        device: "cpu", "cuda" or "cuda:<n>".
        run_dir: the run's folder, new or empty; runs/<recipe>-<time> if None.
        quiet: show nothing.
        trial: asked after every epoch (`carousel.run.events.Epoch`) whether the run goes on; it is
            interrupted where not. Such a run is one of several that are chosen among: its test
            part stays closed, until `judge` opens it, and there are no baselines.

    Raises `ConfigError`, `DataError` or `RunError` for what the user can mend, `TrainingDiverged`
    on a NaN, and `Interrupted` (resumable) on Ctrl-C.

    >>> run = train("mnist-rows", ["training.epochs=2"], seed=1)  # doctest: +SKIP
    >>> run.result["test"]["accuracy"]                            # doctest: +SKIP
    0.98...
    """
    fabric, team = join(device)
    if not team.leads:
        followed: TrainedRun = follow(fabric, team)
        return followed
    ready = Preparation.of(recipe, overrides, seed)
    config, threads = ready.config, checked_threads(threads, team.place.local_size)
    path = (
        Path(run_dir) if run_dir is not None else layout.new_path(Path("runs"), config.recipe.name)
    )
    team.told(Plan(path, config, ready.seed, threads))
    task = team.in_turn(ready.task)  # bad data leaves no folder
    monitored(task)
    record = DataRecord.of(config, task.parted)
    if task.shuffle:  # so that a run is resumed in its order, whatever memory is there then
        config = replace(config, data=replace(config.data, shuffle=task.shuffle))
    team.told((record.text(), task.shuffle))
    run = new_run(
        path,
        config,
        seed=ready.seed,
        threads=threads,
        device=device,
        data=record,
        place=team.place,
        trial=trial is not None,
    )
    return _run(run, fabric, make_display(quiet), team, task, trial)


def resume(run_dir: str | Path, *, quiet: bool = False, trial: GoesOn | None = None) -> TrainedRun:
    """Continue a run that was interrupted or killed; ends as it would have ended.

    trial: as `train` takes it; a run that was begun as a trial stays one without.

    Raises `RunError` if there is no such run, it is finished, or another process is working on it,
    and `DataError` if the data are not what it began with.
    """
    fabric, team = join()
    if not team.leads:
        followed: TrainedRun = follow(fabric, team)
        return followed
    run = RunFolder.open(Path(run_dir))
    if run.finished:
        raise RunError(
            f"the run {run.path} is finished; train its recipe again with another seed, or from "
            f"its own settings with {command('train', run.path / layout.CONFIG)}"
        )
    run = replace(run, config=run.config.settled())
    return _run(run, fabric, make_display(quiet), team, trial=trial)


def judge(run_dir: str | Path) -> TrainedRun:
    """Open the test part for a run that was a trial: its result, evaluation and report then say
    what those of any run do. A run that has been judged stays as it is.

    Raises `RunError` if there is no such run, or it has not ended, and `DataError` if the data are
    not what it was trained on.
    """
    run = RunFolder.open(Path(run_dir))
    if not run.finished:
        again = command("train", "--resume", run.path)
        raise RunError(f"the run {run.path} has not ended, and is judged then: {again}")
    run = replace(run, config=run.config.settled())
    with run.locked(), EventStore(run.events) as store, using_threads(run.threads):
        result = run.read_result()
        if "test" in result or not is_judged(run.config):
            return TrainedRun(run.path, result)
        task = Preparation(run.config, run.seed).task()
        _compare_data(run, task, Display())
        trained = bundle.load(run.path)
        judged, report = _judged(trained, task, store, int(result["steps"]))
        result |= {**judged, "data": task.account()}
        if (record := DataRecord.read(run.path)) is not None:
            result |= _with_parts(run, record, task)
        bundle.write_report(run.path, trained, report)
        run.write_result(result)
    write_page(run.path, language())
    return TrainedRun(run.path, result)


def _run(
    run: RunFolder,
    fabric: Fabric,
    display: Display,
    team: Team,
    task: Task | None = None,
    trial: GoesOn | None = None,
) -> TrainedRun:
    with run.locked(), EventStore(run.events, command("train", "--resume", run.path)) as store:
        try:
            with using_threads(run.threads):
                if task is None:
                    team.told(Plan(run.path, run.config, run.seed, run.threads))
                    task = team.in_turn(Preparation(run.config, run.seed).task)
                    _compare_data(run, task, display)
                    team.told((DataRecord.of(run.config, task.parted).text(), task.shuffle))
                return team.told(_fit_and_judge(run, task, fabric, display, store, team, trial))
        except (KeyboardInterrupt, Interrupted):  # the first: outside the loop over steps
            store.event(store.last_step(), events.Interrupted())
            raise Interrupted(run.path) from None
        finally:
            display.stop()


def _compare_data(run: RunFolder, task: Task, display: Display) -> None:
    record = DataRecord.read(run.path)
    if record is None:
        display.say(UNVERIFIED.format(run=run.path))
    else:
        # Whatever is on record is compared; a published test part is not, and stays closed.
        record.check(task.parted, "test" if "test" in record.parts else "validation")


def _fit_and_judge(
    run: RunFolder,
    task: Task,
    fabric: Fabric,
    display: Display,
    store: EventStore,
    team: Team,
    trial: GoesOn | None,
) -> TrainedRun:
    config = run.config
    trainer = Trainer(task, run, store, display, fabric, team, trial)
    parameters = sum(p.numel() for p in trainer.net.parameters())
    record = DataRecord.read(run.path)
    display.say(
        f"{config.recipe.name}: {config.recipe.summary}\n"
        f"{task.describe(trainer.net)}\n"
        f"{sizes(record) + chr(10) if record else ''}"
        f"{parameters:,} parameters; seed {run.seed}, {_workers(team, run.threads)}\n"
        f"run folder {run.path}"
    )
    for line in config.notices():
        display.say(line)
    for line in said_of(task.parted):
        display.say(line)
    audited, seen = look_at(config)
    for finding in audited:
        if finding.severity != "info":
            display.say(f"audit: {finding.line(language())}")
    reason = trainer.fit()
    store.event(trainer.progress.step, events.Stopped(reason))
    trained = task.finish(trainer.net)
    trained.record, trained.seen = record, seen
    bundle.save(trained, run.model)
    display.stop()
    display.say(said(reason, language()))
    report: dict[str, Any] = {}
    judged: dict[str, Any] = {}
    if run.trial:
        pass  # the test part stays closed: see `judge`
    elif is_judged(config):
        display.say("fitting the baselines, which are not recurrent …")
        judged, report = _judged(trained, task, store, trainer.progress.step)
    else:
        judged = _by_folds(run)
    headline = task.headline or task.validation_metrics[0]
    result = {
        "recipe": config.recipe.name,
        "seed": run.seed,
        "epochs": trainer.progress.epoch,
        "steps": trainer.progress.step,
        "seconds": round(trainer.progress.seconds, 3),
        "parameters": parameters,
        "monitor": trainer.stopping.monitor,
        "metric": headline,
        "metric_higher_is_better": HIGHER_IS_BETTER[headline],
        "best_epoch": trainer.stopping.best_epoch,
        "kept_epoch": trainer.stopping.kept_epoch(trainer.progress.epoch),
        "stop_reason": reason,
        "validation": trainer.stopping.kept_metrics,
        **judged,
        "data": {} if run.trial else task.account(),
    }
    if held := facts_of(task.parted):
        result["held_files"] = held
    if audited:
        result["audit"] = [finding.to_dict() for finding in audited]
    if record is not None:
        result |= _parts(record) if run.trial else _with_parts(run, record, task)
    coached = trainer.coach.summary(trainer.progress.step, result)
    if coached:
        result["coach"] = coached
    if report:
        bundle.write_report(run.path, trained, report)
    run.write_result(result)
    write_page(run.path, language())
    return TrainedRun(run.path, result)


def _workers(team: Team, threads: int) -> str:
    if team.size == 1:
        return f"{threads} threads"
    return f"{team.size} processes of {threads} {unit_of(threads, 'threads')} each"


def _judged(
    trained: TrainedModel, task: Task, store: EventStore, step: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scores on the test part of network and baselines, for result.json, and the whole report."""
    store.event(step, events.UseOfTest("train"))
    report = trained.evaluate("test")
    test = {name: value for name, value in report.items() if isinstance(value, float)}
    return {"test": test, "baseline": task.baselines()}, report


def _with_parts(run: RunFolder, record: DataRecord, task: Task) -> dict[str, Any]:
    """The parts, the test part among them, for result.json; they are put on record."""
    record = record.with_test(task.parted)
    run.remember(record.text())
    return _parts(record)


def _parts(record: DataRecord) -> dict[str, Any]:
    counts = {name: part.counts for name, part in record.parts.items()}
    return {"parts": counts, "fingerprint": record.fingerprint}


def _by_folds(run: RunFolder) -> dict[str, Any]:
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
