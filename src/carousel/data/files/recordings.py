"""Custom recordings in CSV: reading them, and bringing their columns into one order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carousel.data.files.csv_files import read_table
from carousel.data.files.text import packed, read_text, stem_of, suffix_of
from carousel.data.shares import Fewest
from carousel.errors import ConfigError, DataError
from carousel.terminal import notice

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.measured import MeasuredRecordings
    from carousel.data.recordings import LabelledFrames
    from carousel.data.whole_targets import WholeRecordings

LABEL = "label"
_PARTS = ("train", "validation", "test")
TABLES = (".csv", ".tsv")
_LARGE = 50_000_000  # bytes

Values = NDArray[np.floating[Any]]
"""What was read of text is float64, so that scaling sees every digit; pixels and sound are not."""


class Frames(NamedTuple):
    """One recording: values (T, F), and the label of each frame, "" where it has none.

    filled: values that were missing and were taken from the frame before. columns: the names of
    the F columns; empty where they have none. targets (T,): the label of each frame as a number,
    NaN where it has none; None unless there are such. notes: what was recognised in the file.
    """

    values: Values
    labels: list[str]
    filled: int = 0
    columns: tuple[str, ...] = ()
    targets: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()


def read_folder(
    path: str | Path, measured: bool = False, fewest: Fewest | None = None
) -> dict[str, Frames]:
    """Every .csv of a folder, by its name, with the columns in the order of the first.

    measured: labels are numbers. fewest: files; three if None. Raises `DataError` unless all have
    the same columns, in whatever order.
    """
    files = tables_in(Path(path))
    least = fewest or Fewest(3)
    if len(files) < least.count:
        raise DataError(
            f"{path} must be a folder of at least {least} .csv files, a recording each, to train "
            f"on, to validate and to judge; it has {len(files)}{_others_in(Path(path))}"
        )
    for one, other in pairwise(sorted(files, key=stem_of)):
        if stem_of(one) == stem_of(other):
            raise DataError(f"{one} and {other} would be one recording: rename or remove one")
    say_large(files)
    found = alike({str(file): read_frames(read_text(file), str(file), measured) for file in files})
    return {stem_of(Path(file)): frames for file, frames in found.items()}


def tables_in(folder: Path) -> list[Path]:
    """The .csv and .tsv files of a folder, sorted; hidden ones are no recordings."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [f for f in files if suffix_of(f) in TABLES and not f.name.startswith(".")]


def _others_in(folder: Path) -> str:
    files = folder.iterdir() if folder.is_dir() else iter(())
    others = sorted({suffix_of(f) for f in files if f.suffix and not f.name.startswith(".")})
    wrong = [suffix for suffix in others if suffix not in TABLES]
    return f", and files of the kind {', '.join(wrong)}: save them as .csv" if wrong else ""


def say_large(files: Sequence[Path], needs: str = "") -> None:
    """Log what is read, where that takes seconds, and what it needs."""
    size = sum(file.stat().st_size for file in files)
    if size >= _LARGE:
        where = files[0] if len(files) == 1 else f"{len(files):,} files beside {files[0]}"
        notice(f"reading {where}, {size / 1e6:,.0f} MB{needs} …")


def alike(found: Mapping[str, Frames]) -> dict[str, Frames]:
    """Recordings by the names of their files, with the columns of each in the order of the first.

    Raises `DataError` that names the columns that one has and another lacks.
    """
    first, wanted = next(((f, frames.columns) for f, frames in found.items()), ("", ()))
    result = {}
    for file, frames in found.items():
        missing, new = differences(frames.columns, wanted)
        if missing or new:
            lacks = [f"has no {listed(missing)}"] if missing else []
            has = [f"has the {listed(new)} besides"] if new else []
            raise DataError(
                f"all recordings must have the same columns, in any order: {file} "
                f"{' and '.join(lacks + has)}, unlike {first}"
            )
        result[file] = in_order(frames, wanted)
    return result


