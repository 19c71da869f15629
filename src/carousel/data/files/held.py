"""Readers of files of one's own for the validation and the test part, by the kind of data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from carousel.config import Config
from carousel.config.columns import names_in
from carousel.config.own import TABLE
from carousel.data.alike import as_training
from carousel.data.captioned import CaptionedImages
from carousel.data.files import judged
from carousel.data.files.held_series import forecast, watched
from carousel.data.files.judged_images import images
from carousel.data.files.recordings import (
    Frames,
    alike,
    differences,
    in_order,
    listed,
    read_frames,
)
from carousel.data.files.text import read_lines, read_text
from carousel.data.held import Held
from carousel.data.labelled_images import ImageParts
from carousel.data.labelled_recordings import LabelledRecordings, filled_in, together
from carousel.data.labelled_text import LabelledText
from carousel.data.labelled_words import LabelledWords
from carousel.data.measured import MeasuredRecordings
from carousel.data.measured import of_frames as of_measured
from carousel.data.parts import Parts
from carousel.data.recordings import LabelledFrames
from carousel.data.recordings import of_frames as of_labelled
from carousel.data.sentence_pairs import Parallel
from carousel.data.series_parts import SeriesParts
from carousel.data.table import Table, is_table, read_table
from carousel.data.text import TextParts
from carousel.data.watched import WatchedSeries
from carousel.data.whole_targets import WholeRecordings
from carousel.errors import DataError

Source = judged.Source
Read = tuple[Any, Held]
"""A part, and what there is to say of it."""


def put(parts: Any, config: Config, sources: Mapping[str, Source]) -> Any:
    """The parts with those of files; `held` says what was read. Raises `DataError`."""
    sources = _read_alike(sources, config)
    if isinstance(parts, SeriesParts):
        return forecast(parts, config, sources)
    if isinstance(parts, WatchedSeries):
        return watched(parts, config, sources)
    if isinstance(parts, TextParts):
        return _texts(parts, config, sources)
    read = next((read for kind, read in _READERS.items() if isinstance(parts, kind)), None)
    if read is None or not isinstance(parts, Parts):
        raise DataError(f"the task '{config.task}' reads no files of their own for its parts")
    known = set(parts.train.contents())
    for name, source in sources.items():
        part, held = read(parts, config, source, name)
        if not len(part):
            raise DataError(f"{held.source} has nothing that can be the {name} part")
        doubles = sum(one in known for one in part.contents())
        parts.put(name, part, replace(held, doubles=doubles))
    return parts


def _read_alike(sources: Mapping[str, Source], config: Config) -> dict[str, Source]:
    """Sources of which tables are read with the kinds of columns that the training table has, and
    have those that tell sequences apart and order their steps. Raises `DataError`."""
    if config.data.name != TABLE:
        return {**sources}
    training = read_table(config.data.path) if config.data.path else None
    found: dict[str, Source] = {}
    for name, source in sources.items():
        if isinstance(source, Path) and not is_table(source):
            found[name] = source
            continue
        table = judged.table_in(source)
        _refuse_without(table, config)
        found[name] = table if training is None else as_training(table, training)
    return found


def _refuse_without(table: Table, config: Config) -> None:
    for role in (config.columns.id, config.columns.time):
        for column in names_in(role):
            if column not in table:
                raise DataError(
                    f"{table.source} has no column '{column}', which the training data have; it "
                    f"has: {', '.join(table.names[:12])}"
                )


def name_of(source: Source) -> str:
    """The file's path, or what a table is called."""
    return str(source) if isinstance(source, Path) else source.source


def _held(found: judged.Judged[Any], source: Source) -> Held:
    return Held(name_of(source), tuple(found.notes), dict(found.unknown or {}))


def _sentences(parts: LabelledText, config: Config, source: Source, name: str) -> Read:
    found = judged.sentences(source, config, parts.classes)
    return found.part, _held(found, source)


def _words(parts: LabelledWords, config: Config, source: Source, name: str) -> Read:
    found = judged.words(source, config)
    counts = {
        label: sum(row.count(label) for row in found.part.labels)
        for label in sorted({one for row in found.part.labels for one in row} - {*parts.labels})
    }
    note = [f"{n:,} words have the label '{label}', which training does not have: always missed"
            for label, n in counts.items()]  # fmt: skip
    return found.part, Held(name_of(source), (*found.notes, *note))


def _pairs(parts: Parallel, config: Config, source: Source, name: str) -> Read:
    found = judged.pairs(source, config)
    empty = found.part.empty
    notes = (f"{empty:,} pairs are left out: a side is blank",) if empty else ()
    return found.part, Held(name_of(source), (*found.notes, *notes))


def _examples(parts: LabelledRecordings, config: Config, source: Source, name: str) -> Read:
    found = judged.examples(source, config, parts.classes, parts.columns)
    if not judged.reads_table(config) and found.part:
        ordered, new = _ordered(
            {
                example.name: Frames(example.values.numpy(), [], columns=example.columns)
                for example in found.part
            },
            parts.columns,
            name_of(source),
        )
        values = [torch.from_numpy(one.values) for one in ordered.values()]
        found.part[:] = [
            one._replace(values=some) for one, some in zip(found.part, values, strict=True)
        ]
        found = replace(found, notes=(*found.notes, *new))
    parts.filled += filled_in(found.part)
    return together(found.part, parts.classes), _held(found, source)


