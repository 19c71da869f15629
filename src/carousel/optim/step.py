"""One optimiser step, the same for the training loop, the range test and the coach's checks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Generic, Protocol, TypeVar

from torch import Tensor, nn

from carousel.config import OptimizerConfig, RegularizationConfig
from carousel.optim.clipping import Clipper
from carousel.optim.optimizers import make_optimizer
from carousel.optim.penalties import Penalties, RowLimits


class Loss(Protocol):
    """Loss of one batch: sum / count is its mean, objective is differentiated."""

    @property
    def objective(self) -> Tensor: ...

    @property
    def sums(self) -> dict[str, Tensor]: ...

    @property
    def count(self) -> int: ...


L = TypeVar("L", bound=Loss)


def mean_loss(result: Loss) -> float:
    """The mean loss of a batch; 0 where it has no targets."""
    return float(result.sums["loss"].item()) / max(result.count, 1)


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Taken(Generic[L]):
    """One step, as it went.

    result: what was computed of the batch. loss: its mean. gradient_norm: with penalties, before
    clipping. trouble: why the weights stayed as they were, in words; empty if they moved.
    seconds: of the forward pass, and of the backward pass with penalties and clipping.
    """

    result: L
    loss: float
    gradient_norm: float
    trouble: str
    seconds: tuple[float, float]


@dataclass(frozen=True)
class Layer:
    """Parameters that are trained alike. rate: share of the learning rate that they have; frozen:
    epochs for which they stay as they are."""

    parameters: tuple[nn.Parameter, ...]
    rate: float
    frozen: int


class OptimizerStep:
    """Takes steps of a model as its settings ask: penalties, clipping, optimiser, limits of rows.

    >>> from types import SimpleNamespace
    >>> model = nn.Linear(2, 1, bias=False)
    >>> _ = nn.init.ones_(model.weight)
    >>> def loss():
    ...     total = model.weight.sum()
    ...     return SimpleNamespace(objective=total, sums={"loss": total.detach()}, count=1)
    >>> sgd = OptimizerConfig(name="sgd", learning_rate=0.5)
    >>> taken = OptimizerStep(sgd, RegularizationConfig(), model).take(loss)
    >>> taken.loss, taken.trouble, model.weight.tolist()
    (2.0, '', [[0.5, 0.5]])
    """

    def __init__(
        self,
        optimizer: OptimizerConfig,
        regularization: RegularizationConfig,
        model: nn.Module,
        layers: Sequence[Layer] = (),
    ) -> None:
        """layers: all parameters of the model in groups, the first at the whole learning rate;
        without, all are alike."""
        self.layers = tuple(layers)
        groups = [
            {"params": list(one.parameters), "lr": one.rate * optimizer.learning_rate}
            for one in layers
            if one.parameters
        ]
        self.optimizer = make_optimizer(optimizer, groups or model.parameters())
        self.penalties = Penalties(regularization, model)
        self.limits = RowLimits(regularization, model)
        self.clip = Clipper(optimizer, model.parameters())
        self.backward: Callable[[Tensor], object] = Tensor.backward
        #: Called after it: where several processes take the step together, they add up here.
        self.add_gradients: Callable[[], object] = _nothing

    def begin_epoch(self, epoch: int) -> None:
        """Leave layers as they are that are not trained yet after so many epochs: nothing is
        computed of their gradients."""
        for layer in self.layers:
            for parameter in layer.parameters:
                parameter.requires_grad_(epoch >= layer.frozen)

    def end(self) -> None:
        """Training is over: whoever trains the model next has all of it."""
        for parameter in chain.from_iterable(one.parameters for one in self.layers):
            parameter.requires_grad_()

    def take(self, compute: Callable[[], L]) -> Taken[L]:
        """Compute a batch's loss, and step along its gradient; not where either is not finite."""
        started = time.perf_counter()
        self.optimizer.zero_grad()
        result = compute()
        loss = mean_loss(result)
        middle = time.perf_counter()
        if not math.isfinite(loss):
            seconds = (middle - started, 0.0)
            return Taken(result, loss, math.nan, f"the loss is {loss}", seconds)
        self.backward(result.objective)
        self.add_gradients()
        self.penalties.add_gradients()
        norm = self.clip()
        seconds = (middle - started, time.perf_counter() - middle)
        if not math.isfinite(norm):
            return Taken(result, loss, norm, f"the gradient's norm is {norm}", seconds)
        self.optimizer.step()
        self.limits.apply()
        return Taken(result, loss, norm, "", seconds)
