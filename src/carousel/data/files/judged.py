"""Labelled data that a trained model never saw: files of the kinds that one trains on, in one part.

Nothing is drawn and no class has to occur: what is there is judged. The configuration of a model
says what it reads: tables with roles by their columns, other files as `data.files` reads them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from carousel.config import Config
from carousel.config.columns import names_in
from carousel.config.own import TABLE
from carousel.data.class_targets import targets_of
from carousel.data.files.classes import read_classes
from carousel.data.files.columns import Labelled, read_columns
from carousel.data.files.pairs import read_pairs
from carousel.data.files.recordings import Frames, alike, read_frames, recognised, tables_in
from carousel.data.files.sentences import read_labelled
from carousel.data.files.table_labels import labels_of, listed_files, target_of
from carousel.data.files.table_new import new_table
from carousel.data.files.table_steps import Read, whole_part
from carousel.data.files.table_texts import has_columns, labelled_words, paired
from carousel.data.files.targets import TARGETS, read_targets
from carousel.data.files.text import packed, read_text, stem_of
from carousel.data.labelled_recordings import Example
from carousel.data.labelled_text import Sentences
from carousel.data.ragged import Ragged
from carousel.data.sentence_pairs import Pairs
from carousel.data.sequences import Rows
from carousel.data.several import is_several, label_sets
from carousel.data.table import Table, is_table, read_table
from carousel.data.token_lists import in_words
from carousel.data.whole_targets import WholeTargets
from carousel.errors import DataError

P = TypeVar("P")


@dataclass(frozen=True)
class Judged(Generic[P]):
    """Labelled data to judge a model by.

    part: the examples; notes: what was recognised; unknown: how many examples have a class that
    the model does not know, by that class: they are left out of `part`.
    """

    part: P
    notes: tuple[str, ...] = ()
    unknown: Mapping[str, int] | None = None

    def account(self) -> dict[str, Any]:
        """Account of the data, for a report."""
        return {"notes": [*self.notes], "unknown_classes": dict(self.unknown or {})}


Source = Path | Table
"""Labelled data: a file or folder, or a table that is handed over."""


def table_in(source: Source) -> Table:
    """The table of a file, or the one that is handed over."""
    return source if isinstance(source, Table) else read_table(source)


def _file(source: Source) -> Path:
    if isinstance(source, Table):
        raise DataError(f"{source.source} is a table, and the model reads files: name one")
    return source


def reads_table(config: Config) -> bool:
    """True if a model was trained on a table whose rows are the steps of sequences."""
    return config.data.name == TABLE and not config.columns.file


def sentences(path: Source, config: Config, classes: Sequence[str]) -> Judged[Sentences]:
    """Sentences with a class each."""
    if is_several(config):
        return _label_sentences(path, config, classes)
    if config.columns.text and (isinstance(path, Table) or is_table(path)):
        table = table_in(path)
        name, target = config.columns.text, target_of(config)
        _require(table, name, target)
        rows = [*zip(table[target].texts(), table[name].texts(), strict=True)]
        notes = table.notes
    else:
        found = read_labelled(_file(path))
        rows = [(row.label, row.text) for row in found.rows]
        notes = (found.note,) if found.note else ()
    unknown = unknown_in((label for label, _ in rows), classes, str(path))
    number = {name: i for i, name in enumerate(classes)}
    known = [(number[label], text) for label, text in rows if label in number and text.strip()]
    if blank := sum(not text.strip() for label, text in rows if label in number):
        notes = (*notes, f"{blank:,} sentences are blank and are left out")
    return Judged(Sentences.of(known), notes, unknown)


def words(path: Source, config: Config) -> Judged[Labelled]:
    """Sentences whose words have a label each, in columns or a table by the names of training."""
    if config.data.name == TABLE and (isinstance(path, Table) or has_columns(path)):
        table, config = in_words(table_in(path), config)
        _require(table, *names_in(config.columns.text), target_of(config))
        _require(table, *names_in(config.columns.id))
        return Judged(labelled_words(table, config)[0], table.notes)
    file = _file(path)
    text = config.text
    found = read_columns(read_text(file), file, text.word, text.label, text.tag)
    return Judged(found, (found.note,) if found.note else ())


def pairs(path: Source, config: Config) -> Judged[Pairs]:
    """Sentences and their translations, all that a file or folder has."""
    if config.data.name == TABLE and (isinstance(path, Table) or is_table(path)):
        table = table_in(path)
        _require(table, *names_in(config.columns.text), target_of(config))
        return Judged(paired(table, config), table.notes)
    found = read_pairs(replace(config, data=replace(config.data, path=str(path))))
    sources = [one for part in found.values() for one in part.sources]
    targets = [one for part in found.values() for one in part.targets]
    return Judged(Pairs(sources, targets, sum(part.empty for part in found.values())))


def examples(
    path: Source, config: Config, classes: Sequence[str], wanted: tuple[str, ...]
) -> Judged[list[Example]]:
    """Whole recordings with a class each."""
    if reads_table(config):
        table = table_in(path)
        _require(table, *names_in(config.columns.target))
        read, notes = new_table(table, config, wanted)
        rows = read.sequences.found
        labels, _, said = labels_of(read.table, config, rows)
        found = [
            Example.of(one.name, read.frames(one), label)
            for one, label in zip(rows, labels, strict=True)
            if label is not None
        ]
        if lost := len(rows) - len(found):
            said.append(f"{lost:,} sequences have no class and are left out")
        notes = (*notes, *said)
    elif config.columns.file and (isinstance(path, Table) or is_table(path)):
        table = table_in(path)
        _require(table, config.columns.file, *names_in(config.columns.target))
        (found, _), notes = listed_files(table, config), table.notes
    else:
        found, _ = read_classes(_file(path), config.sound)
        notes = tuple(recognised(example.notes for example in found))
    if is_several(config):
        unknown = unknown_in(
            (label for example in found for label in example.label), classes, str(path)
        )
        kept = [one._replace(label=_known_of(one.label, classes)) for one in found]
        return Judged(kept, notes, unknown)
    unknown = unknown_in((str(example.label) for example in found), classes, str(path))
    return Judged([example for example in found if example.label in classes], notes, unknown)


def _label_sentences(path: Source, config: Config, classes: Sequence[str]) -> Judged[Sentences]:
    """Sentences with any number of labels; those that the model does not know are left out."""
    table = table_in(path)
    _require(table, config.columns.text, *names_in(config.columns.target))
    texts = table[config.columns.text].texts()
    _, sets, said = label_sets(table, config, range(len(texts)))
    unknown = unknown_in((label for some in sets for label in some or ()), classes, str(path))
    known = [i for i, some in enumerate(sets) if some is not None and texts[i].strip()]
    if lost := len(texts) - len(known):
        said.append(f"{lost:,} rows have no text or lack a label, and are left out")
    targets = targets_of([_known_of(sets[i] or (), classes) for i in known], classes)
    return Judged(Sentences([texts[i] for i in known], targets), (*table.notes, *said), unknown)


def _known_of(labels: Iterable[str], classes: Sequence[str]) -> tuple[str, ...]:
    return tuple(label for label in labels if label in classes)


def frames(
    path: Source,
    config: Config,
    wanted: tuple[str, ...],
    read: Callable[[Path], Frames],
    measured: bool = False,
) -> Judged[dict[str, Frames]]:
    """Recordings with a label, or a number (`measured`), at each step; read: a file's."""
    if not reads_table(config):
        path = _file(path)
        files = tables_in(path) if path.is_dir() else [path]
        if not files:
            raise DataError(f"{path} has no recordings: no .csv or .tsv file")
        found = {stem_of(file) if path.is_dir() else file.name: read(file) for file in files}
        return Judged(found, tuple(recognised(one.notes for one in found.values())))
    table, notes, target = _sequences(path, config, wanted)
    labels = [] if measured else table.table[target].texts()
    numbers = table.table[target].numbers() if measured else np.empty(0)

    def of(rows: Rows) -> Frames:
        if measured:
            inside = np.where(rows.rows >= 0, numbers[rows.rows], np.nan)
            return table.frames(rows)._replace(targets=inside)
        return table.frames(rows)._replace(
            labels=[labels[row] if row >= 0 else "" for row in rows.rows.tolist()]
        )

    return Judged({rows.name: of(rows) for rows in table.sequences.found}, notes)


