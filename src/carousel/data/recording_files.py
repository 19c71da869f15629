"""Recordings of one's own in CSV: reading them, and bringing their columns into one order."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carousel.data.text import read_text
from carousel.errors import DataError

LABEL = "label"


class Frames(NamedTuple):
    """One recording: values (T, F), and the label of each frame, "" where it has none.

    filled: values that were missing and were taken from the frame before.
    columns: the names of the F columns; empty where they have none.
    """

    values: NDArray[np.float32]
    labels: list[str]
    filled: int = 0
    columns: tuple[str, ...] = ()


def read_folder(path: str | Path) -> dict[str, Frames]:
    """Every .csv of a folder, by its name, with the columns in the order of the first.

    Raises `DataError` unless all have the same columns, in whatever order.
    """
    files = sorted(Path(path).glob("*.csv"))
    if len(files) < 3:
        raise DataError(
            f"{path} must be a folder of at least three .csv files, a recording each, to train on, "
            f"to validate and to judge; it has {len(files)}"
        )
    found = alike({str(file): read_frames(read_text(file), str(file)) for file in files})
    return {Path(file).stem: frames for file, frames in found.items()}


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


def read_frames(text: str, source: str) -> Frames:
    """A recording in CSV: a header, a row per frame, numbers, and the column `label`, which may
    be empty where a frame has none, or be missing where there is nothing to learn from.

    A missing number is taken from the frame before, at the start it is 0, and both are counted.
    Raises `DataError`.
    """
    rows = list(csv.reader(io.StringIO(text)))
    header, body = [name.strip() for name in rows[0]], [row for row in rows[1:] if row]
    if not body:
        raise DataError(f"{source} has a header and no frame")
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise DataError(
            f"{source} has the {listed(twice)} more than once: columns go by their names"
        )
    place = header.index(LABEL) if LABEL in header else None
    columns = [i for i in range(len(header)) if i != place]
    if not columns:
        raise DataError(f"{source} has no column of numbers")
    for number, row in enumerate(body, 2):
        if len(row) != len(header):
            raise DataError(f"{source} row {number} has {len(row)} cells, the header {len(header)}")
    values = np.array([[_number(row[i], source) for i in columns] for row in body])
    labels = ["" if place is None else row[place].strip() for row in body]
    filled, count = fill_missing(values)
    names = tuple(header[i] for i in columns)
    return Frames(filled.astype(np.float32), labels, count, names)


def _number(cell: str, source: str) -> float:
    try:
        value = float(cell) if cell.strip() else math.nan
    except ValueError:
        raise DataError(f"{source} must hold numbers, got '{cell}'") from None
    return value if math.isfinite(value) else math.nan


def fill_missing(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Values (T, F) with each NaN taken from the step before, at the start 0; and their number."""
    missing = np.isnan(values)
    last = np.where(missing, -1, np.arange(len(values))[:, None])
    last = np.maximum.accumulate(last, axis=0)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    filled[last < 0] = 0.0
    return filled, int(missing.sum())
