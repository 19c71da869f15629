"""Long tables (`config.columns`) as recordings: a class for each, or one or a number a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from carousel.config import Config
from carousel.config.columns import ColumnsConfig, names_in
from carousel.data.coded import as_trained
from carousel.data.dealing import PARTS, deal, tails
from carousel.data.features import Features, features_of
from carousel.data.files import mapped_steps
from carousel.data.files.table_labels import by_class, labels_of, listed_files, target_of
from carousel.data.sequences import (
    Rows,
    Sequences,
    constant_in,
    features_columns,
    sequences_of,
    values_of,
)
from carousel.data.store.gathered import Gathered
from carousel.data.table import Table, read_table
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    import torch

    from carousel.data.files.recordings import Frames
    from carousel.data.labelled_recordings import LabelledRecordings
    from carousel.data.measured import MeasuredRecordings
    from carousel.data.recordings import LabelledFrames
    from carousel.data.whole_targets import WholeRecordings, WholeTargets

_FEWEST = 3
MAPPED = ("classify_recordings", "label_frames", "regress", "classify_text")
"""Tasks that gather batches of an imported table from the disk."""


def table_of(config: Config, table: Table | None = None) -> Table:
    """The table that was handed in, or else that in `data.path`. Raises `DataError`, also for an
    imported one that the memory of this machine does not hold and that the task reads into it."""
    from carousel.data.store.opened import refuse_large

    if table is None and not config.data.path:
        raise ConfigError(
            "data.name = 'table' needs data.path, a table (docs/own-data.md); of a model that was "
            "fitted in memory the parts are gone once it is saved"
        )
    table = read_table(config.data.path) if table is None else table
    if config.task not in MAPPED:
        refuse_large(table, f"the task {config.task}", MAPPED)
    return table


@dataclass(frozen=True)
class Read:
    """Sequences of a table with their numbers."""

    table: Table
    sequences: Sequences
    features: Features

    @classmethod
    def of(cls, table: Table, config: Config, wanted: Sequence[str] | None = None) -> Read:
        """Read by the roles of the configuration; wanted: features of training (`features_of`)."""
        columns = config.columns
        read = features_columns(table, columns, config.split.column)
        if wanted is not None:
            read = [name for name in read if name in sources_of(wanted, columns)]
        categories, stays = names_in(columns.category), wanted is None and _stays(table, config)
        features = features_of(table, read, categories, wanted, columns.embed, stays)
        if wanted is not None:
            features = _in_order(features, wanted)
        found = sequences_of(table, columns)
        for name in names_in(columns.static):
            constant_in(found.found, table[name].texts(), name, table.source)
        return cls(table, found, features)

    @property
    def on_disk(self) -> bool:
        """True if the numbers are those of an imported table, and stay where they are."""
        return isinstance(self.features.values, Gathered)

    def disk(self, rows: Mapping[str, Sequence[Rows]]) -> mapped_steps.OnDisk:
        """The sequences of each part with their numbers on the disk."""
        return mapped_steps.OnDisk(self, rows)

    @property
    def notes(self) -> dict[str, int]:
        """Notes on what was recognised; 0, as they are not counted in files."""
        said = (*self.table.notes, *self.sequences.notes, *self.features.notes)
        return dict.fromkeys(said, 0)

    def frames(self, rows: Rows) -> Frames:
        """One sequence as a recording, without labels."""
        from carousel.data.files.recordings import Frames

        values, filled = values_of(rows, self.features)
        return Frames(values, [""] * len(values), filled, self.features.names)


def _in_order(features: Features, wanted: Sequence[str]) -> Features:
    places = [features.names.index(name) for name in wanted]
    assert isinstance(features.values, np.ndarray)
    return replace(features, values=features.values[:, places], names=tuple(wanted))


def _stays(table: Table, config: Config) -> bool:
    """True if a task reads batches of an imported table from the disk."""
    from carousel.data.store.opened import MappedTable

    return isinstance(table, MappedTable) and config.task in MAPPED


def sources_of(wanted: Sequence[str], columns: ColumnsConfig) -> set[str]:
    """The columns that features were made of."""
    found = set()
    for name in wanted:
        made_of = (c for c in names_in(columns.category) if name.startswith(f"{c}="))
        found.add(next(made_of, name))
    return found


def _parts_of(read: Read, config: Config) -> dict[str, list[Rows]]:
    """The sequences of each part, of tasks that answer at every step."""
    rows = read.sequences.found
    if config.split.by == "time" and len(rows) < 2 * _FEWEST:
        return tails(rows, config)
    dealt = deal(rows, config, read.table, None, bool(config.columns.time))
    return {part: [rows[i] for i in numbers] for part, numbers in dealt.items()}


def read_classes(
    config: Config, table: Table | None = None, read: Read | None = None
) -> LabelledRecordings:
    """Sequences with a class each. read: they have been read."""
    import torch

    from carousel.data.labelled_recordings import Example, LabelledRecordings, by_group

    if config.columns.file:
        return _read_files(config, table)
    if read is None:
        read = Read.of(table_of(config, table), config)
    table = read.table
    rows = read.sequences.found
    labels, classes, said = labels_of(table, config, rows)
    known = [i for i, label in enumerate(labels) if label is not None]
    if not known:
        raise DataError(f"{table.source} has no class in the column '{config.columns.target}'")
    group = table[config.split.column].texts() if config.split.by == "group" else None
    named = [labels[i] or () for i in known]
    groups = ["" if group is None else group[int(rows[i].rows.max())] for i in known]
    none = torch.empty(0, 0)
    examples = [
        Example(rows[i].name, none, label, one)
        if read.on_disk
        else Example.of(rows[i].name, read.frames(rows[i]), label, one)
        for i, label, one in zip(known, named, groups, strict=True)
    ]
    if config.data.hold_out:
        parts = by_group(examples, config.data.hold_out)
    else:
        some = [rows[i] for i in known]
        dealt = deal(
            some, config, table, by_class(labels, known, config), bool(config.columns.time)
        )
        parts = {part: [examples[i] for i in numbers] for part, numbers in dealt.items()}
    notes = {**read.notes, **dict.fromkeys(said, 0)}
    if len(known) < len(rows):
        notes[f"{len(rows) - len(known):,} sequences have no class and are left out"] = 0
    if read.on_disk:
        by_name = {one.name: one for one in rows}
        disk = read.disk({part: [by_name[e.name] for e in some] for part, some in parts.items()})
        return mapped_steps.whole(disk, parts, classes, notes)
    train, *rest = ([e.values for e in parts[part]] for part in PARTS)
    names = as_trained(read.features.names, train, [values for some in rest for values in some])
    opened = {name: lambda some=some: some for name, some in parts.items()}
    return LabelledRecordings.of(opened, classes, columns=names, notes=notes)


def _read_files(config: Config, table: Table | None) -> LabelledRecordings:
    """Recordings in files that a table names, with a class each."""
    from carousel.data.labelled_recordings import LabelledRecordings

    table = table_of(config, table)
    examples, classes = listed_files(table, config)
    files = table[config.columns.file].texts()
    rows = [Rows(name, np.array([i])) for i, name in enumerate(files)]
    drawn_by = by_class([e.label for e in examples], range(len(rows)), config)
    dealt = deal(rows, config, table, drawn_by, False)
    parts = {part: [examples[i] for i in numbers] for part, numbers in dealt.items()}
    sound = not examples[0].columns
    return LabelledRecordings.whole(examples, classes, parts, sound=sound)


def read_frames(config: Config, table: Table | None = None) -> LabelledFrames:
    """Sequences with a class at each step."""
    from carousel.data.recordings import LabelledFrames, of_frames

    table = table_of(config, table)
    read, target = Read.of(table, config), target_of(config)
    cells = table[target].texts()
    classes = sorted({cell for cell in cells if cell})
    if read.on_disk:
        disk = read.disk(_parts_of(read, config))
        train, validation, test = mapped_steps.labelled(disk, cells, classes)
        filled = sum(disk.filled.values())
        return LabelledFrames(train, validation, test, classes, disk.columns, filled, read.notes)

    def labelled(rows: Rows) -> Frames:
        labels = [cells[row] if row >= 0 else "" for row in rows.rows.tolist()]
        return read.frames(rows)._replace(labels=labels)

    parts = {
        part: {rows.name: labelled(rows) for rows in some}
        for part, some in _parts_of(read, config).items()
    }
    names = _names(read, parts)
    train, validation, test = (of_frames(parts[name], classes) for name in PARTS)
    filled = sum(frames.filled for some in parts.values() for frames in some.values())
    return LabelledFrames(train, validation, test, classes, names, filled, read.notes)


def read_numbers(
    config: Config, table: Table | None = None
) -> MeasuredRecordings | WholeRecordings:
    """Sequences with a number at each step; or, by `regress.per`, with numbers of the whole: "auto"
    finds out whether the targets keep one value through each sequence."""
    from carousel.data.measured import MeasuredRecordings, of_frames

    table = table_of(config, table)
    read, targets = Read.of(table, config), names_in(config.columns.target)
    if config.regress.per == "sequence" or (
        config.regress.per == "auto" and _are_kept(read, config)
    ):
        return read_whole(read, config)
    numbers = table[target_of(config)].numbers()
    if np.isnan(numbers).all():
        raise DataError(f"{table.source} has no number in the column '{targets[0]}'")
    if read.on_disk:
        disk = read.disk(_parts_of(read, config))
        first, second, third = mapped_steps.measured(disk, numbers)
        filled = sum(disk.filled.values())
        return MeasuredRecordings(first, second, third, disk.columns, filled, read.notes)

    def measured(rows: Rows) -> Frames:
        wanted = np.where(rows.rows >= 0, numbers[rows.rows], np.nan)
        return read.frames(rows)._replace(targets=wanted)

    parts = {
        part: {rows.name: measured(rows) for rows in some}
        for part, some in _parts_of(read, config).items()
    }
    names = _names(read, parts)
    train, validation, test = (of_frames(parts[name]) for name in PARTS)
    filled = sum(frames.filled for some in parts.values() for frames in some.values())
    return MeasuredRecordings(train, validation, test, names, filled, read.notes)


def _names(read: Read, parts: Mapping[str, Mapping[str, Frames]]) -> tuple[str, ...]:
    """The columns with the levels of the training part; its codes are changed to those."""
    train, *rest = ([one.values for one in parts[name].values()] for name in PARTS)
    return as_trained(read.features.names, train, [values for some in rest for values in some])


def _are_kept(read: Read, config: Config) -> bool:
    """True if the table has an id, and targets keep one value through each sequence."""
    if not config.columns.id:
        return False
    for name in names_in(config.columns.target):
        numbers = read.table[name].numbers()
        for one in read.sequences.found:
            known = numbers[one.rows[one.rows >= 0]]
            known = known[~np.isnan(known)]
            if len(known) and known.min() != known.max():
                return False
    return True


def read_whole(read: Read, config: Config) -> WholeRecordings:
    """Sequences with a number each, or several."""
    import torch

    from carousel.data.whole_targets import WholeRecordings

    rows = read.sequences.found
    dealt = deal(rows, config, read.table, None, bool(config.columns.time))
    targets = names_in(config.columns.target)
    if read.on_disk:
        disk = read.disk({name: [rows[i] for i in dealt[name]] for name in PARTS})
        numbers = _whole_numbers(read, config)
        one, two, three = (
            mapped_steps.of_whole(disk, part, numbers[dealt[part]]) for part in PARTS
        )
        filled = sum(disk.filled.values())
        return WholeRecordings(one, two, three, targets, disk.columns, filled, read.notes)
    frames = [read.frames(one) for one in rows]
    train_values, *rest = ([frames[i].values for i in dealt[name]] for name in PARTS)
    names = as_trained(read.features.names, train_values, [v for some in rest for v in some])
    everything = whole_part(read, config, frames)
    train, validation, test = (
        everything.take(torch.tensor(dealt[name], dtype=torch.int64)) for name in PARTS
    )
    filled = sum(one.filled for one in frames)
    return WholeRecordings(train, validation, test, targets, names, filled, read.notes)


def whole_part(read: Read, config: Config, frames: Sequence[Frames]) -> WholeTargets:
    """All sequences of a table, whose values are in `frames`, with their numbers."""
    import torch

    from carousel.data.ragged import Ragged
    from carousel.data.whole_targets import WholeTargets

    return WholeTargets(
        tuple(one.name for one in read.sequences.found),
        Ragged.of(torch.from_numpy(one.values) for one in frames),
        _whole_numbers(read, config),
    )


def _whole_numbers(read: Read, config: Config) -> torch.Tensor:
    """The numbers to be found of each sequence (n, K), float64, NaN where there is none. Raises
    `DataError` for a sequence with two of one kind."""
    import torch

    columns, rows = [], read.sequences.found
    for name in names_in(config.columns.target):
        column = read.table[name]
        numbers, found = column.numbers(), np.full(len(rows), np.nan)
        for place, one in enumerate(rows):
            inside = one.rows[one.rows >= 0]
            known = numbers[inside]
            known = known[~np.isnan(known)]
            if len(known) and (known != known[0]).any():
                cells = column.some(inside).texts()
                constant_in(
                    [replace(one, rows=np.arange(len(inside)))], cells, name, read.table.source
                )
            if len(known):
                found[place] = known[0]
        columns.append(found)
    return torch.from_numpy(np.stack(columns, 1))


READERS = {"label_frames": {"table": read_frames}}
