"""Folders of recordings of one's own with a table of what is to be found of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carousel.data.files.csv_files import read_table
from carousel.data.files.recordings import alike, listed, read_frames, recognised, tables_in
from carousel.data.files.text import packed, read_text, stem_of
from carousel.errors import DataError

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.shares import Fewest
    from carousel.data.whole_targets import WholeRecordings

TARGETS = "targets.csv"
_FILE, _GROUP = "file", "group"


def is_targets(file: Path) -> bool:
    """True if a file is the table of targets by its name, gzipped or not."""
    return file.name in (TARGETS, f"{TARGETS}.gz")


class TargetTable(NamedTuple):
    """Rows of a table of targets: files, names of the numbers, values (n, K), NaN where a cell is
    empty, a group for each file ("" where there are none), and what was recognised."""

    files: tuple[str, ...]
    names: tuple[str, ...]
    values: NDArray[np.float64]
    groups: tuple[str, ...]
    notes: tuple[str, ...]


def read_targets(text: str, source: str) -> TargetTable:
    """The table in CSV: a column `file`, columns of numbers, and, if there are groups that stand
    on one side of a split, a column `group`. Raises `DataError`.

    >>> read_targets("file,age\\na.csv,31\\nb.csv,\\n", "targets.csv").values.tolist()
    [[31.0], [nan]]
    """
    table = read_table(
        text, source, lambda header: [i for i, name in enumerate(header) if name in (_FILE, _GROUP)]
    )
    if _FILE not in table.header or not table.names:
        raise DataError(
            f"{source} must have a column '{_FILE}' and columns of numbers to be found; it has "
            f"the {listed(table.header)}"
        )
    files = [name.strip() for name in table.words[table.header.index(_FILE)]]
    for name in files:
        if files.count(name) > 1:
            raise DataError(f"{source} names {name} more than once: one row for each recording")
    grouped = _GROUP in table.header
    groups = table.words[table.header.index(_GROUP)] if grouped else [""] * len(files)
    return TargetTable(tuple(files), table.names, table.values, tuple(groups), table.notes)


def read_whole(config: Config) -> WholeRecordings:
    """The parts of a folder, `data.path`: `frames.test` and `frames.validation` of its recordings,
    or of their groups, are drawn. Raises `DataError`."""
    import torch

    from carousel.data.ragged import Ragged
    from carousel.data.shares import Fewest, shares
    from carousel.data.splits import split
    from carousel.data.whole_targets import WholeRecordings, WholeTargets

    root = Path(config.data.path)
    source = packed(root / TARGETS)
    table = read_targets(read_text(source), str(source))
    _check_files(root, table.files, Fewest.of(config))
    found = alike(
        {name: read_frames(read_text(root / name), str(root / name)) for name in table.files}
    )
    frames = list(found.values())
    everything = WholeTargets(
        tuple(str(Path(name).with_name(stem_of(Path(name)))) for name in table.files),
        Ragged.of(torch.from_numpy(one.values) for one in frames),
        torch.from_numpy(table.values),
        table.groups,
    )
    fewest = Fewest.of(config)
    grouped = any(table.groups) and len(set(table.groups)) >= fewest.count
    if any(table.groups) and not grouped:
        raise DataError(f"{source} must name at least {fewest.count} groups, or none")
    drawn = split(
        len(everything),
        shares(config, config.frames),
        config.data.split_seed,
        groups=table.groups if grouped else None,
    )
    train, validation, test = (
        everything.take(drawn[name]) for name in ("train", "validation", "test")
    )
    return WholeRecordings(
        train,
        validation,
        test,
        targets=table.names,
        columns=frames[0].columns,
        filled=sum(one.filled for one in frames),
        notes=recognised([table.notes, *(one.notes for one in frames)]),
    )


def _check_files(root: Path, files: tuple[str, ...], fewest: Fewest) -> None:
    """Raise `DataError` unless the table and the folder name the same recordings."""
    source = packed(root / TARGETS)
    if len(files) < fewest.count:
        raise DataError(
            f"{source} must name at least {fewest.count} recordings, to train on, to "
            f"validate and to judge; it names {len(files)}"
        )
    missing = [name for name in files if not (root / name).is_file()]
    if missing:
        raise DataError(
            f"{source} names {len(missing)} files that are not in {root}, such as {missing[0]}"
        )
    here = {str(file.relative_to(root)) for file in tables_in(root)} - {TARGETS, f"{TARGETS}.gz"}
    others = sorted(here - set(files))
    if others:
        raise DataError(
            f"{source} has no row for {len(others)} of the recordings in {root}, such as "
            f"{others[0]}: add one (an empty cell where the number is not known), or remove the "
            "file"
        )
