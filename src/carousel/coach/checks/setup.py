"""Surroundings of a check: a copy of the model, a few rows of training data, and time."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from carousel.coach.finding import Number
from carousel.coach.subject import Batch, Subject, Trained
from carousel.coach.traces import recurrent_layers
from carousel.coach.words import Said, sentence
from carousel.optim.step import mean_loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carousel.config import Config

Found = dict[str, Number | Said]


class NotApplicableError(Exception):
    """A check has nothing to look at here; `said` tells why, in every language.

    key: of the text in texts/; values: what stands in its braces.
    """

    def __init__(self, key: str, **values: object) -> None:
        self.said: Said = sentence(key, **values)
        super().__init__(self.said["en"])


@dataclass
class Setup:
    """A task, a network that its checks may ruin copies of, and how long each may take.

    model: in evaluation mode; a copy of the one that was given. seconds: for each check that
    trains. account: of the data, `Task.account`, or empty where the test part must not be read.
    """

    task: Trained
    model: nn.Module
    seconds: float = 10.0
    account: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.model = copy.deepcopy(self.model).cpu().eval()

    @property
    def subject(self) -> Subject:
        return self.task.subject

    @property
    def config(self) -> Config:
        return self.task.config

    @cached_property
    def batches(self) -> list[Batch]:
        """The first batches of training."""
        return list(islice(self.task.train_batches(0, 0), 20))

    def few(self, rows: int) -> Batch:
        """The first rows of the first batch, fewer if it has fewer."""
        batch = self.batches[0]
        return self.subject.pick(batch, torch.arange(min(rows, self.subject.rows(batch))))

    def copy(self) -> nn.Module:
        """A network of its own for a check that trains one."""
        return copy.deepcopy(self.model)

    def mean_loss(self, model: nn.Module, batch: Batch) -> float:
        return mean_loss(self.task.loss(model, batch))

    def time_is_up(self) -> Callable[[], bool]:
        """Tells whether the time that begins now is used up."""
        end = time.monotonic() + self.seconds
        return lambda: time.monotonic() > end

    @cached_property
    def spoken(self) -> Tensor | None:
        """Model's output for a few rows, as its own `forward` returns it."""
        with torch.no_grad(), outputs_of(self.model) as said:
            self.task.loss(self.model, self.few(8))
        return said[0] if said else None

    @cached_property
    def classes(self) -> int:
        """Number of classes the model chooses from; 0 where it puts out numbers."""
        batch = self.few(8)
        if self.subject.wanted(batch).is_floating_point():
            return 0
        said = self.spoken
        if said is None or said.dim() < 2:
            with torch.no_grad():
                said = self.subject.step_outputs(self.model, self.few(1))
        return 0 if said is None else said.size(-1)


@contextmanager
def outputs_of(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what the model's `forward` returns inside the block: the first tensor of each
    call."""
    said: list[Tensor] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, Tensor):
            said.append(first)

    handle = model.register_forward_hook(note)
    try:
        yield said
    finally:
        handle.remove()


@dataclass(frozen=True)
class Entry:
    """Numbers that a model reads, with a gradient; rows and steps along these dimensions (steps:
    None where it has none)."""

    values: Tensor
    row_dim: int
    step_dim: int | None


@contextmanager
def entries_of(setup: Setup) -> Iterator[list[Entry]]:
    """Collect what the model reads inside the block, as early as there is a gradient: embeddings of
    its tokens, or else inputs of its recurrent layers."""
    found: list[Entry] = []
    rows = setup.subject.batch_dim

    def note_embedding(module: nn.Module, inputs: Any, output: Tensor) -> None:
        if output.requires_grad:
            found.append(Entry(output, rows, 1 - rows if output.dim() > 2 else None))

    def note_input(layer: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        x = args[0] if args else kwargs["input"]
        if not isinstance(x, Tensor) or x.dim() != 3:
            return None
        if not x.requires_grad:
            x = x.detach().requires_grad_()
        found.append(Entry(x, 0 if layer.batch_first else 1, 1 if layer.batch_first else 0))
        return ((x, *args[1:]), kwargs) if args else ((), kwargs | {"input": x})

    embeddings = [m for m in setup.model.modules() if isinstance(m, nn.Embedding)]
    if embeddings:
        handles = [m.register_forward_hook(note_embedding) for m in embeddings]
    else:
        layers = [layer for _, layer in recurrent_layers(setup.model)]
        handles = [m.register_forward_pre_hook(note_input, with_kwargs=True) for m in layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
