"""Questions that the coach asks a task. A task offers a `Subject` as `task.subject`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn

from carousel.config import Config
from carousel.data.record import Parted
from carousel.optim.step import Loss

Batch = tuple[Tensor, ...]


class Subject(Protocol):
    """Access to batches of a mapping: rows, padding, targets, outputs.

    batch_dim: the dimension of a batch's tensors that its rows are counted along. many_answers:
    whether one recording, window or sentence has many answers, so that few of them tell more.
    """

    @property
    def batch_dim(self) -> int: ...

    @property
    def many_answers(self) -> bool: ...

    def rows(self, batch: Batch, /) -> int:
        """The number of independent rows (sequences, streams) of a batch."""

    def pick(self, batch: Batch, index: Tensor, /) -> Batch:
        """Some rows of a batch as a batch of their own, padded as they were. index: (b,)."""

    def padded(self, batch: Batch, steps: int, /) -> Batch | None:
        """Batch with that many more steps of padding, filled with something; None where all rows
        are of one length."""

    def step_outputs(self, model: nn.Module, batch: Batch, /) -> Tensor | None:
        """Outputs at each step, (rows, T, C); None where the model has one output a sequence."""

    def wanted(self, batch: Batch, /) -> Tensor:
        """The batch's targets, flattened, without masked ones: class numbers, or numbers as the
        loss sees them."""

    def targets(self) -> tuple[Tensor, Tensor] | None:
        """The targets of the training and of the validation part, on the network's own scale:
        numbers of classes (N,), negative where there is none, or values. None if it has neither.
        """

    def outputs(self, model: nn.Module, /) -> dict[str, float]:
        """Measures of the model's answers on (some) validation data, such as the share of the most
        frequent one. Empty if they say nothing here."""


class Trained(Protocol):
    """Trained thing, as far as the coach needs it: every task is one."""

    config: Config

    @property
    def subject(self) -> Subject: ...

    @property
    def parted(self) -> Parted: ...

    @property
    def batches_per_epoch(self) -> int: ...

    def train_batches(self, epoch: int, start: int, /) -> Iterator[Batch]: ...

    def loss(self, model: nn.Module, batch: Batch, /) -> Loss: ...
