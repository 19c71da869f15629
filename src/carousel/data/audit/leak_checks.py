"""Checks of an audit on columns that give the target away, as tasks look for them in training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from carousel.data.audit.finding import Finding
from carousel.data.audit.subject import Subject
from carousel.data.audit.target_checks import copies_of_target
from carousel.data.telling import tells_class, tells_number

_LOOKED_AT = 100_000
_CODES = {"by value": ("D012", "severe"), "scaled": ("D012", "severe"),
          "by range": ("D040", "warning"), "in its order": ("D040", "warning")}  # fmt: skip


def columns_that_tell(of: Subject) -> Iterator[Finding]:
    """Columns that are the target, name it one to one, or tell it by value, range or order."""
    known = [*copies_of_target(of)]
    yield from known
    if of.target is None or not of.has_steps or not of.rows:
        return
    told = {name for finding in known for name in finding.columns}
    numbers = [column for column in of.numbers if column.name not in told]
    if of.has_classes:
        found = _of_classes(of, {c.name: c.numbers() for c in numbers})
    elif of.target.is_number:
        found = _of_numbers(of, {c.name: c.numbers() for c in numbers})
    else:
        return
    for name, how in found:
        code, severity = _CODES[how]
        yield Finding(code, severity, (name,), {"target": of.target.name})


Columns = dict[str, NDArray[np.float64]]


def _of_classes(of: Subject, columns: Columns) -> Iterator[tuple[str, str]]:
    rows, starts = _rows_of(of)
    labels = of.labels[rows]
    by_sequence = of.config.task == "classify_recordings"
    if by_sequence:
        whole = of.label_of
        labels = np.repeat(whole, np.diff([*starts, len(rows)]))
        counted = whole
    else:  # steps next to each other are alike: what counts is how often a label begins
        begins = np.ones(len(rows), bool)
        begins[1:] = labels[1:] != labels[:-1]
        begins[starts] = True
        counted = labels[begins]
    units = np.bincount(counted[counted >= 0], minlength=int(of.labels.max()) + 1)
    for name, numbers in columns.items():
        values = numbers[rows]
        first = values[starts]
        kept = by_sequence and bool(
            (values == np.repeat(first, np.diff([*starts, len(rows)]))).all()
        )
        column, classes = (first, counted) if kept else (values, labels)
        some = _some((classes >= 0) & ~np.isnan(column))
        by_value = kept or not by_sequence
        how = tells_class(column[some], classes[some], units, len(columns), by_value)
        if how:
            yield name, how


def _of_numbers(of: Subject, columns: Columns) -> Iterator[tuple[str, str]]:
    assert of.target is not None
    rows, starts = _rows_of(of)
    wanted = of.target.numbers()[rows]
    lengths = np.diff([*starts, len(rows)])
    whole = of.config.regress.per == "sequence" or (
        of.config.regress.per == "auto"
        and bool(of.config.columns.id)
        and bool((wanted == np.repeat(wanted[starts], lengths)).all())
    )
    for name, numbers in columns.items():
        values, truth = numbers[rows], wanted
        if whole:
            if not (values == np.repeat(values[starts], lengths)).all():
                continue
            values, truth = values[starts], wanted[starts]
        some = _some(~np.isnan(values) & ~np.isnan(truth))
        if how := tells_number(values[some], truth[some]):
            yield name, how


def _rows_of(of: Subject) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of all sequences, one after the other, and where each of them starts."""
    parts = [one.rows[one.rows >= 0] for one in of.rows]
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    return np.concatenate(parts), starts


def _some(inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Numbers of about so many rows that are inside (fewer than twice), evenly spread."""
    rows = np.flatnonzero(inside)
    return rows[:: max(1, len(rows) // _LOOKED_AT)]