def _frames(parts: LabelledFrames, config: Config, source: Source, name: str) -> Read:
    read = judged.frames(source, config, parts.columns, _labelled_file)
    found = judged.known_labels(read, parts.classes, name_of(source))
    recordings, new = _ordered(alike(found.part), parts.columns, name_of(source))
    parts.filled += sum(one.filled for one in recordings.values())
    held = _held(replace(found, notes=(*found.notes, *new)), source)
    return of_labelled(recordings, parts.classes), held


def _labelled_file(file: Path) -> Frames:
    return read_frames(read_text(file), str(file))


def _measured_file(file: Path) -> Frames:
    return read_frames(read_text(file), str(file), measured=True)


def _measured(parts: MeasuredRecordings, config: Config, source: Source, name: str) -> Read:
    found = judged.frames(source, config, parts.columns, _measured_file, measured=True)
    recordings, new = _ordered(alike(found.part), parts.columns, name_of(source))
    parts.filled += sum(one.filled for one in recordings.values())
    part = of_measured(recordings)
    if part.targets.isnan().all():
        raise DataError(f"{name_of(source)} has no number of what is to be learnt")
    return part, _held(replace(found, notes=(*found.notes, *new)), source)


def _whole(parts: WholeRecordings, config: Config, source: Source, name: str) -> Read:
    found = judged.whole(source, config, parts.columns)
    part, targets, columns = found.part
    if lacking := [one for one in parts.targets if one not in targets]:
        raise DataError(f"{name_of(source)} has no number '{lacking[0]}', which is to be learnt")
    values, new = part.values, list[str]()
    if columns != parts.columns:
        missing, more = differences(columns, parts.columns)
        _refuse(missing, name_of(source))
        new += _not_read(more)
        values = replace(values, values=values.values[:, [columns.index(c) for c in parts.columns]])
    places = [targets.index(one) for one in parts.targets]
    part = replace(part, values=values, targets=part.targets[:, places])
    return part, _held(replace(found, notes=(*found.notes, *new)), source)


def _ordered(
    found: dict[str, Frames], columns: tuple[str, ...], source: str
) -> tuple[dict[str, Frames], list[str]]:
    """Recordings with the columns of training, in their order; and what is not read."""
    first = next(iter(found.values()), None)
    if first is None or not columns:
        return found, []
    missing, more = differences(first.columns, columns)
    _refuse(missing, source)
    return {name: in_order(one, columns) for name, one in found.items()}, _not_read(more)


def _refuse(missing: list[str], source: str) -> None:
    if missing:
        raise DataError(f"{source} has no {listed(missing)}, which the training data have")


def _not_read(more: list[str]) -> list[str]:
    return [f"not read: the {listed(more)}, which training does not have"] if more else []


def _captioned(parts: CaptionedImages, config: Config, source: Source, name: str) -> Read:
    from carousel.data.files.captions import captioned_in

    assert isinstance(source, Path)
    part, unreadable = captioned_in(source, config, name)
    if unreadable:
        parts.unreadable[name] = unreadable
    notes = (f"{unreadable:,} images cannot be read and are left out",) if unreadable else ()
    return part, Held(name_of(source), notes)


def _images(parts: ImageParts, config: Config, source: Source, name: str) -> Read:
    found = images(source, config, parts.classes, parts.shape)
    return found.part, _held(found, source)


_READERS: dict[type, Callable[[Any, Config, Source, str], Read]] = {
    LabelledText: _sentences,
    LabelledWords: _words,
    Parallel: _pairs,
    LabelledRecordings: _examples,
    LabelledFrames: _frames,
    MeasuredRecordings: _measured,
    WholeRecordings: _whole,
    CaptionedImages: _captioned,
    ImageParts: _images,
}


def _texts(parts: TextParts, config: Config, sources: Mapping[str, Source]) -> TextParts:
    """Texts, or labelled lines, of which some parts stand in files of their own."""
    found: dict[str, Any] = {}
    held: dict[str, Held] = {}
    for name, source in sources.items():
        assert isinstance(source, Path)
        if parts.kind != "line":
            found[name], held[name] = read_text(source), Held(str(source))
            continue
        lines = read_lines(source)
        train = parts.read_part("train")
        assert not isinstance(train, str)
        known = {label for label, _ in train}
        strange = {label: len(some) for label, some in lines.items() if label not in known}
        kept = [(label, line) for label, some in lines.items() if label in known for line in some]
        if not kept:
            raise DataError(f"{source} has no line with a label of training")
        found[name] = kept
        held[name] = Held(str(source), (), strange, sum(one in {*train} for one in kept))

    def read(name: str) -> Any:
        return found[name] if name in found else parts.read_part(name)

    return replace(parts, read_part=read, is_one_text=False, held=held)
