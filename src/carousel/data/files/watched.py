"""Series that are watched for anomalies: a .csv file, or a folder with one for each series."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.data.files.csv_files import Table, find_separator, read_table
from carousel.data.files.text import read_text, stem_of
from carousel.data.stamps import is_stamp, read_stamps
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.data.watched import Watched, WatchedSeries

_TIMES = ("time", "timestamp", "date", "datetime", "day", "month", "year", "ds", "index", "step")
Windows = dict[str, list[tuple[str, str]]]


def read_watched(text: str, source: str, name: str, label: str = "") -> Watched:
    """A series in CSV: a header, perhaps times in the first column, then numbers.

    The first column holds times if its first cell is a date, or if it is called so. Rows stand in
    their order: times that go back, stand twice or leave a gap are counted in the notes. label: the
    name of a column of 0 and 1, which is read apart. Raises `DataError`.
    """
    from carousel.data.watched import Watched, filled

    timed = _is_timed(text)
    table = read_table(text, source, lambda header: (0,) if timed else ())
    values, names = table.values, table.names
    labels = None
    if label and label in names:
        place = names.index(label)
        labels = _labels(table, place, label)
        values = np.delete(values, place, 1)
        names = names[:place] + names[place + 1 :]
    if not names or not len(values):
        raise DataError(f"{source} must have at least one column of numbers and one row of them")
    times, notes = [str(t) for t in range(len(values))], table.notes
    if timed:
        stamps, said, _ = read_stamps(table.words[0], table.lines.tolist(), source)
        times, notes = [str(stamp) for stamp in stamps], (*notes, *said, *_unsteady(stamps))
    full, missing = filled(values)
    return Watched(name, names, tuple(times), full, missing, labels, notes=notes)


def _is_timed(text: str) -> bool:
    rows = csv.reader(io.StringIO(text[: 1 << 16]), delimiter=find_separator(text))
    header, first = next(rows, [""]), next(rows, [""])
    if not header or not first:
        return False
    named = header[0].strip().lower() in _TIMES
    cell = first[0].strip()
    return named or (is_stamp(cell) and not cell.replace(".", "", 1).isdigit())


def _labels(table: Table, place: int, label: str) -> NDArray[np.bool_]:
    column = table.values[:, place]
    wrong = (~np.isin(column, (0.0, 1.0))).nonzero()[0]
    if len(wrong):
        value = column[wrong[0]]
        shown = "empty" if np.isnan(value) else f"{value:g}"
        raise DataError(
            f"{table.source} row {table.lines[wrong[0]]}: the column '{label}' must hold 0 "
            f"(normal) or 1 (anomalous), it is {shown}; anomaly.labels names another column"
        )
    labels: NDArray[np.bool_] = column == 1
    return labels


def _unsteady(stamps: NDArray[Any]) -> list[str]:
    steps = np.diff(stamps)
    if not len(steps):
        return []
    zero = steps - steps
    usual = np.sort(steps)[len(steps) // 2]
    counts = {
        "stand before the one above": int((steps < zero).sum()),
        "stand twice": int((steps == zero).sum()),
        f"come later than a step of {usual} after the one above": int((steps > usual).sum()),
    }
    told = "; ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    return [f"of {len(stamps):,} times, {told}: rows are steps all the same"] if told else []


def read_windows(path: str) -> Windows:
    """True windows in a file, (start, end) by the name of the series.

    .json: {"name": [[start, end], …]}, as the Numenta benchmark has it, or [[start, end], …] of a
    single series; .csv: columns start and end, and series where there are several. Raises
    `DataError`.
    """
    text = read_text(path)
    found: Windows = {}
    if path.lower().endswith(".json"):
        try:
            content = json.loads(text)
            listed = content if isinstance(content, dict) else {"": content}
            for name, windows in listed.items():
                found[stem_of(Path(name))] = [(str(start), str(end)) for start, end in windows]
        except (ValueError, TypeError):
            raise DataError(
                f'{path} must hold {{"series": [[start, end], …]}} or [[start, end], …]'
            ) from None
        return found
    rows = csv.DictReader(io.StringIO(text), delimiter=find_separator(text))
    if not {"start", "end"} <= set(rows.fieldnames or ()):
        raise DataError(
            f"{path} must have the columns start and end; it has {', '.join(rows.fieldnames or ())}"
        )
    for row in rows:
        name = stem_of(Path(row.get("series") or ""))
        found.setdefault(name, []).append((row["start"].strip(), row["end"].strip()))
    return found


def labelled(one: Watched, windows: Sequence[tuple[str, str]], source: str) -> Watched:
    """The series with the rows of windows marked; their ends are times, or numbers of rows.
    Raises `DataError`."""
    from carousel.data.watched import mark

    ends: list[tuple[Any, Any]]
    try:
        if one.times[0].isdigit() and len(one.times[0]) != 4:
            ends = [(int(start), int(end)) for start, end in windows]
            times: NDArray[Any] = np.arange(len(one))
        else:
            ends = [(np.datetime64(start), np.datetime64(end)) for start, end in windows]
            times = np.array(one.times, "datetime64")
    except ValueError:
        raise DataError(
            f"{source}: the windows of {one.name} must begin and end with times such as "
            f"{one.times[0]}; the first is {', '.join(windows[0])}"
        ) from None
    return replace(one, labels=mark(times, ends, source))


def files_in(path: Path) -> list[Path]:
    """The .csv files of a folder, or the file itself. Raises `DataError` if there is none."""
    if not path.is_dir():
        return [path]
    ends = (".csv", ".csv.gz")
    found = sorted(p for p in path.iterdir() if p.name.lower().endswith(ends) and p.is_file())
    if not found:
        raise DataError(f"{path} has no .csv file: a folder of series has one for each of them")
    return found


def read_parts(config: Config) -> WatchedSeries:
    """The series of `data.path`, each cut in time."""
    from carousel.data.watched import WatchedSeries, shares

    if not config.data.path:
        raise ConfigError("data.name = 'series' needs data.path, a .csv file or a folder of them")
    found = []
    for file in files_in(Path(config.data.path)):
        one = read_watched(read_text(file), str(file), stem_of(file), config.anomaly.labels)
        found.append(replace(one, ends=shares(len(one), config)))
    return WatchedSeries(tuple(judged(found, config)))


def judged(series: Sequence[Watched], config: Config) -> list[Watched]:
    """Series with the labels of the file `anomaly.windows`, where one is named. Raises
    `DataError` for windows of a series that is not there."""
    path = config.anomaly.windows
    if not path:
        return list(series)
    windows = read_windows(path)
    found = []
    for one in series:
        mine = windows.get(one.name, windows.get("", []) if len(series) == 1 else [])
        found.append(labelled(one, mine, path))
    strange = sorted(set(windows) - {one.name for one in found} - {""})
    if strange:
        raise DataError(
            f"{path} has windows of {', '.join(strange[:5])}, of which there is no series in "
            f"{config.data.path}"
        )
    return found


READERS = {"anomaly": {"series": read_parts}}
