"""Classes and labels of the sequences of a table, by the columns that are its target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carousel.config import Config
from carousel.config.columns import names_in
from carousel.data.sequences import Rows, constant_in
from carousel.data.several import LabelSet, is_several, label_sets
from carousel.data.table import Table
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.data.labelled_recordings import Example


def target_of(config: Config) -> str:
    """The one column that is to be learnt. Raises `ConfigError`."""
    names = names_in(config.columns.target)
    if len(names) != 1:
        raise ConfigError(
            f"columns.target must name the column that is to be learnt; got '{', '.join(names)}'"
        )
    return names[0]


def labels_of(
    table: Table, config: Config, rows: Sequence[Rows]
) -> tuple[Sequence[str | LabelSet | None], tuple[str, ...], list[str]]:
    """The class of each sequence, or its labels, None where it has none; all of them by name, and
    what there is to say. Raises `DataError` where they change within a sequence."""
    for name in names_in(config.columns.target):
        cells = constant_in(rows, table[name].texts(), name, table.source)
    if is_several(config):
        first = table[names_in(config.columns.target)[0]].texts()
        names, sets, said = label_sets(table, config, [_first_known(one, first) for one in rows])
        return sets, names, said
    target = target_of(config)
    return [cell or None for cell in cells], in_order({*cells} - {""}, config, table, target), []


def _first_known(one: Rows, cells: Sequence[str]) -> int:
    """The first row of a sequence whose cell is known, or else its first."""
    rows: list[int] = one.rows[one.rows >= 0].tolist()
    return next((row for row in rows if cells[row]), rows[0])


def by_class(
    labels: Sequence[str | LabelSet | None], known: Sequence[int], config: Config
) -> list[str] | None:
    """The class of each sequence to draw the parts by; None where they are drawn otherwise."""
    if is_several(config) or config.split.by in ("group", "column", "time"):
        return None
    return [str(labels[i]) for i in known]


def in_order(classes: Iterable[str], config: Config, table: Table, target: str) -> tuple[str, ...]:
    """Classes by name; those that rank by their numbers. Raises `DataError` if they are none."""
    if not config.columns.ordinal:
        return tuple(sorted(classes))
    if not table[target].is_number:
        raise DataError(
            f"{table.source}: columns.ordinal needs classes that are numbers, and '{target}' has "
            f"others, such as '{min(classes, default='')}'"
        )
    return tuple(sorted(classes, key=lambda name: float(name.replace(",", "."))))


def listed_files(table: Table, config: Config) -> tuple[list[Example], tuple[str, ...]]:
    """The recordings that a table names, from the folder that it stands in, and the names of their
    classes. Raises `DataError`."""
    from carousel.data.files.classes import read_recording
    from carousel.data.files.recordings import alike
    from carousel.data.labelled_recordings import Example

    files, folder = table[config.columns.file].texts(), Path(table.source).parent
    found = {name: read_recording(folder / name, config.sound) for name in dict.fromkeys(files)}
    if len(found) < len(files):
        raise DataError(f"{table.source}: a file stands in more than one row")
    rows = [Rows(name, np.array([i])) for i, name in enumerate(files)]
    labels, classes, _ = labels_of(table, config, rows)
    if lost := [name for name, label in zip(files, labels, strict=True) if label is None]:
        raise DataError(f"{table.source} has no class for {len(lost):,} files, such as {lost[0]}")
    examples = [
        Example.of(name, frames, label or ())
        for (name, frames), label in zip(alike(found).items(), labels, strict=True)
    ]
    return examples, classes