def whole(
    path: Source, config: Config, wanted: tuple[str, ...]
) -> Judged[tuple[WholeTargets, tuple[str, ...], tuple[str, ...]]]:
    """Whole recordings, of a table or of a folder with a table of targets; the names of the
    targets, and of the columns."""
    if reads_table(config):
        targets = names_in(config.columns.target)
        read, notes, _ = _sequences(path, config, wanted)
        _require(read.table, *targets)
        frames = [read.frames(one) for one in read.sequences.found]
        return Judged((whole_part(read, config, frames), targets, read.features.names), notes)
    path = _file(path)
    if not packed(path / TARGETS).is_file():
        raise DataError(f"{path} must be a folder of recordings with a table {TARGETS}")
    table = read_targets(read_text(packed(path / TARGETS)), str(packed(path / TARGETS)))
    found = alike({file: read_frames(read_text(path / file), file) for file in table.files})
    recordings = list(found.values())
    part = WholeTargets(
        tuple(str(Path(name).with_suffix("")) for name in table.files),
        Ragged.of(torch.from_numpy(one.values) for one in recordings),
        torch.from_numpy(table.values),
    )
    notes = tuple(recognised([table.notes, *(one.notes for one in recordings)]))
    return Judged((part, table.names, recordings[0].columns), notes)


def known_labels(
    found: Judged[dict[str, Frames]], classes: Sequence[str], source: str
) -> Judged[dict[str, Frames]]:
    """Frames without the labels of classes that the model does not know."""
    every = (label for one in found.part.values() for label in one.labels if label)
    unknown = unknown_in(every, classes, source)
    part = {
        name: one._replace(labels=[label if label in classes else "" for label in one.labels])
        for name, one in found.part.items()
    }
    return Judged(part, found.notes, unknown)


def _sequences(
    path: Source, config: Config, wanted: tuple[str, ...]
) -> tuple[Read, tuple[str, ...], str]:
    table, target = table_in(path), names_in(config.columns.target)[0]
    _require(table, target)
    return (*new_table(table, config, wanted), target)


def _require(table: Table, *names: str) -> None:
    for name in names:
        if name not in table:
            raise DataError(
                f"{table.source} has no column '{name}', which is needed to judge by; it has: "
                f"{', '.join(table.names[:12])}"
            )


def unknown_in(labels: Iterable[str], classes: Collection[str], source: str) -> dict[str, int]:
    """Labels that a model does not know. Raises `DataError` if it knows none of them."""
    counts = Counter(labels)
    unknown = {label: n for label, n in counts.items() if label not in classes}
    if len(unknown) == len(counts):
        raise DataError(
            f"{source} has none of the model's classes ({', '.join(sorted(classes)[:10])}); it "
            f"has: {', '.join(sorted(counts)[:10]) or 'no label'}"
        )
    return unknown
