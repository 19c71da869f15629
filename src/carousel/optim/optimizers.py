"""Optimisers and schedules: torch's own, chosen by name."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import lr_scheduler

from carousel import scores
from carousel.config import OptimizerConfig, ScheduleConfig

Schedule = lr_scheduler.LRScheduler


def make_optimizer(
    config: OptimizerConfig, parameters: Iterable[Tensor] | Iterable[dict[str, Any]]
) -> torch.optim.Optimizer:
    """The optimiser that `config.name` names, with torch's defaults for what is not stated.

    parameters: of the model, or groups of them as torch takes them, with rates of their own.
    """
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
    rates = [group["lr"] for group in optimizer.param_groups]
    match config.name:
        case "one-cycle":  # Smith and Topin 2018; the momentum stays as it is
            if total_steps * config.warmup <= 1:
                return _FallAlone(optimizer, total_steps)
            return lr_scheduler.OneCycleLR(
                optimizer,
                max_lr=rates,
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
    """Fall of the one cycle alone, from the first step, for a run too short to rise in.

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
