"""Search for the first tensor of a network that is not finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


@torch.no_grad()
def first_nonfinite(model: nn.Module, compute: Callable[[], object] | None = None) -> str:
    """The first tensor that is not finite, in words: a weight, a gradient, or an output.

    Args:
        model: the network, with the gradients of its last step.
        compute: runs the model on the batch in question, so that its outputs can be seen; None
            where there is no such batch.

    >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    >>> _ = nn.init.constant_(model[1].bias, torch.nan)
    >>> first_nonfinite(model)
    'the weight 1.bias'
    """
    weights = [(f"the weight {n}", p) for n, p in model.named_parameters()]
    gradients = [(f"the gradient of {n}", p.grad) for n, p in model.named_parameters()]
    for name, tensor in [*weights, *gradients]:
        if tensor is not None and not torch.isfinite(tensor).all():
            return name
    if compute is None:
        return "an output of the model"
    return _first_output(model, compute) or "the loss itself"


def _first_output(model: nn.Module, compute: Callable[[], object]) -> str:
    """The first module of a call with an output that is not finite; empty if there is none."""
    seen: list[str] = []

    def look(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            if isinstance(first, torch.Tensor) and not torch.isfinite(first).all():
                seen.append(f"the output of {name}")

        return hook

    hooks = [m.register_forward_hook(look(n)) for n, m in model.named_modules() if n]
    try:
        compute()
    finally:
        for hook in hooks:
            hook.remove()
    return seen[0] if seen else ""
