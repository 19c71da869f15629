"""Split into training, validation and test part: decided before any fit.

Every split is drawn here: at random by share, of each class by itself, in whole groups, in folds,
or in order of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from carousel.data.shares import Fold, Share
from carousel.errors import DataError

Fractions = Mapping[str, float | None]
"""Shares of parts without folds; None takes nothing."""


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
    order = _order(count, seed)
    return order[validation:], order[:validation]


def _order(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def split(
    count: int,
    held: Mapping[str, Share],
    seed: int,
    *,
    classes: Sequence[Any] | None = None,
    groups: Sequence[Any] | None = None,
    in_groups: bool = True,
    least: int = 1,
    settings: str = "",
) -> dict[str, Tensor]:
    """Indices of `count` examples in each part: "train", and the shares in `held`, in order.

    Each part has at least `least` examples, and one is left to train on where there is one; with
    `settings`, which names the shares, too large ones are a `DataError` instead. classes: of each
    example; every class is split by itself. groups: of each example; a group stays whole, and
    shares are of the number of groups, or, unless `in_groups`, of the number of examples. A share
    that is None takes nothing; a `Fold` takes every unit of that fold, and the others are split by
    the shares that are left.

    >>> parts = split(10, {"test": 0.2, "validation": 0.1}, seed=0)
    >>> {name: len(index) for name, index in parts.items()}
    {'train': 7, 'test': 2, 'validation': 1}
    """
    judge = next((name for name, share in held.items() if isinstance(share, Fold)), None)
    if judge is not None:
        return _by_fold(count, held, judge, seed, classes, groups, in_groups, least, settings)
    plain = {name: share for name, share in held.items() if not isinstance(share, Fold)}
    if classes is not None:
        return _by_class(classes, plain, seed, least)
    if groups is not None:
        return _by_group(groups, plain, seed, least, in_groups)
    counts = _counts(count, plain, least, capped=not settings)
    rest, drawn = hold_out(count, sum(counts.values()), seed, settings)
    pieces = zip(counts, torch.split(drawn, list(counts.values())), strict=True)
    return {"train": rest.sort().values, **{name: piece.sort().values for name, piece in pieces}}


def _counts(count: int, held: Fractions, least: int, capped: bool) -> dict[str, int]:
    counts, left = {}, count - 1
    for name, share in held.items():
        wanted = max(least, round(share * count)) if share is not None else 0
        counts[name] = min(wanted, left) if capped else wanted
        left -= counts[name]
    return counts


def _by_class(classes: Sequence[Any], held: Fractions, seed: int, least: int) -> dict[str, Tensor]:
    found: dict[str, list[int]] = {"train": [], **{name: [] for name in held}}
    for label in sorted(set(classes)):
        places = [i for i, one in enumerate(classes) if one == label]
        for name, index in split(len(places), held, seed, least=least).items():
            found[name] += [places[i] for i in index.tolist()]
    return {name: _sorted(index) for name, index in found.items()}


def _by_group(
    groups: Sequence[Any], held: Fractions, seed: int, least: int, in_groups: bool
) -> dict[str, Tensor]:
    members: dict[Any, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    whole = [members[group] for group in sorted(members)]
    if in_groups:
        drawn = split(len(whole), held, seed, least=least)
        numbers = {name: index.tolist() for name, index in drawn.items()}
    else:
        numbers = _filled(whole, held, len(groups), seed, least)
    return {
        name: _sorted([i for number in some for i in whole[number]])
        for name, some in numbers.items()
    }


def _filled(
    whole: Sequence[Sequence[int]],
    held: Fractions,
    count: int,
    seed: int,
    least: int,
) -> dict[str, list[int]]:
    """Groups drawn for one part after another, until each has its share of the examples."""
    order = iter(_order(len(whole), seed).tolist())
    numbers: dict[str, list[int]] = {}
    for name, share in held.items():
        wanted, size = max(least, round(share * count)) if share is not None else 0, 0
        numbers[name] = []
        while size < wanted and (number := next(order, None)) is not None:
            numbers[name].append(number)
            size += len(whole[number])
    return {"train": list(order), **numbers}


def _by_fold(
    count: int,
    held: Mapping[str, Share],
    judge: str,
    seed: int,
    classes: Sequence[Any] | None,
    groups: Sequence[Any] | None,
    in_groups: bool,
    least: int,
    settings: str,
) -> dict[str, Tensor]:
    """One fold as the part `judge`; of the rest, the other shares, which are of everything."""
    chosen = held[judge]
    assert isinstance(chosen, Fold)
    places = torch.tensor(folds_of(count, chosen.folds, seed, classes=classes, groups=groups))
    test, rest = ((places == chosen.number).nonzero()[:, 0], (places != chosen.number).nonzero())
    left = rest[:, 0]
    others = {
        name: share if share is None else share / (1 - chosen.fraction)
        for name, share in held.items()
        if not isinstance(share, Fold)
    }
    some = {
        name: None if values is None else [values[i] for i in left.tolist()]
        for name, values in (("classes", classes), ("groups", groups))
    }
    parts = split(
        len(left), others, seed, **some, in_groups=in_groups, least=least, settings=settings
    )
    return {judge: test, **{name: left[index] for name, index in parts.items()}}


def folds_of(
    count: int,
    folds: int,
    seed: int,
    *,
    classes: Sequence[Any] | None = None,
    groups: Sequence[Any] | None = None,
) -> list[int]:
    """The fold of each of `count` examples: at random, of each class alike, or whole groups, each
    put into the fold that has the fewest examples. Raises `DataError` if there are more folds than
    units, or too few units to train on and to validate are left.

    >>> sorted(folds_of(7, 3, seed=0))
    [0, 0, 0, 1, 1, 2, 2]
    """
    units = count if groups is None else len(set(groups))
    what = "groups" if groups is not None else "sequences or examples"
    left = units - -(-units // folds)
    if units < folds:
        raise DataError(f"{folds} folds need at least {folds} {what}, and there are {units}")
    if left < 2:
        raise DataError(
            f"{folds} folds of {units} {what} leave {left} to train on and to validate, and two "
            f"are the least: make more folds, or add some"
        )
    found = [0] * count
    if groups is not None:
        members: dict[Any, list[int]] = {}
        for i, group in enumerate(groups):
            members.setdefault(group, []).append(i)
        names = sorted(members)
        sizes = [0] * folds
        for number in _order(len(names), seed).tolist():
            smallest = sizes.index(min(sizes))
            sizes[smallest] += len(members[names[number]])
            for i in members[names[number]]:
                found[i] = smallest
        return found
    place = 0
    for label in [None] if classes is None else sorted(set(classes)):
        inside = [i for i in range(count) if classes is None or classes[i] == label]
        for number in _order(len(inside), seed).tolist():
            found[inside[number]] = place % folds
            place += 1
    return found


def fold(count: int, number: int, folds: int, seed: int) -> dict[str, Tensor]:
    """Fold `number` of a shuffled set judges: "train" and "test".

    >>> sorted(i for n in range(3) for i in fold(7, n, 3, seed=0)["test"].tolist())
    [0, 1, 2, 3, 4, 5, 6]
    """
    order = _order(count, seed)
    inside = torch.arange(count) % folds == number
    return {"train": order[~inside].sort().values, "test": order[inside].sort().values}


def in_time(ends: Sequence[int], start: int = 0, gap: int = 0) -> dict[str, range]:
    """Parts that follow each other, up to each of three ends, with `gap` rows left out between.

    >>> in_time([6, 8, 10], gap=1)
    {'train': range(0, 6), 'validation': range(7, 8), 'test': range(9, 10)}
    """
    starts = [start, ends[0] + gap, ends[1] + gap]
    names = ("train", "validation", "test")
    return {n: range(first, end) for n, first, end in zip(names, starts, ends, strict=True)}


def _sorted(index: list[int]) -> Tensor:
    return torch.tensor(sorted(index), dtype=torch.int64)
