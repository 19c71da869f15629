"""Randomness of an epoch: it depends on (seed, epoch) alone, so that a run can be resumed."""

from __future__ import annotations

import torch

_APART = 1_000_003  # seeds of neighbouring runs share no epoch


def generator_of(seed: int, epoch: int) -> torch.Generator:
    """Generator that draws the order, and whatever else is drawn, of one epoch.

    >>> a, b = (torch.randperm(5, generator=generator_of(0, 3)).tolist() for _ in range(2))
    >>> a == b
    True
    """
    return torch.Generator().manual_seed(seed * _APART + epoch)