def differences(columns: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Names that are wanted and not there, and names that are there and not wanted.

    >>> differences(("b", "c"), ("a", "b"))
    (['a'], ['c'])
    """
    missing = [name for name in wanted if name not in columns]
    return missing, [name for name in columns if name not in wanted]


def in_order(frames: Frames, wanted: tuple[str, ...]) -> Frames:
    """The recording with the wanted columns alone, in their order; it must have them all."""
    if frames.columns == wanted:
        return frames
    places = [frames.columns.index(name) for name in wanted]
    return frames._replace(values=np.ascontiguousarray(frames.values[:, places]), columns=wanted)


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Names of columns in words, the first ten.

    >>> listed(["x", ""])
    "columns 'x', ''"
    """
    shown = ", ".join(f"'{name}'" for name in names[:10])
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"column{'s' * (len(names) > 1)} {shown}{more}"


def read_frames(text: str, source: str, measured: bool = False) -> Frames:
    """A recording in CSV: a header, a row per frame, numbers, and the column `label`, which may
    be empty where a frame has none, or be missing where there is nothing to learn from.

    measured: the label is a number too. A missing value is taken from the frame before, at the
    start it is 0, and both are counted. Raises `DataError`.
    """

    def words(header: Sequence[str]) -> Sequence[int]:
        return [header.index(LABEL)] if LABEL in header and not measured else []

    table = read_table(text, source, words)
    names, values = table.names, table.values
    if not len(values):
        raise DataError(f"{source} has a header and no frame")
    labels = next(iter(table.words.values()), [])
    targets = None
    if measured and LABEL in names:
        place = names.index(LABEL)
        targets, values = values[:, place].copy(), np.delete(values, place, 1)
        names = (*names[:place], *names[place + 1 :])
    if not names:
        raise DataError(f"{source} has no column of numbers")
    if names.count("") > 1:
        raise DataError(f"{source} has {names.count('')} columns without a name: name them")
    filled, count = fill_missing(values)
    return Frames(filled, labels or [""] * len(values), count, names, targets, table.notes)


def recognised(found: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """Notes on several files, each with the number of files that it is true of."""
    return dict(Counter(note.partition(" (")[0] for notes in found for note in notes))


def fill_missing(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Values (T, F) with each NaN taken from the step before, at the start 0; and their number."""
    missing = np.isnan(values)
    if not missing.any():
        return values, 0
    last = np.where(missing, -1, np.arange(len(values))[:, None])
    last = np.maximum.accumulate(last, axis=0)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    filled[last < 0] = 0.0
    return filled, int(missing.sum())


def read_labelled(config: Config) -> LabelledFrames:
    """The parts of a folder, `data.path`; `frames.test` and `frames.validation` are drawn."""
    from carousel.data.recordings import LabelledFrames, draw, of_frames

    found = read_folder(_path(config), fewest=Fewest.of(config))
    labels = {label for frames in found.values() for label in frames.labels if label}
    classes = tuple(sorted(labels))
    drawn = draw(found, config)
    train, validation, test = (of_frames(drawn[name], classes) for name in _PARTS)
    return LabelledFrames(train, validation, test, classes, *_facts(found))


def read_measured(config: Config) -> MeasuredRecordings | WholeRecordings:
    """Read recordings whose labels are numbers; or, where the folder has `targets.csv`, of
    recordings with one number each, or several (see `carousel.data.files.targets`)."""
    from carousel.data.files.targets import TARGETS, read_whole
    from carousel.data.measured import MeasuredRecordings, of_frames
    from carousel.data.recordings import draw

    per, root = config.regress.per, Path(_path(config))
    if per == "sequence" or (per == "auto" and packed(root / TARGETS).is_file()):
        return read_whole(config)
    found = read_folder(root, measured=True, fewest=Fewest.of(config))
    drawn = draw(found, config)
    train, validation, test = (of_frames(drawn[name]) for name in _PARTS)
    return MeasuredRecordings(train, validation, test, *_facts(found))


def _path(config: Config) -> str:
    if not config.data.path:
        raise ConfigError("data.name = 'recordings' needs data.path, a folder of .csv files")
    return config.data.path


def _facts(found: Mapping[str, Frames]) -> tuple[tuple[str, ...], int, dict[str, int]]:
    """The names of their columns, how many values were filled, what was recognised."""
    columns = next(iter(found.values())).columns
    filled = sum(frames.filled for frames in found.values())
    return columns, filled, recognised(frames.notes for frames in found.values())


READERS = {
    "label_frames": {"recordings": read_labelled},
    "regress": {"recordings": read_measured},
}
