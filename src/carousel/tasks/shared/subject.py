"""Subject of a task by default: how the coach takes its batches apart
(`carousel.coach.subject`)."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from torch import Tensor, nn
from torch.nn.functional import pad

from carousel.data.windows import is_labelled

T = TypeVar("T")
Batch = tuple[Tensor, ...]


class TaskSubject(Generic[T]):
    """Subject of a task whose batches are tensors of rows, the targets last; the methods are
    described in `carousel.coach.subject.Subject`."""

    batch_dim: ClassVar[int] = 0
    many_answers: ClassVar[bool] = False

    def __init__(self, task: T) -> None:
        self.task = task

    def rows(self, batch: Batch) -> int:
        return batch[0].size(self.batch_dim)

    def pick(self, batch: Batch, index: Tensor) -> Batch:
        return tuple(part.index_select(self.batch_dim, index) for part in batch)

    def padded(self, batch: Batch, steps: int) -> Batch | None:
        return None

    def step_outputs(self, model: nn.Module, batch: Batch) -> Tensor | None:
        return None

    def wanted(self, batch: Batch) -> Tensor:
        last = batch[-1].flatten()
        return last[is_labelled(last)]

    def targets(self) -> tuple[Tensor, Tensor] | None:
        return None

    def outputs(self, model: nn.Module) -> dict[str, float]:
        return {}


class WriterSubject(TaskSubject[T]):
    """Subject of a task that writes sentences: batches have tokens (B, T) and targets (B, T) last,
    but for the share of scheduled sampling, which is of no row."""

    def pick(self, batch: Batch, index: Tensor) -> Batch:
        return tuple(part[index] if part.dim() else part for part in batch)

    def padded(self, batch: Batch, steps: int) -> Batch:
        *read, tokens, targets = (part for part in batch if part.dim())
        share = (part for part in batch if not part.dim())
        return (*read, pad(tokens, (0, steps), value=1), pad(targets, (0, steps), value=-1), *share)

    def wanted(self, batch: Batch) -> Tensor:
        return super().wanted(tuple(part for part in batch if part.dim()))
