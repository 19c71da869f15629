"""Is the gradient that training goes by the one of the loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from carousel.coach.checks.setup import Found, NotApplicableError, Setup
from carousel.coach.subject import Batch

_ROWS = 4
_MOVE = 1e-6  # of the length of all weights: small for the loss, large for float64


def gradient_check(setup: Setup) -> Found | None:
    """The rise of the loss along its gradient, by the gradient in float32 as training has it, and
    by central differences in float64, where no kernel of our own is used."""
    batch = setup.few(_ROWS)
    model, exact = setup.copy(), setup.copy().double()
    for module in exact.modules():
        module.register_forward_pre_hook(_exactly, with_kwargs=True)
    gradient = _gradient(setup, model, batch)
    length = _length(gradient)
    if not length > 0:
        raise NotApplicableError("no_direction", length=length)
    move = _MOVE * max(_length(list(exact.parameters())), 1.0)
    ahead = _loss_at(setup, exact, gradient, move / length, batch)
    behind = _loss_at(setup, exact, gradient, -2 * move / length, batch)
    rise = (ahead - behind) / (2 * move)
    error = abs(rise - length) / (abs(rise) + length)
    return {"error": error} if error > setup.config.coach.thresholds.gradient_error else None


def _gradient(setup: Setup, model: nn.Module, batch: Batch) -> list[Tensor]:
    """Gradients of the training objective, a tensor for each parameter."""
    parameters = list(model.parameters())
    with torch.enable_grad(), torch.random.fork_rng(devices=()):
        objective = setup.task.loss(model, batch).objective
        found = torch.autograd.grad(objective, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def _exactly(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Arguments of a module in float64, where a task or a network has made them float32."""
    return tuple(map(_exact, args)), {name: _exact(value) for name, value in kwargs.items()}


def _exact(value: Any) -> Any:
    is_real = isinstance(value, Tensor) and value.is_floating_point()
    return value.double() if is_real else value


def _length(tensors: list[Tensor]) -> float:
    return float(torch.stack([t.detach().double().square().sum() for t in tensors]).sum().sqrt())


def _loss_at(
    setup: Setup, model: nn.Module, direction: list[Tensor], by: float, batch: Batch
) -> float:
    """Training objective with every parameter moved along the direction, for good."""
    for parameter, along in zip(model.parameters(), direction, strict=True):
        parameter.add_(along.double(), alpha=by)
    with torch.random.fork_rng(devices=()):
        return float(setup.task.loss(model, tuple(map(_exact, batch))).objective)
