"""Tables with roles that somebody hands to a trained model: sequences by the names of columns."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from carousel.config import Config
from carousel.config.own import TABLE
from carousel.data.files.table_new import new_table
from carousel.data.table import Table, of_frame, read_table
from carousel.tasks.shared.own_recording import as_list
from carousel.tasks.shared.task import Given, Notice


def reads_tables(config: Config) -> bool:
    """True if a model was trained on a table with roles."""
    return config.data.name == TABLE and not config.columns.file


def inputs_of(inputs: Any, config: Config, wanted: tuple[str, ...]) -> list[Any]:
    """Recordings that a program hands over (`as_list`); a table, in a file or a data frame, is all
    of its sequences for a model that was trained on one. What is not read is warned of."""
    table = isinstance(inputs, str | Path) or hasattr(inputs, "columns")
    if not (reads_tables(config) and table):
        return as_list(inputs)
    given = sequences_given(inputs, config, wanted, "step")
    for notice in given.notes:
        warnings.warn(notice.text, UserWarning, stacklevel=4)
    return list(given.inputs)


def table_in(given: Any) -> Table:
    """The table of a file, or of a data frame."""
    if isinstance(given, str | Path):
        return read_table(given, fewest=1)
    return of_frame(given, fewest=1)


def sequences_given(given: Any, config: Config, wanted: tuple[str, ...], step: str) -> Given:
    """The sequences of a table, each by its id. Raises `DataError` if a column is missing."""
    read, notes = new_table(table_in(given), config, wanted)
    frames = [read.frames(rows) for rows in read.sequences.found]
    names = tuple(rows.name for rows in read.sequences.found)
    return Given(
        [one.values for one in frames],
        tuple({"sequence": name} for name in names),
        names,
        tuple(map(Notice, notes)),
        tuple(one.filled for one in frames),
        "sequence",
        step=step,
    )
