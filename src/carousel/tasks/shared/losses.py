"""Loss of a network on a batch, and the means over several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

Batch = tuple[Tensor, ...]
Carry = tuple[Tensor, ...]


@dataclass(frozen=True)
class StepLoss:
    """Loss of a model on one batch.

    objective: the scalar to differentiate; it may hold penalties, and have a scale of its own.
    sums: by metric, at least "loss", the total over the batch; detached.
    count: of what those are totals (images, words): sum / count is the batch's mean.
    carry: state for the next batch, detached; empty where batches are independent.
    weight: what the objective is a mean over, where that is not `count`: objectives of parts of a
    batch, weighted by it, have that of the whole batch as their mean.
    """

    objective: Tensor
    sums: dict[str, Tensor]
    count: int
    carry: Carry = ()
    weight: float | None = None


def mean_measured(losses: Tensor, measured: Tensor) -> Tensor:
    """Mean of losses where something was measured, both of one shape; 0 where nothing was, with a
    gradient of 0.

    >>> import torch
    >>> losses, none = torch.tensor([1.0, 3.0, 8.0]), torch.zeros(3, dtype=torch.bool)
    >>> mean_measured(losses, losses < 5).item(), mean_measured(losses, none).item()
    (2.0, 0.0)
    """
    if measured.all():
        return losses.mean()
    return losses[measured].mean() if measured.any() else (0 * losses).sum()


def mean_of(steps: Iterable[StepLoss]) -> dict[str, float]:
    """The means over several batches."""
    sums: dict[str, float] = {}
    count = 0
    for step in steps:
        count += step.count
        for name, value in step.sums.items():
            sums[name] = sums.get(name, 0.0) + float(value)
    return {name: value / count for name, value in sums.items()}
