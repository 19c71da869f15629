"""Series whose validation and test parts stand in files of their own: they go on where the training
file ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.config import AnomalyConfig, Config, ForecastConfig
from carousel.config.own import TABLE
from carousel.data.files import table_series, table_watched
from carousel.data.files import watched as watched_files
from carousel.data.files.judged import Source, table_in
from carousel.data.files.series import read_series
from carousel.data.files.text import read_text, stem_of
from carousel.data.held import Held
from carousel.data.regular import Series, regular
from carousel.data.series_parts import SeriesParts
from carousel.data.shares import ends_in_time, shares
from carousel.data.watched import Watched, WatchedSeries
from carousel.errors import ConfigError, DataError


def forecast(parts: SeriesParts, config: Config, sources: Mapping[str, Source]) -> SeriesParts:
    """One series of the training file and those that go on from it. Raises `DataError` for one of
    other columns, of another step, or that begins before the one before it ends."""
    first = _training_ends(len(parts.series), config, config.forecast)
    whole, ends, held = parts.series, list(first), dict[str, Held]()
    for name in ("validation", "test"):
        if name not in sources:
            continue
        source = sources[name]
        more = _series_in(source, config, whole.columns)
        known, before = str(source if isinstance(source, Path) else source.source), len(whole)
        whole = _joined(whole, more, known)
        lost = len(whole) - before - len(more)
        notes = (f"{lost:,} steps lie between it and what comes before: filled",) if lost else ()
        ends.append(len(whole))
        held[name] = Held(known, (*more.notes, *notes), doubles=0)
    made = SeriesParts.of(whole, config.forecast, ends[-3:])
    return replace(made, held=held)


def _training_ends(
    count: int, config: Config, section: ForecastConfig | AnomalyConfig
) -> tuple[int, ...]:
    """Ends of the parts that the training file has: of training, and of the validation part where
    that is its end."""
    if "test" not in config.data.files:
        raise ConfigError(
            "the parts of a series follow each other, so with a file to validate by "
            "(data.validation) there must be one to judge by (data.test): name both, or data.test "
            "alone"
        )
    train, validation, _ = ends_in_time(count, shares(config, section), least=0)
    return (train,) if "validation" in config.data.files else (train, validation)


def _series_in(source: Source, config: Config, columns: tuple[str, ...]) -> Series:
    if config.data.name == TABLE:
        bare = replace(config, columns=replace(config.columns, known=""))
        return table_series.series_of(table_in(source), bare, columns)
    assert isinstance(source, Path)
    series = read_series(read_text(source), str(source))
    if missing := [name for name in columns if name not in series.columns]:
        raise DataError(f"{source} has no column '{missing[0]}', which the training file has")
    places = [series.columns.index(name) for name in columns]
    missing_values = None if series.missing is None else series.missing[:, places]
    return replace(series, columns=columns, values=series.values[:, places], missing=missing_values)


def _joined(before: Series, after: Series, source: str) -> Series:
    steps = [np.diff(one.stamps[:2])[0] for one in (before, after) if len(one) > 1]
    if len(set(steps)) > 1:
        raise DataError(
            f"{source} has a step of {steps[1]}, and what comes before it one of {steps[0]}: all "
            f"parts of a series must have one step"
        )
    if after.stamps[0] <= before.stamps[-1]:
        raise DataError(
            f"{source} begins at {after.stamps[0]}, before what comes first ends "
            f"({before.stamps[-1]}): a series is judged by what comes later; leave the rows out "
            f"that stand in both"
        )
    stamps = np.concatenate((before.stamps, after.stamps))
    values: NDArray[np.float64] = np.concatenate((before.truth, after.truth))
    return replace(regular(before.columns, stamps, values, source), notes=before.notes)


def watched(parts: WatchedSeries, config: Config, sources: Mapping[str, Source]) -> WatchedSeries:
    """Each series of the training file with what follows it in other files, matched by name. Raises
    `DataError` for a series that the training file lacks, and columns that a file lacks."""
    found = {one.name: replace(one, ends=(0, 0)) for one in parts.series}
    ends = {one.name: [*_training_ends(len(one), config, config.anomaly)] for one in parts.series}
    held = dict[str, Held]()
    for name in ("validation", "test"):
        if name not in sources:
            continue
        source = sources[name]
        known = str(source if isinstance(source, Path) else source.source)
        some = _watched_in(source, config, parts.column_names)
        if len(some) == len(found) == 1:
            some = [replace(some[0], name=next(iter(found)))]
        doubles = 0
        for one in some:
            if one.name not in found:
                raise DataError(
                    f"{known} has a series '{one.name}' that {config.data.path} lacks: a series is "
                    f"watched from its beginning on, which must stand in the training file"
                )
            doubles += _doubles(found[one.name], one)
            found[one.name] = _extended(found[one.name], one)
        for series, stops in ends.items():
            stops.append(len(found[series]))
        notes = tuple(dict.fromkeys(chain.from_iterable(one.notes for one in some)))
        held[name] = Held(known, notes, doubles=doubles)
    cut = tuple(replace(one, ends=(ends[n][-3], ends[n][-2])) for n, one in found.items())
    return WatchedSeries(cut, parts.left_out, parts.judged, held)


def _watched_in(source: Source, config: Config, columns: tuple[str, ...]) -> list[Watched]:
    if config.data.name == TABLE:
        return table_watched.series_of(table_in(source), config, columns)
    assert isinstance(source, Path)
    found = []
    for file in watched_files.files_in(source):
        one = watched_files.read_watched(
            read_text(file), str(file), stem_of(file), config.anomaly.labels
        )
        if missing := [name for name in columns if name not in one.columns]:
            raise DataError(f"{file} has no column '{missing[0]}', which the training file has")
        places = [one.columns.index(name) for name in columns]
        found.append(
            replace(
                one,
                columns=columns,
                values=one.values[:, places],
                missing=None if one.missing is None else one.missing[:, places],
            )
        )
    return found


def _extended(one: Watched, more: Watched) -> Watched:
    return replace(
        one,
        times=one.times + more.times,
        values=np.concatenate((one.values, more.values)),
        missing=_both(one, more, "missing", one.values.shape[1:]),
        labels=_both(one, more, "labels", ()),
    )


def _both(one: Watched, more: Watched, name: str, shape: tuple[int, ...]) -> Any:
    first, second = getattr(one, name), getattr(more, name)
    if first is None and second is None:
        return None
    return np.concatenate(
        [
            np.zeros((len(series), *shape), np.bool_) if some is None else some
            for series, some in ((one, first), (more, second))
        ]
    )


def _doubles(one: Watched, more: Watched) -> int:
    """Rows of the same time and values that stand in both."""
    known = {(time, row.tobytes()) for time, row in zip(one.times, one.values, strict=True)}
    rows = zip(more.times, more.values, strict=True)
    return sum((time, row.tobytes()) in known for time, row in rows)
