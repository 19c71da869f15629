"""Training without a folder: the same loop, in memory, for estimators, sweeps and notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from statistics import median_low
from typing import Any

import torch
from lightning_fabric import Fabric

from carousel import tasks
from carousel.config import Config
from carousel.data.record import Parted
from carousel.tasks.shared.task import TrainedModel
from carousel.training.budget import with_plan
from carousel.training.display import make_display
from carousel.training.loop import Trainer
from carousel.training.preparation import check_seed, checked_threads, using_threads
from carousel.training.pretraining import pretrained
from carousel.training.seeds import average_of, check_seeds, members_of, reason_of
from carousel.training.team import Team
from carousel.training.unsaved import Nowhere, Unsaved


@cache
def _fabric() -> Fabric:
    """One for all: to make one searches every installed package, which takes as long as a short
    training."""
    return Fabric(accelerator="cpu", devices=1)


@dataclass(frozen=True)
class Fitted:
    """A model that was trained in memory, and how that went.

    epochs: that were trained. best_epoch: whose weights the model has, unless
    `training.restore_best` is off. validation: its metrics. reason: why training ended, in words.
    parted: the data, as a record of them is made (`carousel.data.record`).
    """

    model: TrainedModel
    epochs: int
    best_epoch: int
    validation: dict[str, float]
    reason: str
    parted: Parted


def fit(
    config: Config,
    parts: Any = None,
    *,
    settings: Iterable[str] | Mapping[str, Any] = (),
    seed: int = 0,
    threads: int | None = None,
    quiet: bool = True,
) -> Fitted:
    """Train in memory, without folder, checkpoint or record; the weights are those of `train`.

    Args:
        config: the recipe; where `parts` are given, its `data.name` and `data.path` are not read.
        parts: training, validation and test part, as the task has them (see `carousel.data.parts`).
        settings: changes of the recipe, as `train` takes them.
        seed: of weights, order and dropout.
        threads: CPU threads; torch's current number if None.
        quiet: show nothing.

    The coach, samples and kept epochs need a folder: they are off. The test part stays closed;
    `model.evaluate()` opens it. torch's random state and number of threads are left as they were;
    Ctrl-C raises KeyboardInterrupt. Raises `ConfigError`, `DataError`, and `TrainingDiverged`.

    >>> fitted = fit(Config(), settings={"training.epochs": 2})  # doctest: +SKIP
    >>> fitted.validation["accuracy"]                            # doctest: +SKIP
    0.97...
    """
    if settings:
        config = config.override(settings)
    if parts is None:
        config = config.check_data()
    config = replace(
        config,
        coach=replace(config.coach, enabled=False),
        training=replace(config.training, samples=0, keep_epochs=0),
    )
    check_seed(seed)
    threads = checked_threads(threads)
    if config.training.seeds > 1:
        return _fit_members(config, parts, seed, threads, quiet)
    display = make_display(quiet)
    try:
        with using_threads(threads), torch.random.fork_rng(devices=[]):
            task = tasks.find(config.task)(config, seed, parts)
            fabric = _fabric()
            team, nowhere = Team(), Nowhere()
            run, pace = with_plan(task, Unsaved(config, seed), nowhere, fabric, team)
            begin = pretrained(task, run, nowhere, display, fabric, team)
            trainer = Trainer(task, run, nowhere, display, fabric, team, pace=pace, begin=begin)
            reason = trainer.fit()
            model = task.finish(trainer.net)
    finally:
        display.stop()
    model.model.eval()
    model.parts = parts
    epochs = trainer.progress.epoch
    kept = trainer.stopping.kept_epoch(epochs)
    return Fitted(model, epochs, kept, dict(trainer.stopping.kept_metrics), reason, task.parted)


def _fit_members(config: Config, parts: Any, seed: int, threads: int, quiet: bool) -> Fitted:
    """Several networks, each as it is trained alone, and the average of them."""
    task = tasks.find(config.task)(config, seed, parts)
    check_seeds(task, 1)
    members = [
        fit(one, parts, seed=own, threads=threads, quiet=quiet)
        for _, one, own in members_of(config, seed)
    ]
    with using_threads(threads):
        model = average_of(task, [member.model for member in members])
        model.parts = parts
        validation = task.validate(model.model)
    epochs = [member.epochs for member in members]
    kept = median_low(member.best_epoch for member in members)
    return Fitted(model, max(epochs), kept, validation, reason_of(len(members)), task.parted)
