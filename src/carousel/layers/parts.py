"""Modules of a `torch.nn.Sequential`, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn


def parts_of(model: nn.Module) -> Iterator[nn.Module]:
    """Modules of a `Sequential`, those inside others too, in the order in which they run.

    >>> inside = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))
    >>> [type(part).__name__ for part in parts_of(inside)]
    ['Linear', 'ReLU']
    """
    if isinstance(model, nn.Sequential):
        for part in model:
            yield from parts_of(part)
    else:
        yield model


def sequentials_of(model: nn.Module) -> Iterator[nn.Sequential]:
    """A `Sequential` and those inside it, whose modules are the `parts_of` it.

    >>> inside = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))
    >>> [len(one) for one in sequentials_of(inside)]
    [2, 1]
    """
    if isinstance(model, nn.Sequential):
        yield model
        for part in model:
            yield from sequentials_of(part)
