"""One example as a trained model reads it, to look into the network while it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from carousel.errors import DataError

if TYPE_CHECKING:
    from carousel.tasks.shared.losses import Batch
    from carousel.tasks.shared.task import Task


@dataclass(frozen=True)
class Example:
    """An example, and the number whose gradient says which steps mattered.

    title: what it is, in words. steps: the names of its steps, such as its tokens; empty where
    they are only numbered. measured: what `output` gives, in words. output: runs the model, in
    evaluation mode and with gradients, and returns that scalar. image: the numbers that are read,
    (T, F) a row for each step, where they make a picture; else None.
    """

    title: str
    measured: str
    output: Callable[[], Tensor]
    steps: tuple[str, ...] = ()
    image: Tensor | None = None


def check_number(number: int, count: int, what: str) -> int:
    """The number of an example, counted from 0. Raises `DataError` if there is none of it."""
    if 0 <= number < count:
        return number
    raise DataError(
        f"sample must lie between 0 and {count - 1} ({count:,} {what}), got {number}"
        if count
        else f"there are no {what} to look at",
        *(["sample"] if count else []),
    )


def shown(names: Sequence[str], chosen: Sequence[int], most: int = 6) -> str:
    """Names of the chosen classes, each once, in order; cut short where there are many."""
    found = list(dict.fromkeys(names[i] for i in chosen))
    return ", ".join(found[:most]) + (" …" if len(found) > most else "")


def of_training(task: Task, model: nn.Module, number: int) -> Example:
    """Row `number` of the first epoch of training, whatever the task: its loss is differentiated.

    Raises `DataError` if the epoch has no such row.
    """
    seen = 0
    for batch in task.train_batches(0, 0):
        rows = task.subject.rows(batch)
        if seen <= number < seen + rows:
            row = task.subject.pick(batch, torch.tensor([number - seen]))
            return Example(
                f"row {number} of the first epoch of training",
                "the loss",
                partial(_loss, task, model, row),
            )
        seen += rows
    check_number(number, seen, "rows in the first epoch of training")
    raise AssertionError(number)


def _loss(task: Task, model: nn.Module, batch: Batch) -> Tensor:
    return task.loss(model, batch).objective
