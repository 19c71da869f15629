"""The checks of an audit: each looks at a table with its roles, and yields what it finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.config.columns import names_in
from carousel.data.audit.finding import Finding
from carousel.data.audit.subject import Subject
from carousel.data.features import MOST_LEVELS
from carousel.data.stamps import unit_of

Check = Callable[[Subject], Iterator[Finding]]
_FEWEST, _FEW = 3, 10
_MANY_MISSING = 0.2
_UNEVEN = 0.9
_SMALL = 50
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
    same = (np.diff(of.order[place]) == 0) & (np.diff(of.ids[place]) == 0)
    if same.any():
        count = int(same.sum())
        severity = "severe" if of.config.task == "forecast" else "warning"
        yield Finding("D007", severity, (of.config.columns.time,), {"count": count})


def rows_out_of_order(of: Subject) -> Iterator[Finding]:
    if of.order is None:
        return
    back = (np.diff(of.order) < 0) & (np.diff(of.ids) == 0)
    if back.any():
        yield Finding("D008", "info", (of.config.columns.time,), {"count": int(back.sum())})


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


def copies_of_target(of: Subject) -> Iterator[Finding]:
    """Columns that are the target, cell by cell, or that name its class one to one."""
    if of.target is None or of.profiles[of.target.name].distinct < 2:
        return
    texts, read = of.target.cells(), {column.name for column in of.inputs}
    for column in of.table.columns:
        if column.kind in ("nested", "empty") or column is of.target:
            continue
        alike = of.profiles[column.name].distinct == of.profiles[of.target.name].distinct
        if alike and (column.cells() == texts).all():
            severity = "severe" if column.name in read else "info"
            yield Finding("D011", severity, (column.name,), {"target": of.target.name})
        elif column.name not in read:
            continue
        elif of.has_classes and _is_one_to_one(of, column.name):
            yield Finding("D012", "severe", (column.name,), {"target": of.target.name})
        elif not of.has_classes and of.target.is_number and column.is_number:
            correlation = _correlation(column.numbers(), of.target.numbers())
            if abs(correlation) > 0.99999:
                yield Finding("D012", "severe", (column.name,), {"target": of.target.name})


def _is_one_to_one(of: Subject, name: str) -> bool:
    import polars as pl

    assert of.target is not None
    known, classes = of.profiles[name].distinct, of.profiles[of.target.name].distinct
    if known != classes or known > 100:
        return False
    frame = pl.DataFrame([of.table[name].cells().alias("a"), of.target.cells().alias("b")])
    return frame.n_unique() == classes


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    inside = ~np.isnan(a) & ~np.isnan(b)
    a, b = a[inside], b[inside]
    if len(a) < _FEW or a.std() == 0 or b.std() == 0:
        return 0.0
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    return float((a * b).mean())


def time_tells_class(of: Subject) -> Iterator[Finding]:
    """Classes that were recorded one after the other: each in a range of time of its own."""
    if of.config.task != "classify_recordings" or of.order is None or len(of.rows) < 2 * _FEW:
        return
    starts = np.array([one.start for one in of.rows])
    inside = of.label_of >= 0
    if len(np.unique(starts)) < len(starts) / 2 or len(np.unique(of.label_of[inside])) < 2:
        return
    labels = of.label_of[inside][np.argsort(starts[inside], kind="stable")]
    stretches = 1 + int((np.diff(labels) != 0).sum())
    if stretches == len(np.unique(labels)):
        yield Finding("D013", "warning", (of.config.columns.time,), {"classes": stretches})


def rare_classes(of: Subject) -> Iterator[Finding]:
    if not of.has_classes or of.target is None or of.config.task == "label_words":
        return
    names = of.target.cells().to_numpy()
    if of.config.task == "classify_recordings":
        if of.config.columns.file:
            counts = Counter(names.tolist())
        else:
            firsts = [one.rows[one.rows >= 0][0] for one in of.rows]
            counts = Counter(names[firsts].tolist())
    else:
        counts = Counter(names.tolist())
    counts.pop("", None)
    for severity, code, least, below in (
        ("severe", "D014", 1, _FEWEST),
        ("warning", "D015", _FEWEST, _FEW),
    ):
        rare = [name for name, count in sorted(counts.items()) if count in range(least, below)]
        if rare:
            shown = ", ".join(f"{name} ({counts[name]})" for name in rare[:5])
            yield Finding(code, severity, (of.target.name,), {"count": len(rare), "which": shown})
    total = sum(counts.values())
    if counts and total >= _FEW and len(counts) > 1:
        name, most = max(counts.items(), key=lambda item: item[1])
        if most / total > _UNEVEN:
            numbers = {"name": name, "share": f"{most / total:.1%}"}
            yield Finding("D016", "warning", (of.target.name,), numbers)


def target_itself(of: Subject) -> Iterator[Finding]:
    """A target without values, with one value, or with many missing ones."""
    if of.target is None:
        return
    column, p = of.target, of.profiles[of.target.name]
    missing = column.missing + column.odd
    if column.kind == "empty" or missing == p.rows:
        yield Finding("D017", "severe", (column.name,), {})
    elif p.distinct < 2:
        yield Finding("D018", "severe", (column.name,), {"value": str(column.raw.drop_nulls()[0])})
    elif missing:
        severity = "warning" if missing > 0.05 * p.rows else "info"
        numbers = {"count": missing, "share": f"{missing / p.rows:.1%}"}
        yield Finding("D019", severity, (column.name,), numbers)


def labels_alike(of: Subject) -> Iterator[Finding]:
    if not of.has_classes or of.target is None:
        return
    known: dict[str, str] = {}
    for label in sorted(set(of.target.cells().to_list()) - {""}):
        other = known.setdefault(label.casefold().replace(" ", ""), label)
        if other != label:
            numbers = {"one": other, "other": label}
            yield Finding("D020", "warning", (of.target.name,), numbers)
            return


def cells_that_do_not_fit(of: Subject) -> Iterator[Finding]:
    for p in of.used:
        if p.column.odd:
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
        yield from _contradictions(of, text)
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


def _contradictions(of: Subject, text: str) -> Iterator[Finding]:
    import polars as pl

    if of.config.task != "classify_text" or of.target is None:
        return
    frame = pl.DataFrame([of.table[text].cells().alias("t"), of.target.cells().alias("c")])
    found = frame.group_by("t").agg(pl.col("c").n_unique())
    count = int((found["c"] > 1).sum())
    if count:
        yield Finding("D027", "warning", (of.target.name,), {"count": count})


def many_levels(of: Subject) -> Iterator[Finding]:
    for name in names_in(of.config.columns.category):
        if name in of.table and (levels := of.profiles[name].distinct) > MOST_LEVELS:
            yield Finding("D028", "info", (name,), {"levels": levels, "most": MOST_LEVELS})


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


def drift(of: Subject) -> Iterator[Finding]:
    """Targets whose end is unlike their beginning, where time splits."""
    if of.target is None or of.order is None:
        return
    if of.config.task != "forecast" and of.config.split.by != "time":
        return
    order = np.lexsort((of.order,)) if of.config.task == "forecast" else np.argsort(of.order)
    cut = round(0.85 * len(order))
    early, late = order[: round(0.7 * len(order))], order[cut:]
    if not len(early) or not len(late):
        return
    if of.has_classes:
        before, after = of.labels[early], of.labels[late]
        most = int(of.labels.max()) + 1
        shares = [np.bincount(part[part >= 0], minlength=most) for part in (before, after)]
        if min(part.sum() for part in shares) == 0:
            return
        apart = 0.5 * np.abs(shares[0] / shares[0].sum() - shares[1] / shares[1].sum()).sum()
        if apart > 0.25:
            yield Finding("D030", "warning", (of.target.name,), {"change": f"{apart:.0%}"})
    elif of.target.is_number:
        numbers = of.target.numbers()
        first, last = numbers[early], numbers[late]
        first, last = first[~np.isnan(first)], last[~np.isnan(last)]
        if len(first) > _FEW and len(last) > _FEW and first.std() > 0:
            moved = float(abs(last.mean() - first.mean()) / first.std())
            if moved > 1.0:
                numbers_said: dict[str, Any] = {"change": f"{moved:.1f}"}
                yield Finding("D031", "warning", (of.target.name,), numbers_said)


CHECKS: tuple[Check, ...] = (
    *(duplicate_rows, gaps, constant_columns, empty_columns, nested_columns, doubled_stamps),
    *(rows_out_of_order, uneven_steps, future_stamps, copies_of_target, time_tells_class),
    *(rare_classes, target_itself, labels_alike, cells_that_do_not_fit, missing_values),
    *(short_sequences, few_examples, doubled_sequences, many_levels, unit_changes, drift),
)
