"""Names of columns that hold codes of levels, and what becomes of the codes.

A code is the number of a level, counted from 1; 0 stands for a level that training did not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OTHER = "(other)"
ABSENT = "(missing)"


class Coded(str):
    """The name of a column of codes, with the levels that they stand for.

    It is the plain name to everyone who only wants that. levels: of the training part, the most
    frequent first.

    >>> Coded("city", ["Seoul", "Busan"]) == "city", Coded("city", ["Seoul", "Busan"]).levels
    (True, ('Seoul', 'Busan'))
    """

    levels: tuple[str, ...]

    def __new__(cls, name: str, levels: Iterable[str] = ()) -> Coded:
        made = super().__new__(cls, name)
        made.levels = tuple(levels)
        return made


def codes_in(columns: Sequence[str]) -> dict[int, int]:
    """Numbers of levels of each column of codes, by the column's place.

    >>> codes_in(["flow", Coded("city", ["Seoul", "Busan"])])
    {1: 2}
    """
    return {
        place: len(name.levels) for place, name in enumerate(columns) if isinstance(name, Coded)
    }


def facts_of(columns: Sequence[str]) -> dict[str, Any]:
    """Names of columns as JSON can hold them; `columns_of` reads them.

    >>> columns_of(facts_of([Coded("city", ["Seoul", "Busan"])]))[0].levels
    ('Seoul', 'Busan')
    """
    levels = {str(name): [*name.levels] for name in columns if isinstance(name, Coded)}
    return {"columns": [str(name) for name in columns], **({"levels": levels} if levels else {})}


def columns_of(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of columns of such facts; none of models from before they were kept."""
    levels = facts.get("levels", {})
    return tuple(
        Coded(name, levels[name]) if name in levels else name for name in facts.get("columns", ())
    )


def as_trained(
    columns: Sequence[str], train: Sequence[Any], rest: Sequence[Any] = ()
) -> tuple[str, ...]:
    """The columns with the levels that the training part has, the most frequent first; codes are
    changed in place to theirs, and those of other levels to 0.

    train, rest: arrays or tensors (T, F) of the training part, and of the others.
    """
    found = list(columns)
    for place, name in enumerate(columns):
        if not isinstance(name, Coded):
            continue
        every = [np.asarray(values)[:, place] for values in (*train, *rest)]
        codes = np.concatenate([np.empty(0), *every[: len(train)]]).astype(np.int64)
        counts = np.bincount(codes, minlength=len(name.levels) + 1)[1:]
        order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
        ranks = np.zeros(len(name.levels) + 1)
        ranks[order + 1] = np.arange(1, len(order) + 1)
        for values in every:
            values[:] = ranks[values.astype(np.int64)]
        found[place] = Coded(name, [name.levels[i] for i in order.tolist()])
    return tuple(found)


def recoded(
    values: NDArray[np.float64], columns: Sequence[str], wanted: Sequence[str]
) -> NDArray[np.float64]:
    """Values (N, F) whose codes are those of `wanted`, the same columns in the same order."""
    changed = values
    for place, (name, other) in enumerate(zip(columns, wanted, strict=True)):
        if not (isinstance(name, Coded) and isinstance(other, Coded)):
            continue
        if name.levels != other.levels:
            number = {level: i for i, level in enumerate(other.levels, 1)}
            table = np.array([0, *(number.get(level, 0) for level in name.levels)], np.float64)
            changed = changed.copy() if changed is values else changed
            changed[:, place] = table[changed[:, place].astype(np.int64)]
    return changed
