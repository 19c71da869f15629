"""Columns that give away what is to be found: a class or a number left in among the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.data.mapped import pieces
from carousel.data.ragged import Ragged
from carousel.data.telling import Floats, tells_class, tells_number

Leak = dict[str, Any]
_LOOKED_AT = 100_000


def of_recordings(
    values: Ragged, labels: Tensor, columns: tuple[str, ...], classes: int
) -> list[Leak]:
    """Columns of recordings that alone tell the class of each: by one value that they keep through
    a recording, or in every step by the range that it lies in. values: the training part; labels
    (n,), or 0 and 1 (n, K) of labels that are looked at one by one."""
    kept = _kept(values)
    if labels.dim() == 1:
        return _of_classes(values, labels, columns, classes, kept)
    every = [_of_classes(values, one.long(), columns, 2, kept) for one in labels.unbind(1)]
    return [leak for i, some in enumerate(every) for leak in some
            if not any(leak in earlier for earlier in every[:i])]  # fmt: skip


def _of_classes(
    values: Ragged,
    labels: Tensor,
    columns: tuple[str, ...],
    classes: int,
    kept: tuple[Tensor, Tensor],
) -> list[Leak]:
    first, is_kept = kept
    found: list[Leak] = []
    counts = np.bincount(labels.numpy(), minlength=classes)
    rows = _some(torch.ones(len(values.values), dtype=torch.bool))
    by_step = labels.repeat_interleave(values.lengths)[rows].numpy()
    for number, name in enumerate(columns):
        if is_kept[number]:
            column = first[:, number].double().numpy()
            found += _tells(column, labels.numpy(), counts, name, len(columns))
        else:
            column = values.values[rows, number].double().numpy()
            found += _tells(column, by_step, counts, name, len(columns), by_value=False)
    return found


def of_frames(values: Ragged, labels: Tensor, columns: tuple[str, ...], classes: int) -> list[Leak]:
    """Columns whose value alone tells the label of a frame. values: the training part; labels
    (N,), negative where there is none."""
    inside = labels >= 0
    starts = torch.ones_like(inside)
    starts[1:] = labels[1:] != labels[:-1]
    starts[values.offsets[:-1]] = True
    # Frames next to each other are alike: what counts is how often a label begins.
    counts = np.bincount(labels[starts & inside].numpy(), minlength=classes)
    rows, some = _some(inside), []
    for number, name in enumerate(columns):
        column = values.values[rows, number].double().numpy()
        some += _tells(column, labels[rows].numpy(), counts, name, len(columns))
    return some


def of_numbers(values: Tensor, targets: Tensor, columns: tuple[str, ...]) -> list[Leak]:
    """Columns that are the number to be found, on some scale, or put the steps in its order.

    values (N, F) and targets (N,): the training part, NaN where there is none.
    """
    rows = _some(~targets.isnan())
    wanted, found = targets[rows].double().numpy(), []
    for number, name in enumerate(columns):
        if how := tells_number(values[rows, number].double().numpy(), wanted):
            found.append({"column": name, "tells": "number", "how": how})
    return found


def of_whole_numbers(values: Ragged, targets: Tensor, columns: tuple[str, ...]) -> list[Leak]:
    """Columns that keep one value through each recording, and are a number to be found of it, on
    some scale or in its order. values: the training part; targets (n, K), NaN where there is none.
    """
    first, kept = _kept(values)
    names = tuple(name for name, same in zip(columns, kept.tolist(), strict=False) if same)
    found: list[Leak] = []
    for one in targets.unbind(1) if names else ():
        found += [leak for leak in of_numbers(first[:, kept], one, names) if leak not in found]
    return found


def _kept(values: Ragged) -> tuple[Tensor, Tensor]:
    """The first values of each recording, and which columns keep theirs through all of them."""
    kept = torch.ones(values.values.shape[1], dtype=torch.bool)
    for some in pieces(values):
        first = some.values[some.offsets[:-1]]
        kept &= (some.values == first.repeat_interleave(some.lengths, 0)).all(0)
    return values.values[values.offsets[:-1]], kept


def in_words(leaks: list[Leak]) -> str:
    """Sentence about `leaks`; empty if there are none.

    >>> in_words([{"column": "digit", "tells": "class", "how": "by value"}])
    "the column 'digit' alone tells the class"
    """
    if not leaks:
        return ""
    names = ", ".join(f"'{leak['column']}'" for leak in leaks)
    what = leaks[0]["tells"]
    if len(leaks) == 1:
        return f"the column {names} alone tells the {what}"
    return f"each of the columns {names} alone tells the {what}"


def _some(inside: Tensor) -> Tensor:
    """Numbers of about so many rows that are inside (fewer than twice), evenly spread."""
    rows = inside.nonzero().flatten()
    return rows[:: max(1, len(rows) // _LOOKED_AT)]


def _tells(
    column: Floats,
    labels: NDArray[np.int64],
    units: NDArray[np.int64],
    name: str,
    tried: int,
    by_value: bool = True,
) -> list[Leak]:
    how = tells_class(column, labels, units, tried, by_value)
    return [{"column": name, "tells": "class", "how": how}] if how else []
