"""Who is trained on, who chooses the epoch, who judges at the end: decided before any fit."""

from __future__ import annotations

import torch
from torch import Tensor

from carousel.errors import DataError


def hold_out(count: int, validation: int, seed: int, settings: str = "") -> tuple[Tensor, Tensor]:
    """Two disjoint index sets over `count` examples: the rest, and `validation` drawn at random.

    The draw depends on `seed` alone, so runs with different training seeds share one split.
    Raises `DataError`, which names `data.validation` or the shares in `settings`, if nothing would
    be left to train on.

    >>> train, validation = hold_out(10, 3, seed=0)
    >>> len(train), len(validation), len(set(train.tolist()) & set(validation.tolist()))
    (7, 3, 0)
    """
    if validation >= count:
        what = f"what {settings} hold out" if settings else f"data.validation = {validation}"
        raise DataError(f"{what} leaves nothing of the {count} examples to train on")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[validation:], order[:validation]
