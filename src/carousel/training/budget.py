"""Training within a time: a plan from the first batches, and a pace that keeps to it.

Before the first step some batches are trained on and one validation is done, on weights that are
thrown away; how many steps fit into `training.budget` follows from their times. The run is then one
of so many epochs and steps, its schedule made for them. While it goes on, the time that the rest
will take is looked at every twentieth of the steps that are left, and after every epoch; where it
is not the time that is left, the length of the run is revised (`TimedPace`), so that run and
schedule end with the time. All of it is on record, and repeats the run without a clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import partial
from itertools import count
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from carousel.config import Config
from carousel.config.durations import seconds_of
from carousel.errors import ConfigError
from carousel.optim.step import OptimizerStep
from carousel.run.events import Planned
from carousel.run.layout import RunFolder
from carousel.run.reading import events
from carousel.run.writing import EventStore
from carousel.tasks.shared.losses import Batch
from carousel.tasks.shared.task import Task
from carousel.training import clock
from carousel.training.pace import Pace
from carousel.training.team import Team
from carousel.training.timed_pace import SETTING, TimedPace, fitting
from carousel.training.unsaved import Following, Unsaved

_WARM_UP = 2  # steps that are not timed: memory is taken then
_FEWEST, _MOST, _SHARE = 3, 30, 0.02  # steps that are timed, and the share of the budget for them
_FIELDS = tuple(field.name for field in fields(Planned))


R = TypeVar("R", RunFolder, Unsaved, Following)


def with_plan(
    task: Task, run: R, store: EventStore, fabric: Fabric, team: Team
) -> tuple[R, Pace | None]:
    """The run with the settings of its plan, which the first process finds on record or makes, and
    its pace; the run as it is, and None, without a budget. The task reads those settings, too.

    Raises `ConfigError` if not a step fits.
    """
    if not run.config.training.budget:
        return run, None

    def plan_of() -> Planned:
        if isinstance(run, RunFolder):
            store.flush()
            for found in events(run.events, Planned):
                return Planned(**{name: found[name] for name in _FIELDS})
        made = make_plan(task, run.config, run.seed, fabric, team)
        store.event(0, made)
        return made

    plan = team.led(plan_of)
    task.config = planned(run.config, plan)
    return replace(run, config=task.config), TimedPace(plan, task.batches_per_epoch)


def make_plan(task: Task, config: Config, seed: int, fabric: Fabric, team: Team) -> Planned:
    """Plan of a training under a budget, from the times of its first batches and of a validation.

    torch's random state is left as it was. Raises `ConfigError` if not a step fits.
    """
    asked = seconds_of(config.training.budget, SETTING)
    began = clock.now()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = task.build_model().to(fabric.device)
        step = _seconds_of_a_step(task, net, asked, fabric, team)
        middle = clock.now()
        task.validate(net)
    ended = clock.now()
    validation, spent = ended - middle, ended - began
    steps = fitting(asked - spent, step, validation, 0, task.batches_per_epoch)
    if steps < 1:
        raise ConfigError(
            f"{SETTING} = '{config.training.budget}' is too short: to measure took {spent:.2g} s, "
            f"a step takes {step:.2g} s and a validation {validation:.2g} s; give it "
            f"{math.ceil(spent + validation + 10 * step)} s at least"
        )
    epochs = Pace(steps, task.batches_per_epoch).epochs
    settings = [f"training.epochs={epochs}", f"training.max_steps={steps}"]
    settings += _in_epochs(config, epochs)
    return Planned(config.training.budget, epochs, steps, step, validation, spent, settings)


def _seconds_of_a_step(
    task: Task, net: nn.Module, asked: float, fabric: Fabric, team: Team
) -> float:
    update = OptimizerStep(task.config.optimizer, task.config.regularization, net)
    net.train()
    times: list[float] = []
    began = before = clock.now()
    for number, (whole, carry) in enumerate(_batches(task)):
        batch, _ = team.share(task.subject, whole)
        taken = update.take(partial(task.loss, net, fabric.to_device(batch), tuple(carry)))
        carry[:] = taken.result.carry
        now = clock.now()
        if number >= _WARM_UP:
            times.append(now - before)
        before = now
        enough = now - began >= _SHARE * asked or len(times) >= _MOST
        if len(times) >= _FEWEST and enough:
            break
    return sum(times) / len(times)


def _batches(task: Task) -> Iterator[tuple[Batch, list[Tensor]]]:
    for _ in count():
        carry: list[Tensor] = []
        for batch in task.train_batches(0, 0):
            yield batch, carry


def _in_epochs(config: Config, epochs: int) -> Iterator[str]:
    """Settings in epochs, for so many in place of `training.epochs`."""
    before, schedule = config.training.epochs, config.schedule
    if schedule.name == "zaremba":
        hold = max(1, round(schedule.hold * epochs / before)) if schedule.hold else 0
        yield f"schedule.hold={hold}"
        if before > schedule.hold and epochs > hold:  # as far down in the last epoch
            factor = schedule.factor ** ((before - schedule.hold) / (epochs - hold))
            yield f"schedule.factor={min(0.999, max(factor, 1e-6))!r}"
    if config.averaging.name == "mean":
        yield f"averaging.start={round(config.averaging.start * epochs / before)}"


def planned(config: Config, plan: Planned) -> Config:
    """The configuration of the run that a plan makes, without a clock."""
    return config.override(["training.budget=''", *plan.settings])
