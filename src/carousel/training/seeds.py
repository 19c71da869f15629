"""Several networks of one recipe: where they may be asked for, and what each is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from carousel.config import Config
from carousel.config.durations import seconds_of
from carousel.errors import ConfigError
from carousel.run.layout import MEMBERS
from carousel.tasks.shared.average import Averaged
from carousel.tasks.shared.task import Task, TrainedModel

_SETTING = "training.seeds"


def check_seeds(task: Task, processes: int, *, is_trial: bool = False) -> None:
    """Raise `ConfigError` where several networks are asked for and cannot be one model."""
    count = task.config.training.seeds
    if count == 1:
        return
    if not task.trained.averages:
        raise ConfigError(
            f"{_SETTING} = {count}: models of the task '{task.config.task}' are not averaged: set "
            "it to 1"
        )
    if processes > 1:
        raise ConfigError(f"{_SETTING} = {count} trains in one process: start it without torchrun")
    if is_trial:
        raise ConfigError(f"a trial of a sweep is one network: set {_SETTING} to 1 for the search")


def members_of(config: Config, seed: int) -> Iterator[tuple[str, Config, int]]:
    """Names in the folder, configurations and seeds of the members of a run."""
    training = config.training
    budget = training.budget
    if budget:
        share = seconds_of(budget, "training.budget") / training.seeds
        budget = f"{share:.3f} s"
    own = replace(config, training=replace(training, seeds=1, budget=budget))
    for number in range(seed, seed + training.seeds):
        yield f"{MEMBERS}/seed-{number}", own, number


def average_of(task: Task, members: list[TrainedModel]) -> TrainedModel:
    """One model whose answers are the average of those of several."""
    net = Averaged([member.model for member in members], members[0].averaged)
    net.eval()
    return task.finish(net)


def reason_of(count: int) -> str:
    """Sentence on why the training of several networks ended."""
    return f"trained {count} networks, whose answers are averaged"


def floats_of(report: dict[str, Any]) -> dict[str, float]:
    """The metrics of a report."""
    return {name: value for name, value in report.items() if isinstance(value, float)}
