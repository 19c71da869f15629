"""The checks of an audit: each looks at a table with its roles, and yields what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from carousel.config.columns import FEW_LEVELS, FORECASTS, embedding_size, names_in
from carousel.data.audit.finding import Finding
from carousel.data.audit.leak_checks import columns_that_tell
from carousel.data.audit.subject import Subject
from carousel.data.audit.target_checks import (
    contradictions,
    drift,
    labels_alike,
    rare_classes,
    target_itself,
    time_tells_class,
)
from carousel.data.features import MOST_LEVELS
from carousel.data.stamps import unit_of

Check = Callable[[Subject], Iterator[Finding]]
_FEWEST = 3
_MANY_MISSING = 0.2
_SMALL = 50
_MANY_LEVELS = 50
_BLOCKS, _JUMP, _ALIKE = 20, 20.0, 5.0
_LOOKED_AT = 200_000


def duplicate_rows(of: Subject) -> Iterator[Finding]:
    """Rows that are alike in every column, where time or a text should tell them apart."""
    import polars as pl

    if of.order is None and of.config.task not in ("classify_text", "translate"):
        return
    frame = pl.DataFrame(
        [c.values.alias(c.name) for c in of.table.columns if c.kind not in ("nested", "empty")]
    )
    count = frame.height - frame.hash_rows().n_unique()
    if count:
        share = count / frame.height
        yield Finding("D001", "warning", (), {"count": count, "share": f"{share:.1%}"})


def gaps(of: Subject) -> Iterator[Finding]:
    found, gap = of.sequences, of.config.columns.gap
    if found is None or not found.gaps:
        return
    code = {"fill": "D002", "cut": "D003", "error": "D002"}[gap]
    numbers = {"count": found.gaps, "step": found.step, "filled": found.filled}
    yield Finding(code, "warning", (of.config.columns.time,), {**numbers, "made": len(found.found)})


def constant_columns(of: Subject) -> Iterator[Finding]:
    targets = names_in(of.config.columns.target)
    names = tuple(
        p.name
        for p in of.profiles.values()
        if p.kind not in ("empty", "nested") and p.distinct == 1 and not p.column.missing
    )
    names = tuple(name for name in names if name not in targets)
    if names and len(of.table) > 1:
        yield Finding("D004", "info", names)


def empty_columns(of: Subject) -> Iterator[Finding]:
    names = tuple(p.name for p in of.profiles.values() if p.kind == "empty")
    names = tuple(name for name in names if name not in names_in(of.config.columns.target))
    if names:
        yield Finding("D005", "info", names, {"count": len(names)})


def nested_columns(of: Subject) -> Iterator[Finding]:
    names = tuple(p.name for p in of.profiles.values() if p.kind == "nested")
    if names:
        yield Finding("D006", "info", names, {"count": len(names)})


def doubled_stamps(of: Subject) -> Iterator[Finding]:
    if of.order is None:
        return
    place = np.lexsort((of.order, of.ids))
    if of.config.task == "forecast_many":  # rows that are alike are read once
        place = place[of.table.first_of_their_kind()[place]]
    same = (np.diff(of.order[place]) == 0) & (np.diff(of.ids[place]) == 0)
    if same.any():
        count = int(same.sum())
        severity = "severe" if of.config.task in FORECASTS else "warning"
        yield Finding("D007", severity, (of.config.columns.time,), {"count": count})


def rows_out_of_order(of: Subject) -> Iterator[Finding]:
    if of.order is None:
        return
    place = np.argsort(of.ids, kind="stable")  # rows of a sequence need not stand together
    times, ranks = np.unique(of.order[place], return_inverse=True)
    reached = of.ids[place] * len(times) + ranks
    count = int((reached < np.maximum.accumulate(reached)).sum())
    if count:
        yield Finding("D008", "info", (of.config.columns.time,), {"count": count})


def uneven_steps(of: Subject) -> Iterator[Finding]:
    found = of.sequences
    if found is not None and of.order is not None and not found.step and len(of.table) > 2:
        longest = max(len(one.rows) for one in found.found)
        if longest > 2:
            yield Finding("D009", "info", (of.config.columns.time,), {})


def future_stamps(of: Subject) -> Iterator[Finding]:
    time = of.config.columns.time
    if not time or time not in of.table or of.order is None:
        return
    column = of.table[time]
    if column.stamps is None or unit_of(column.stamps) == "generic":
        return
    seconds = column.stamps.astype("datetime64[s]").astype(np.int64)
    count = int((seconds > of.now + 86_400).sum())
    if count:
        last = str(column.stamps[seconds.argmax()])
        yield Finding("D010", "warning", (time,), {"count": count, "last": last})


def rows_without_a_time(of: Subject) -> Iterator[Finding]:
    """Rows that no place can be given to, which every reader of steps refuses."""
    time = of.config.columns.time
    if time and time in of.table and (count := of.table[time].missing + of.table[time].odd):
        yield Finding("D034", "severe", (time,), {"count": count})


def cells_that_do_not_fit(of: Subject) -> Iterator[Finding]:
    for p in of.used:
        if p.column.odd and p.name != of.config.columns.time:
            numbers = {"count": p.column.odd, "example": p.column.example[:40], "kind": p.kind}
            yield Finding("D021", "warning", (p.name,), numbers)


def missing_values(of: Subject) -> Iterator[Finding]:
    for column in of.inputs:
        empty = of.profiles[column.name].empty
        if empty > _MANY_MISSING and column.kind not in ("empty", "nested"):
            yield Finding("D022", "warning", (column.name,), {"share": f"{empty:.0%}"})


def short_sequences(of: Subject) -> Iterator[Finding]:
    if not of.has_steps or of.config.columns.file or not of.rows:
        return
    count = sum(len(one.rows) < 2 for one in of.rows)
    if count:
        numbers = {"count": count, "of": len(of.rows)}
        severity = "severe" if count == len(of.rows) else "warning"
        yield Finding("D023", severity, (of.config.columns.id,), numbers)


def few_examples(of: Subject) -> Iterator[Finding]:
    if of.has_steps:
        count, single = len(of.rows), of.config.split.by == "time"
    elif of.config.task in ("classify_text", "translate"):
        count, single = len(of.table), False
    else:
        return
    if _FEWEST <= count < _SMALL and not single:
        yield Finding("D024", "warning", (), {"count": count})


def doubled_sequences(of: Subject) -> Iterator[Finding]:
    """Sequences, or texts, that are there more than once: one may train and the other judge."""
    import polars as pl

    text = of.config.columns.text
    if text and of.config.task in ("classify_text", "translate"):
        cells = of.table[text].cells()
        count = len(cells) - cells.n_unique()
        if count:
            yield Finding("D025", "warning", (text,), {"count": count})
        yield from contradictions(of, text)
    elif of.has_steps and of.numbers and len(of.rows) > 1 and not of.config.columns.file:
        frame = pl.DataFrame([column.values.alias(column.name) for column in of.numbers])
        hashes = frame.hash_rows().to_numpy()
        order = np.concatenate([np.arange(len(one.rows), dtype=np.uint64) for one in of.rows])
        rows = np.concatenate([one.rows for one in of.rows])
        mixed = hashes[np.maximum(rows, 0)] * (2 * order + np.uint64(1))
        starts = np.cumsum([0, *(len(one.rows) for one in of.rows[:-1])])
        sums = np.add.reduceat(mixed, starts)
        count = len(sums) - len(np.unique(sums))
        if count:
            yield Finding("D026", "warning", (of.config.columns.id,), {"count": count})


def many_levels(of: Subject) -> Iterator[Finding]:
    for name in names_in(of.config.columns.category):
        if name not in of.table or (levels := of.profiles[name].distinct) <= FEW_LEVELS:
            continue
        if _is_name(of, name, levels):
            yield Finding("D033", "warning", (name,), {"levels": levels})
        elif not of.config.columns.embed and levels > MOST_LEVELS:
            yield Finding("D028", "info", (name,), {"levels": levels, "most": MOST_LEVELS})
        elif of.config.columns.embed and levels > _MANY_LEVELS:
            numbers = {"levels": levels, "size": embedding_size(levels)}
            yield Finding("D032", "info", (name,), numbers)


def _is_name(of: Subject, name: str, levels: int) -> bool:
    """True if hardly a value of a category stands in two sequences, or without an id in two rows:
    it names them, and tells nothing of those to come."""
    import polars as pl

    cells = of.table[name].cells()
    if not of.config.columns.id:
        return levels > len(cells) / 2
    frame = pl.DataFrame([pl.Series("s", of.ids), cells.alias("v")])
    counts = frame.filter(pl.col("v") != "").group_by("v").agg(pl.col("s").n_unique())
    return bool((counts["s"].to_numpy() > 1).mean() < 0.1)


def unit_changes(of: Subject) -> Iterator[Finding]:
    """Columns whose size jumps by a factor and stays there, as where grams became kilograms."""
    for column in of.numbers:
        values = np.abs(column.numbers())
        if of.order is not None and not of.config.columns.id:
            values = values[np.argsort(of.order, kind="stable")]
        values = values[:: max(1, len(values) // _LOOKED_AT)]
        blocks = [b[~np.isnan(b)] for b in np.array_split(values, _BLOCKS)]
        medians = np.array([np.median(b) for b in blocks if len(b) >= _FEWEST])
        if len(medians) < _BLOCKS // 2 or (medians <= 0).any():
            continue
        ordered = np.sort(medians)
        ratios = ordered[1:] / ordered[:-1]
        cut = int(ratios.argmax())
        low, high = ordered[: cut + 1], ordered[cut + 1 :]
        alike = max(low[-1] / low[0], high[-1] / high[0]) <= _ALIKE
        if ratios[cut] >= _JUMP and alike and min(len(low), len(high)) >= 2:
            factor = float(np.median(high) / np.median(low))
            yield Finding("D029", "warning", (column.name,), {"factor": f"{factor:.3g}"})


CHECKS: tuple[Check, ...] = (
    *(duplicate_rows, gaps, constant_columns, empty_columns, nested_columns, doubled_stamps),
    *(rows_without_a_time, rows_out_of_order, uneven_steps, future_stamps),
    *(columns_that_tell, time_tells_class),
    *(rare_classes, target_itself, labels_alike, cells_that_do_not_fit, missing_values),
    *(short_sequences, few_examples, doubled_sequences, many_levels, unit_changes, drift),
)
