"""Part of the processes that train together but for the first: they read the same data and train
on their rows; the run, what is shown of it, and the test part are the first process's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from carousel.config import Config
from carousel.data.record import DataRecord
from carousel.errors import ConfigError, DataError
from carousel.training.budget import with_plan
from carousel.training.display import Display
from carousel.training.loop import Trainer
from carousel.training.preparation import Preparation, using_threads
from carousel.training.pretraining import pretrained
from carousel.training.team import Place, Team, make_fabric
from carousel.training.unsaved import Following, Nowhere


@dataclass(frozen=True)
class Plan:
    """Plan of a training, as the first process tells the others."""

    path: Path
    config: Config
    seed: int
    threads: int


def join(device: str = "cpu") -> tuple[Fabric, Team]:
    """The device of this process, and the processes that it trains with: those that `torchrun`
    started, or it alone. Raises `ConfigError` for a device that there is not."""
    place = Place.found()
    kind, _, number = device.partition(":")
    if kind == "cpu" and not number:
        fabric = make_fabric(place, "cpu", 1)
    elif kind == "cuda" and (not number or number.isdigit()):
        wanted = int(number or 0) if place.size == 1 else place.local_size - 1
        if not torch.cuda.is_available() or wanted >= torch.cuda.device_count():
            raise ConfigError(f"torch sees no device '{device}' here: use the device cpu")
        if number and place.size > 1:
            raise ConfigError(
                f"processes that train together have a device each: use cuda, not {device}"
            )
        fabric = make_fabric(place, "cuda", [wanted])
    else:
        raise ConfigError(f"the device must be cpu, cuda or cuda:<number>, got '{device}'")
    return fabric, Team(place, fabric.device)


def follow(fabric: Fabric, team: Team) -> Any:
    """Train with the first process; returns what it returns."""
    plan = team.told_by_first()
    if not isinstance(plan, Plan):  # the run has ended before
        return plan
    config = replace(
        plan.config,
        coach=replace(plan.config.coach, enabled=False),
        training=replace(plan.config.training, samples=0, keep_epochs=0),
    )
    with using_threads(plan.threads):
        task = team.in_turn(Preparation(plan.config, plan.seed).task)
        record, shuffle = team.told_by_first()
        if record != DataRecord.of(plan.config, task.parted).text():
            raise DataError(
                f"the data that process {team.rank} of {team.size} reads are not those of the "
                "first: give every machine the same files, and the same version of Carousel"
            )
        if shuffle != task.shuffle:
            raise DataError(
                f"process {team.rank} of {team.size} would put the data in another order, as its "
                f"machine has other memory: set data.shuffle = '{shuffle}'"
            )
        run = Following(config, plan.seed, plan.path)
        run, pace = with_plan(task, run, Nowhere(), fabric, team)
        begin = pretrained(task, run, Nowhere(), Display(), fabric, team)
        trainer = Trainer(task, run, Nowhere(), Display(), fabric, team, pace=pace, begin=begin)
        trainer.fit()
    return team.told_by_first()
