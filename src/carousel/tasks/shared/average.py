"""Average of several networks of one recipe, which were trained with different seeds.

Of classes and labels the chances are averaged, of numbers the numbers, of forecasts middle and
widths (so that each quantile is the mean of the networks' quantiles; Vincent 1912). What is
returned is a network's output again, of which `decode`, metrics and answers are made as of one's:

    logits_c = ln (1/M Σ_m softmax(logits_m)_c)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carousel.errors import ConfigError

N = TypeVar("N", bound=nn.Module)


class OneNetworkWanted(ConfigError, AttributeError):  # noqa: N818  # it names what is wanted
    """Something was asked of an average that one network alone has, such as its recurrent layer."""


class Averaged(nn.Module):
    """Several networks in one, whose output is the average of theirs.

    Args:
        members: the networks, which take the same inputs.
        average: (M, …) to (…): outputs of all to those of one.

    >>> net = Averaged([nn.Linear(1, 2), nn.Linear(1, 2)], mean_of_classes)
    >>> both = torch.stack([member(torch.ones(1, 1)).softmax(1) for member in net.members])
    >>> torch.allclose(net(torch.ones(1, 1)).softmax(1), both.mean(0))
    True
    """

    def __init__(self, members: Sequence[nn.Module], average: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self._average = average

    def forward(self, *inputs: Any) -> Tensor:
        """The average of what the networks put out for the same inputs."""
        return self._average(torch.stack([member(*inputs) for member in self.members]))

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_"):
                raise
            raise OneNetworkWanted(
                f"this model is the average of {len(self.members)} networks, and '{name}' is asked "
                "of one: name the run of a member, RUN/members/seed-N, in its place"
            ) from None


def mean_of_classes(outputs: Tensor) -> Tensor:
    """Logits of the mean of the classes' chances, from logits (M, …, C).

    >>> outputs = torch.tensor([[0.5, 0.5], [0.1, 0.9]]).log()
    >>> [round(chance, 2) for chance in mean_of_classes(outputs).exp().tolist()]
    [0.3, 0.7]
    """
    return outputs.log_softmax(-1).logsumexp(0) - math.log(len(outputs))


def mean_of_chances(outputs: Tensor) -> Tensor:
    """Logits of the mean of chances that are each by themselves, from logits (M, …).

    >>> round(mean_of_chances(torch.tensor([0.2, 0.8, 0.8]).logit()).sigmoid().item(), 3)
    0.6
    """
    return F.logsigmoid(outputs).logsumexp(0) - F.logsigmoid(-outputs).logsumexp(0)


def mean_of_widths(outputs: Tensor) -> Tensor:
    """Numbers whose softplus is the mean of the softplus of the networks' numbers (M, …).

    >>> outputs = torch.tensor([-1.0, 3.0])
    >>> torch.allclose(F.softplus(mean_of_widths(outputs)), F.softplus(outputs).mean())
    True
    """
    mean = F.softplus(outputs).mean(0)
    return mean + torch.log(-torch.expm1(-mean))


def one_of(model: N) -> N:
    """The first of the networks that a model is the average of; itself, of one."""
    return cast(N, model.members[0]) if isinstance(model, Averaged) else model
