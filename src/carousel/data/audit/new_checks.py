"""Checks of a table that a trained model is asked about, against the one it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.config.columns import listed, names_in
from carousel.data.audit.finding import Finding, by_severity
from carousel.data.audit.seen import Seen, SeenColumn
from carousel.data.audit.subject import Subject
from carousel.data.table import Column, Table, is_table, of_frame, read_table
from carousel.data.wide import in_rows

_MANY_OUTSIDE, _MANY_MISSING = 0.01, 0.2
_SHIFTED = 0.25
"""Population stability index from which two distributions count as different, as is usual."""
_ROWS, _SEQUENCES, _PART = 200, 20, 0.2


@dataclass(frozen=True)
class Pair:
    """A new table with its roles, the model's configuration, and what is known of the table that
    was trained on."""

    new: Subject
    config: Config
    seen: Seen

    @property
    def numbers(self) -> Iterator[tuple[Column, SeenColumn, NDArray[np.float64]]]:
        """Columns of numbers that both have, with what is known of them, and their numbers."""
        for name, seen in self.seen.columns.items():
            if seen.low is not None and name in self.new.table:
                column = self.new.table[name]
                if column.is_number:
                    numbers = column.numbers()
                    yield column, seen, numbers[~np.isnan(numbers)]


def missing_columns(of: Pair) -> Iterator[Finding]:
    columns, table = of.config.columns, of.new.table
    if lacking := tuple(name for name in of.seen.columns if name not in table):
        yield Finding("D101", "severe", lacking)
    roles = [name for role in (columns.id, columns.time) for name in names_in(role)]
    if lacking := tuple(name for name in roles if name not in table):
        yield Finding("D102", "info", lacking)


def unseen_categories(of: Pair) -> Iterator[Finding]:
    for name, seen in of.seen.columns.items():
        if not seen.levels or name not in of.new.table:
            continue
        cells = of.new.table[name].cells()
        odd = cells.filter((cells != "") & ~cells.is_in(list(seen.levels)))
        if len(odd):
            numbers = {
                "count": len(odd), "share": f"{len(odd) / len(cells):.1%}",
                "values": odd.n_unique(), "example": odd[0][:40],
            }  # fmt: skip
            yield Finding("D103", "warning", (name,), numbers)


def outside_the_range(of: Pair) -> Iterator[Finding]:
    """Numbers below the lowest or above the highest that training had, and how far, in widths of
    that range."""
    for column, seen, known in of.numbers:
        assert seen.low is not None
        assert seen.high is not None
        below, above = seen.low - known, known - seen.high
        off = np.maximum(below, above)
        count = int((off > 0).sum())
        if not count:
            continue
        width, farthest = seen.high - seen.low, float(off.max())
        share = count / len(known)
        much = share > _MANY_OUTSIDE or farthest > width
        numbers = {
            "count": count, "share": f"{share:.1%}",
            "low": f"{seen.low:.6g}", "high": f"{seen.high:.6g}",
            "farthest": f"{known[off.argmax()]:.6g}",
            "widths": f"{farthest / width:.2g}" if width > 0 else "∞",
        }  # fmt: skip
        yield Finding("D104", "warning" if much else "info", (column.name,), numbers)


def another_step(of: Pair) -> Iterator[Finding]:
    found = of.new.sequences
    if of.seen.step and found is not None and found.step and found.step != of.seen.step:
        numbers = {"now": found.step, "then": of.seen.step}
        yield Finding("D105", "warning", names_in(of.new.config.columns.time), numbers)


def shifted(of: Pair) -> Iterator[Finding]:
    """Numbers that are spread over the deciles of training in another way: the population stability
    index. A few sequences, or a short piece of a series, lie apart by nature: they are not held
    against it."""
    rows = len(of.new.table)
    few = len(of.new.rows) < _SEQUENCES if of.seen.sequences > 1 else rows < _PART * of.seen.rows
    if few or rows < _ROWS:
        return
    for column, seen, known in of.numbers:
        if len(known) < _ROWS or len(set(seen.cuts)) < len(seen.cuts):
            continue  # of few values, deciles fall together
        counts = np.bincount(np.searchsorted(seen.cuts, known, side="left"), minlength=10)
        share = np.maximum(counts / len(known), 1e-4)
        index = float(((share - 0.1) * np.log(share / 0.1)).sum())
        if index > _SHIFTED:
            numbers = {
                "index": f"{index:.2f}", "median": f"{np.median(known):.6g}",
                "then": f"{seen.cuts[4]:.6g}",
            }  # fmt: skip
            yield Finding("D106", "warning", (column.name,), numbers)


def more_missing(of: Pair) -> Iterator[Finding]:
    targets = names_in(of.config.columns.target)  # not known yet of the steps to come
    for name, seen in of.seen.columns.items():
        if name in of.new.table and name not in targets:
            column = of.new.table[name]
            empty = (column.missing + column.odd) / max(1, len(of.new.table))
            if empty > seen.empty + _MANY_MISSING:
                numbers = {"now": f"{empty:.0%}", "then": f"{seen.empty:.0%}"}
                yield Finding("D107", "warning", (name,), numbers)


CHECKS: tuple[Callable[[Pair], Iterator[Finding]], ...] = (
    *(missing_columns, unseen_categories, outside_the_range, another_step, shifted),
    more_missing,
)


def audit_data(data: Any, config: Config, seen: Seen) -> list[Finding]:
    """The findings on a table in a file or a data frame (`audit_new`); none of other things. Raises
    `DataError` for a table that cannot be read."""
    if isinstance(data, str | Path):
        path = Path(data)
        table = read_table(path, fewest=1) if path.is_file() and is_table(path) else None
    else:
        table = of_frame(data, fewest=1) if hasattr(data, "columns") else None
    return [] if table is None else audit_new(table, config, seen)


def audit_new(table: Table, config: Config, seen: Seen) -> list[Finding]:
    """The findings on a table that a trained model is asked about, the severe ones first.

    config: of the model. Columns that the new table lacks have no role in it.
    """
    if config.columns.wide:
        table, config = in_rows(table, config)
    columns = config.columns
    kept: dict[str, Any] = {
        role: listed([name for name in names if name in table])
        for role in ("id", "time", "target", "static", "category", "known", "ignore")
        if (names := names_in(getattr(columns, role))) and not all(name in table for name in names)
    }
    new = replace(config, columns=replace(columns, **kept))
    pair = Pair(Subject(table, new, 0.0), config, seen)
    return by_severity(finding for check in CHECKS for finding in check(pair))
