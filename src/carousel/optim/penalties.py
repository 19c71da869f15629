"""Penalties on weights, and limits of their rows."""

from __future__ import annotations

import torch
from torch import nn

from carousel.config import RegularizationConfig


def weight_group(name: str) -> str:
    """Group of the penalties that a parameter belongs to, by its name.

    >>> [weight_group(n) for n in ("recurrent.weight_ih_l0", "recurrent.weight_hh_l0",
    ...                            "recurrent.bias_hh_l0", "head.weight", "head.bias")]
    ['input', 'recurrent', 'bias', 'head', 'bias']

    A tied embedding is in the group "embedding" alone.
    """
    last = name.rsplit(".", 1)[-1]
    if "embedding" in name:
        return "embedding"
    if last.startswith(("bias", "weight_ln", "weight_lambda")):  # gains and decays, too
        return "bias"
    if last.startswith(("weight_ih", "weight_iu")):
        return "input"
    if last.startswith(("weight_hh", "weight_hr", "weight_c_l", "weight_hu", "weight_m")):
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
        """True if there is anything to add."""
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
            if not parameter.requires_grad:
                continue
            rows = parameter.view(len(parameter), -1)
            parameter.copy_(torch.renorm(rows, p=2, dim=0, maxnorm=longest).view_as(parameter))
