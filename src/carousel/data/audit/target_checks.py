"""Checks of an audit on what is to be learnt: target, classes, and what gives them away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.data.audit.finding import Finding
from carousel.data.audit.subject import Subject
from carousel.data.sequences import behind_the_end

_FEWEST, _FEW = 3, 10
_UNEVEN = 0.9


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
    if of.config.task != "classify_recordings" or of.order is None or of.target is None:
        return
    if len(of.rows) < 2 * _FEW:
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
    missing = column.missing + column.odd - _to_come(of)
    if column.kind == "empty" or column.missing + column.odd == p.rows:
        yield Finding("D017", "severe", (column.name,), {})
    elif p.distinct < 2:
        yield Finding("D018", "severe", (column.name,), {"value": str(column.raw.drop_nulls()[0])})
    elif missing:
        severity = "warning" if missing > 0.05 * p.rows else "info"
        numbers = {"count": missing, "share": f"{missing / p.rows:.1%}"}
        yield Finding("D019", severity, (column.name,), numbers)


def _to_come(of: Subject) -> int:
    """Rows of steps to come: behind the last target of each series, with what is known of them."""
    columns = of.config.columns
    if of.target is None or of.order is None or not columns.known or not of.target.is_number:
        return 0
    return len(behind_the_end(of.table, of.ids, columns.time, of.target.name))


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


def contradictions(of: Subject, text: str) -> Iterator[Finding]:
    import polars as pl

    if of.config.task != "classify_text" or of.target is None:
        return
    frame = pl.DataFrame([of.table[text].cells().alias("t"), of.target.cells().alias("c")])
    found = frame.group_by("t").agg(pl.col("c").n_unique())
    count = int((found["c"] > 1).sum())
    if count:
        yield Finding("D027", "warning", (of.target.name,), {"count": count})


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
