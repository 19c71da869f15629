"""Arrays that a program hands over as a table: a row for each step, with the roles of its columns.

Nothing is guessed of the inputs, as their places are what a model is asked by later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carousel.config.columns import STEPS, listed
from carousel.data.counting import unit_of
from carousel.data.guessing import Guess, Role
from carousel.data.profiles import Profile, profiles
from carousel.data.table import Table, of_frame
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    import polars as pl

SOURCE = "the arrays"
_FEW = 6
_TASKS = (*STEPS, "anomaly")


def table_of_arrays(X: Any, y: Any, task: str = "") -> tuple[Table, Guess]:
    """A table of sequences and what is to be learnt of them, and the roles of its columns.

    X: a list of (T_i, F) or (T_i,), or an array (N, T, F). y: a class or number of each sequence
    (N,), several numbers of each (N, K), or one of each step, a list of (T_i,) or (N, T); None for
    the task "anomaly". Raises `ConfigError` and `DataError`.
    """
    if task and task not in _TASKS:
        raise ConfigError(f"arrays can train the tasks {', '.join(_TASKS)}; got '{task}'", "task")
    sequences, names = _sequences(X)
    lengths = [len(one) for one in sequences]
    place = _free("sequence", names)
    columns: dict[str, Any] = {place: np.repeat(np.arange(len(lengths)), lengths)}
    columns |= dict(zip(names, np.concatenate(sequences).T, strict=True))
    if y is not None and not hasattr(y, "__len__"):
        raise DataError(
            f"y must have a value for each sequence, or rows of them; got {y!r:.60}", "y"
        )
    if task == "anomaly":
        if y is not None and not _by_step(y, lengths):
            raise DataError("for the task 'anomaly' y must be 0 or 1 at each step, or not be given")
    elif y is None:
        raise DataError(
            "arrays need y: a class or a number of each sequence, or of each step; without it they "
            "can be watched, task = 'anomaly', and forecast by carousel.estimators.Forecaster",
            "y",
        )
    targets = {} if y is None else _targets(y, lengths)
    targets = {_free(name, names): values for name, values in targets.items()}
    by_step = y is not None and _by_step(y, lengths)
    table = of_frame(_frame({**columns, **targets}), SOURCE)
    known = profiles(table)
    found = Guess(sequences=len(lengths), profiles=known)
    found.roles = {name: Role("number", "a column of X") for name in table.names}
    found.roles[place] = Role("id", "the place in X")
    for name in targets:
        found.roles[name] = Role("target", "y", "y")
    _choose(found, known, tuple(targets), by_step, task)
    return table, found


def _choose(
    found: Guess, known: Mapping[str, Profile], targets: Sequence[str], by_step: bool, task: str
) -> None:
    """The task and the split."""
    if task == "anomaly":
        found.task, found.why = task, "as asked"
        found.split_why = "in time, each series by itself: the last 40 % judge"
        return
    if not by_step:
        found.constant = frozenset(targets)
    first = known[targets[0]]
    values = f"{first.distinct} {unit_of(first.distinct, 'values')}"
    where = "at each step" if by_step else "for each sequence"
    classes = len(targets) == 1 and (first.kind == "text" or _are_classes(first, by_step, found))
    likely = ("label_frames" if by_step else "classify_recordings") if classes else "regress"
    found.task = task or likely
    found.why = "as asked" if task else f"y has {values} {where}"
    if (found.task, by_step) in (("classify_recordings", True), ("label_frames", False)):
        raise DataError(f"the task '{found.task}' needs y {'for' if by_step else 'at'} each "
                        f"{'sequence' if by_step else 'step'}; got it {where}", "y")  # fmt: skip
    if by_step and found.sequences < _FEW:
        found.split, found.split_why = "time", "few sequences: the end of each judges"
        return
    if found.sequences < 3:
        raise DataError(
            f"X has {found.sequences} sequences, and three are the least, to train on, to validate "
            f"and to judge"
        )
    of_class = ", of each class by itself" if found.task == "classify_recordings" else ""
    found.split_why = f"whole sequences at random{of_class}"


def _are_classes(profile: Profile, by_step: bool, found: Guess) -> bool:
    """True if whole numbers are classes: few, with several sequences each."""
    if by_step or profile.kind == "boolean":
        return profile.is_class()
    return profile.kind == "whole" and 2 <= profile.distinct <= min(20, found.sequences // 3)


def _sequences(X: Any) -> tuple[list[NDArray[np.float64]], list[str]]:
    """Sequences (T_i, F) and the names of their columns."""
    items = list(X) if isinstance(X, list | tuple) or getattr(X, "ndim", 0) == 3 else None
    if items is None:
        raise DataError(
            "data must be a data frame, the path of a file, an array (sequences, steps, features) "
            f"or a list of arrays (steps, features); got {_shape(X)}"
        )
    if not items:
        raise DataError("data is an empty list: there is no sequence to learn from")
    names = _names(items)
    found: list[NDArray[np.float64]] = []
    for number, item in enumerate(items):
        try:
            item = item[names] if names else item
            values = np.asarray(item.to_numpy() if hasattr(item, "to_numpy") else item, np.float64)
        except (TypeError, ValueError):
            raise DataError(f"sequence {number} must hold numbers; got {_shape(item)}") from None
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or not values.size:
            raise DataError(
                f"sequence {number} must have the shape (steps, features), with one of each at "
                f"least; got {values.shape}"
            )
        if found and values.shape[1] != found[0].shape[1]:
            raise DataError(
                f"sequence {number} has {values.shape[1]} features, and sequence 0 has "
                f"{found[0].shape[1]}: all must have the same"
            )
        found.append(values)
    return found, names or [f"x{k}" for k in range(found[0].shape[1])]


def _free(name: str, taken: Sequence[str]) -> str:
    """A name for a column that no other one has."""
    while name in taken:
        name += "_"
    return name


def _names(items: Sequence[Any]) -> list[str]:
    """The names of the columns where every sequence is a data frame, in the order of the first;
    none of arrays. Raises `DataError` for frames with other columns, or beside arrays."""
    framed = [hasattr(item, "columns") for item in items]
    if not any(framed):
        return []
    if not all(framed):
        other = framed.index(not framed[0])
        raise DataError(
            f"sequence 0 is {_shape(items[0])}, and sequence {other} {_shape(items[other])}: give "
            f"all as data frames, whose columns go by name, or all as arrays"
        )
    first = list(items[0].columns)
    for number, item in enumerate(items):
        if sorted(map(str, item.columns)) != sorted(map(str, first)):
            raise DataError(
                f"sequence {number} has the columns {listed([*map(str, item.columns)])}, and "
                f"sequence 0 has {listed([*map(str, first)])}: all must have the same"
            )
    return first


def _by_step(y: Any, lengths: Sequence[int]) -> bool:
    """True if y has a value for each step of each sequence."""
    rows = list(y)
    return len(rows) == len(lengths) and all(
        np.ndim(row) == 1 and len(row) == length for row, length in zip(rows, lengths, strict=True)
    )


def _targets(y: Any, lengths: Sequence[int]) -> dict[str, Any]:
    """Columns of what is to be learnt: one, or one for each of several numbers of a sequence."""
    rows = [row.tolist() if hasattr(row, "tolist") else row for row in y]
    if len(rows) != len(lengths):
        raise DataError(f"data has {len(lengths)} sequences, and y {len(rows)} values", "y")
    if _by_step(y, lengths):
        return {"y": [value for row in rows for value in row]}
    wide = {len(row) if isinstance(row, list | tuple) else 0 for row in rows}
    if len(wide) > 1:
        number, row = next((i, r) for i, r in enumerate(rows) if np.size(r) != lengths[i])
        raise DataError(
            f"y must have a value for each step: sequence {number} has {lengths[number]} steps, "
            f"and y {np.size(row)} values for it",
            "y",
        )
    (count,) = wide
    if not count:
        return {"y": [v for v, n in zip(rows, lengths, strict=True) for _ in range(n)]}
    return {
        f"y{k}": [row[k] for row, n in zip(rows, lengths, strict=True) for _ in range(n)]
        for k in range(count)
    }


def _frame(columns: Mapping[str, Any]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame([pl.Series(name, v, strict=False) for name, v in columns.items()])


def _shape(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__}{f' of the shape {tuple(shape)}' if shape is not None else ''}"
