"""One run from recipe to result: set up, fit, judge once on the test part, write it all down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from carousel import bundle
from carousel.coach.words import language
from carousel.config import Config
from carousel.data.audit import Finding, Seen, look_at
from carousel.data.counting import unit_of
from carousel.data.held import facts_of, said_of
from carousel.data.record import UNVERIFIED, DataRecord, sizes
from carousel.data.said import said
from carousel.data.shares import is_judged
from carousel.errors import RunError, command
from carousel.report import write as write_page
from carousel.run import events, layout
from carousel.run.layout import RunFolder
from carousel.run.writing import EventStore
from carousel.scores import HIGHER_IS_BETTER
from carousel.tasks.shared.task import Task, monitored
from carousel.training.budget import with_plan
from carousel.training.display import Display, make_display
from carousel.training.judgement import by_folds, judged, parts, with_parts
from carousel.training.loop import Interrupted, Trainer
from carousel.training.new_run import new_run
from carousel.training.preparation import Preparation, checked_threads, using_threads
from carousel.training.pretraining import account_of, pretrained
from carousel.training.restarts import begun_before
from carousel.training.seeds import check_seeds
from carousel.training.team import Place, Team, TeamEnded
from carousel.training.together import Plan, follow, join
from carousel.training.trained_run import GoesOn as GoesOn
from carousel.training.trained_run import TrainedRun as TrainedRun


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
    named, runs = Path(run_dir) if run_dir is not None else None, Path("runs")
    before = begun_before(named, runs, config, ready.seed, team.place.launch)
    if before is not None and trial is None:
        return _go_on(RunFolder.open(before), fabric, team, quiet, None)
    path = named or layout.new_path(runs, config.recipe.name)
    team.told(Plan(path, config, ready.seed, threads))
    task = team.in_turn(ready.task)  # bad data leaves no folder
    monitored(task)
    check_seeds(task, team.size, is_trial=trial is not None)
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
    if config.training.seeds > 1:
        return _run_members(run, task, quiet)
    return _run(run, fabric, make_display(quiet), team, task, trial)


def resume(run_dir: str | Path, *, quiet: bool = False, trial: GoesOn | None = None) -> TrainedRun:
    """Continue a run that was interrupted or killed; ends as it would have ended.

    trial: as `train` takes it; a run that was begun as a trial stays one without.

    Raises `RunError` if there is no such run, it is finished, or another process is working on it,
    and `DataError` if the data are not what it began with.
    """
    here = Path(run_dir)
    leads, is_seen = Place.found().leads, (here / layout.CONFIG).is_file()
    run = RunFolder.open(here) if leads or is_seen else None
    fabric, team = join(run.device if run else "cpu")
    if run is None or not team.leads:
        followed: TrainedRun = follow(fabric, team)
        return followed
    if run.finished:
        raise RunError(
            f"the run {run.path} is finished; train its recipe again with another seed, or from "
            f"its own settings with {command('train', run.path / layout.CONFIG)}"
        )
    return _go_on(run, fabric, team, quiet, trial)


def train_in(path: Path, config: Config, *, quiet: bool = False, **how: Any) -> TrainedRun:
    """The run of a configuration in a folder: as it is there, or once it has been trained, or
    resumed. how: as `train` takes it."""
    if not (path / layout.CONFIG).is_file():
        return train(config, run_dir=path, quiet=quiet, **how)
    run = RunFolder.open(path)
    return TrainedRun(path, run.read_result()) if run.finished else resume(path, quiet=quiet)


def _go_on(
    run: RunFolder, fabric: Fabric, team: Team, quiet: bool, trial: GoesOn | None
) -> TrainedRun:
    """Continue a run; one that has ended is what it is."""
    display = make_display(quiet)
    run = replace(run, config=run.config.settled())
    if run.finished:
        display.say(f"the run {run.path} is finished already")
        return team.told(TrainedRun(run.path, run.read_result()))
    if run.processes != team.size:
        threads = checked_threads(None, team.place.local_size)
        display.say(
            f"the run {run.path} was begun by {_processes(run.processes)} and goes on with "
            f"{team.size}, of {threads} {unit_of(threads, 'threads')}: "
            "the same batches are shared out anew, "
            "so that its weights are the same to rounding, but for random masks, which are others"
        )
        run = replace(run, threads=threads)
    if run.config.training.seeds > 1:
        task = Preparation(run.config, run.seed).task()
        _compare_data(run, task, display)
        return _run_members(run, task, quiet)
    return _run(run, fabric, display, team, trial=trial)


def _run_members(run: RunFolder, task: Task, quiet: bool) -> TrainedRun:
    from carousel.training.ensemble import train_members  # which trains each by this module

    display = make_display(quiet)
    try:
        return TrainedRun(run.path, train_members(run, task, display, quiet))
    finally:
        display.stop()


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
        test, report = judged(trained, task, store, int(result["steps"]))
        result |= {**test, "data": task.account()}
        if (record := DataRecord.read(run.path)) is not None:
            result |= with_parts(run, record, task)
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
                trained = _fit_and_judge(run, task, fabric, display, store, team, trial)
            return team.told(trained)
        except TeamEnded as error:
            store.event(store.last_step(), events.Interrupted())
            again = command("train", "--resume", run.path)
            raise TeamEnded(
                f"{error}: the run goes on from its last checkpoint with {again}"
            ) from None
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
    if budget := run.config.training.budget:
        display.say(f"measuring how much fits into {budget} …")
    run, pace = with_plan(task, run, store, fabric, team)
    config = run.config
    begin = pretrained(task, run, store, display, fabric, team)
    trainer = Trainer(task, run, store, display, fabric, team, trial, pace, begin)
    parameters = sum(p.numel() for p in trainer.net.parameters())
    record = DataRecord.read(run.path)
    display.say(
        f"{config.recipe.name}: {config.recipe.summary}\n"
        f"{task.describe(trainer.net)}\n"
        f"{sizes(record) + chr(10) if record else ''}"
        f"{parameters:,} parameters; seed {run.seed}, {_workers(team, run.threads)}\n"
        f"run folder {run.path}"
    )
    for line in (*config.notices(), *trainer.pace.notices()):
        display.say(line)
    for line in said_of(task.parted):
        display.say(line)
    looked = look_at(config)
    for finding in looked[0]:
        if finding.severity != "info":
            display.say(f"audit: {finding.line(language())}")
    reason = trainer.fit()
    with team.all_threads():
        return _ended(run, task, trainer, display, store, reason, looked)


def _ended(
    run: RunFolder,
    task: Task,
    trainer: Trainer,
    display: Display,
    store: EventStore,
    reason: str,
    looked: tuple[list[Finding], Seen | None],
) -> TrainedRun:
    """Save the model of a training that has ended, and open the test part."""
    config, record = run.config, DataRecord.read(run.path)
    store.event(trainer.progress.step, events.Stopped(reason))
    audited, seen = looked
    trained = task.finish(trainer.net)
    trained.record, trained.seen = record, seen
    bundle.save(trained, run.model)
    display.stop()
    display.say(said(reason, language()))
    report: dict[str, Any] = {}
    test: dict[str, Any] = {}
    if run.trial:
        pass  # the test part stays closed: see `judge`
    elif is_judged(config):
        display.say("fitting the baselines, which are not recurrent …")
        test, report = judged(trained, task, store, trainer.progress.step)
    else:
        test = by_folds(run)
    headline = task.headline or task.validation_metrics[0]
    before = account_of(run)
    result = {
        "recipe": config.recipe.name,
        "seed": run.seed,
        "epochs": trainer.progress.epoch,
        "steps": trainer.progress.step,
        "seconds": round(trainer.progress.seconds + before.get("seconds", 0.0), 3),
        "parameters": sum(p.numel() for p in trainer.net.parameters()),
        "monitor": trainer.stopping.monitor,
        "metric": headline,
        "metric_higher_is_better": HIGHER_IS_BETTER[headline],
        "best_epoch": trainer.stopping.best_epoch,
        "kept_epoch": trainer.stopping.kept_epoch(trainer.progress.epoch),
        "stop_reason": reason,
        "validation": trainer.stopping.kept_metrics,
        **test,
        "data": {} if run.trial else task.account(),
    }
    if held := facts_of(task.parted):
        result["held_files"] = held
    if before:
        result["pretraining"] = before
    if timed := trainer.pace.account():
        result["budget"] = timed
    if audited:
        result["audit"] = [finding.to_dict() for finding in audited]
    if record is not None:
        result |= parts(record) if run.trial else with_parts(run, record, task)
    coached = trainer.coach.summary(trainer.progress.step, result)
    if coached:
        result["coach"] = coached
    if report:
        bundle.write_report(run.path, trained, report)
    run.write_result(result)
    write_page(run.path, language())
    return TrainedRun(run.path, result)


def _processes(count: int) -> str:
    return f"{count} processes" if count > 1 else "one process"


def _workers(team: Team, threads: int) -> str:
    if team.size == 1:
        return f"{threads} {unit_of(threads, 'threads')}"
    return f"{team.size} processes of {threads} {unit_of(threads, 'threads')} each"
