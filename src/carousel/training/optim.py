"""Optimisers, schedules and penalties: torch's own, chosen by name."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from carousel import scores
from carousel.config import OptimizerConfig, RegularizationConfig, ScheduleConfig

Schedule = lr_scheduler.LRScheduler


def make_optimizer(config: OptimizerConfig, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    """The optimiser that `config.name` names, with torch's defaults for what is not stated."""
    rate, decay = config.learning_rate, config.weight_decay
    match config.name:
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(parameters, lr=rate, weight_decay=decay)
        case "nesterov":
            return torch.optim.SGD(
                parameters, lr=rate, momentum=config.momentum, nesterov=True, weight_decay=decay
            )
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=rate, weight_decay=decay)
        case "adagrad":
            return torch.optim.Adagrad(parameters, lr=rate, weight_decay=decay)
    raise AssertionError(config.name)  # the configuration admits no other name


def make_schedule(
    config: ScheduleConfig,
    optimizer: torch.optim.Optimizer,
    total_steps: int,
    monitor: str,
    epoch_steps: int = 1,
) -> Schedule | None:
    """The schedule, or None if the rate is constant.

    "plateau" is to be stepped once an epoch, with the value of `monitor`; the others once a step.
    epoch_steps: steps of an epoch.
    """
    rate = optimizer.param_groups[0]["lr"]
    match config.name:
        case "one-cycle":  # Smith and Topin 2018; the momentum stays as it is
            if total_steps * config.warmup <= 1:
                return _FallAlone(optimizer, total_steps)
            return lr_scheduler.OneCycleLR(
                optimizer,
                max_lr=rate,
                total_steps=total_steps,
                pct_start=config.warmup,
                cycle_momentum=False,
            )
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, T_max=total_steps)
        case "zaremba":  # Zaremba et al. 2014: a constant rate, then a geometric fall by epochs

            def share(step: int) -> float:
                return float(config.factor ** max(0, step // epoch_steps + 1 - config.hold))

            return lr_scheduler.LambdaLR(optimizer, share)
        case "plateau":
            return lr_scheduler.ReduceLROnPlateau(
                optimizer,
                mode="max" if scores.HIGHER_IS_BETTER[monitor] else "min",
                factor=config.factor,
                patience=config.patience,
                threshold=0.0,
            )
    return None


class _FallAlone(Schedule):
    """What is left of the one cycle in a run too short to rise in: the fall, from the first step.

    torch's own divides by a rise of no steps there, or begins far down its fall.
    """

    _END = 1 / 25e4  # where torch's OneCycleLR ends, as a share of the highest rate

    def __init__(self, optimizer: torch.optim.Optimizer, total_steps: int) -> None:
        self.total_steps = total_steps
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        done = min(1.0, self.last_epoch / max(1, self.total_steps - 1))
        share = self._END + (1 - self._END) * (1 + math.cos(math.pi * done)) / 2
        return [rate * share for rate in self.base_lrs]


def weight_group(name: str) -> str:
    """Which group of the penalties a parameter belongs to, by its name.

    >>> [weight_group(n) for n in ("recurrent.weight_ih_l0", "recurrent.weight_hh_l0",
    ...                            "recurrent.bias_hh_l0", "head.weight", "head.bias")]
    ['input', 'recurrent', 'bias', 'head', 'bias']

    A tied embedding is in the group "embedding" alone.
    """
    last = name.rsplit(".", 1)[-1]
    if "embedding" in name:
        return "embedding"
    if last.startswith(("bias", "weight_ln")):  # gains of layer normalisation, too
        return "bias"
    if last.startswith("weight_ih"):
        return "input"
    if last.startswith(("weight_hh", "weight_hr", "weight_c_l")):
        return "recurrent"
    return "head"


class Penalties:
    """The gradient of l1 * sum|w| + l2 / 2 * sum w^2 per weight group, added to w.grad.

    Adding the gradient is exact and keeps the reported loss the loss on the data.
    """

    def __init__(self, config: RegularizationConfig, model: nn.Module) -> None:
        self._terms: list[tuple[nn.Parameter, float, float]] = []
        for name, parameter in model.named_parameters():
            group = weight_group(name)
            l1, l2 = getattr(config.l1, group), getattr(config.l2, group)
            if l1 or l2:
                self._terms.append((parameter, l1, l2))

    def __bool__(self) -> bool:
        """Whether there is anything to add."""
        return bool(self._terms)

    @torch.no_grad()
    def add_gradients(self) -> None:
        for parameter, l1, l2 in self._terms:
            if parameter.grad is None:
                continue
            if l2:
                parameter.grad.add_(parameter, alpha=l2)
            if l1:
                parameter.grad.add_(parameter.sign(), alpha=l1)


class RowLimits:
    """Shortens the rows of a group's matrices to its `max_norm` after each step.

    A row holds what one gate of one unit reads (Srebro et al. 2005; Hinton et al. 2012): of
    IndRNN's recurrent weights, a single number.
    """

    def __init__(self, config: RegularizationConfig, model: nn.Module) -> None:
        self._terms: list[tuple[nn.Parameter, float]] = []
        for name, parameter in model.named_parameters():
            longest = getattr(config.max_norm, weight_group(name), 0.0)
            if longest and not name.rsplit(".", 1)[-1].startswith("weight_c"):  # peepholes
                self._terms.append((parameter, longest))

    @torch.no_grad()
    def apply(self) -> None:
        for parameter, longest in self._terms:
            rows = parameter.view(len(parameter), -1)
            parameter.copy_(torch.renorm(rows, p=2, dim=0, maxnorm=longest).view_as(parameter))
