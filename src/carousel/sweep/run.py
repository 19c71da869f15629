"""A sweep from its recipe to a confirmed setting."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from carousel.config import Config
from carousel.data.record import DataRecord
from carousel.errors import ConfigError, RunError, require_extra
from carousel.run import layout
from carousel.run.sweep_results import JOURNAL, is_sweep
from carousel.scores import HIGHER_IS_BETTER
from carousel.sweep import defaults, space
from carousel.sweep.plan import Plan
from carousel.sweep.storage import is_url
from carousel.tasks.shared.task import monitored
from carousel.terminal import say
from carousel.training import Place
from carousel.training.preparation import Preparation, checked_threads

Settings = Iterable[str] | Mapping[str, Any]
RUNS = 20


@dataclass(frozen=True)
class Swept:
    """A sweep that has ended: its folder, and what sweep.json says."""

    path: Path
    result: dict[str, Any]


def sweep(
    recipe: str | Config,
    over: Iterable[str] = (),
    overrides: Settings = (),
    *,
    runs: int | None = None,
    minutes: float | None = None,
    workers: int = 1,
    sampler: str = "tpe",
    pruner: str = "halving",
    confirm: int = 3,
    storage: str | Path | None = None,
    seed: int | None = None,
    threads: int | None = None,
    run_dir: str | Path | None = None,
    quiet: bool = False,
) -> Swept:
    """Train a recipe with many settings, choose by validation, and confirm the choice.

    Args:
        recipe, overrides: as `carousel.train` takes them.
        over: what is searched, "section.key=a,b,c" or "section.key=low:high", "…:log", "…:step";
            what suits the task (`carousel.sweep.defaults`) if nothing is named.
        runs: trials, those of other machines included; 20, or the whole of a grid, if None.
        minutes: begin no trial after so many.
        workers: processes on this machine.
        sampler, pruner: how settings are drawn, and when a trial is given up (`plan.Plan`).
        confirm: seeds with which the best setting and the recipe are trained anew before the test
            part is opened for the better one; 0: neither is done.
        storage: a journal file on a folder that all machines see, or a database's address; a
            journal in the sweep's folder if None.
        seed: of the draws and of every trial; the recipe's own, else 0, if None.
        threads: CPU threads of each worker; torch's number divided by the workers if None.
        run_dir: the sweep's folder; runs/<recipe>-sweep if None. One that is there is continued.
        quiet: say nothing.

    Every trial is an ordinary run in a folder of its own, which can be resumed, looked at and
    compared. With one worker the same seed gives the same sweep. Raises `ConfigError`, `DataError`
    and `RunError` for what the user can mend, `Stopped` where somebody interrupted it: the same
    call goes on then.

    >>> found = sweep("vowels-japanese", ["model.hidden_size=32,64"], runs=4)  # doctest: +SKIP
    >>> found.result["confirmed"]["chosen"]                                    # doctest: +SKIP
    'best'
    """
    require_extra("a sweep", "sweep", "optuna")
    for name, value, least in (("runs", runs, 1), ("workers", workers, 1), ("confirm", confirm, 0)):
        if value is not None and value < least:
            raise ConfigError(f"{name} must be at least {least}, got {value}", name)
    if (size := Place.found().size) > 1:
        raise ConfigError(
            f"a sweep trains its trials in processes of its own, and {size} processes were begun "
            "to train together: begin one"
        )
    if minutes is not None and not minutes > 0:
        raise ConfigError(f"minutes must be above 0, got {minutes}", "minutes")
    from carousel.sweep import stages
    from carousel.sweep.worker import Work
    from carousel.sweep.workers import Book, silent

    plan = plan_of(recipe, over, overrides, sampler=sampler, pruner=pruner, seed=seed)
    if sampler == "grid":
        size = space.size_of_grid(plan.axes)
        runs = min(runs or size, size)
    folder = _folder(run_dir, plan.config)
    where = (
        storage if storage is not None and is_url(storage) else Path(storage or folder / JOURNAL)
    )
    each = checked_threads(threads) if threads else max(1, checked_threads(None) // workers)
    until = None if minutes is None else time.time() + 60 * minutes
    how = Work(runs or RUNS, each, until, say if not quiet else silent)
    book = Book(plan, where, folder.name, folder)
    return Swept(folder, stages.run(book, how, workers, confirm))


def plan_of(
    recipe: str | Config,
    over: Iterable[str],
    overrides: Settings,
    *,
    sampler: str,
    pruner: str,
    seed: int | None,
) -> Plan:
    """The plan of a sweep; reads the data once. Raises `ConfigError` and `DataError`."""
    ready = Preparation.of(recipe, overrides, seed)
    config = ready.config
    over = [*over]
    axes = space.parse(over, config) if over else defaults.axes(config)
    if config.training.budget or "training.budget" in axes:
        raise ConfigError(
            "trials are compared after so many epochs, and training.budget ends them with a time: "
            "set training.epochs, and training.budget to ''"
        )
    if config.training.seeds > 1 or "training.seeds" in axes:
        raise ConfigError(
            "a trial is one network, and training.seeds makes several: set it to 1 for the sweep, "
            "and train what it finds with several"
        )
    task = ready.task()
    metric = monitored(task)
    config = replace(config, training=replace(config.training, monitor=metric))
    epochs = config.training.epochs
    if (axis := axes.get("training.epochs")) is not None:
        epochs = int(max(axis.ends))
    return Plan(
        config,
        axes,
        sampler,
        pruner,
        metric,
        higher=HIGHER_IS_BETTER[metric],
        epochs=epochs,
        seed=ready.seed,
        data=DataRecord.of(config, task.parted).fingerprint,
    )


def _folder(run_dir: str | Path | None, config: Config) -> Path:
    """The folder of the sweep, new, empty or that of a sweep. Raises `RunError` for another."""
    path = Path(run_dir) if run_dir else Path("runs") / f"{config.recipe.name}-sweep"
    if path.is_dir() and any(path.iterdir()) and not is_sweep(path) and layout.is_run(path):
        raise RunError(f"{path} holds a run, and no sweep: name another folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"the folder {path} cannot be made: {error.strerror}") from None
    return path
