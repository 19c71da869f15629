"""Guess of a table: what it holds, and which columns order its rows and tell sequences apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from carousel.config.columns import listed
from carousel.data.counting import counted
from carousel.data.profiles import Profile
from carousel.data.sequences import ids_of
from carousel.data.several import separator_of
from carousel.data.table import Table
from carousel.data.wide import Block
from carousel.errors import DataError

_LEAST_STEPS = 4  # of a sequence, on average, that two columns together tell apart
_TRIED = 6  # columns, of which two together may tell sequences apart
_IDS = ("id", "uid", "uuid", "unit", "series", "sequence", "session", "recording", "unique_id")
LABELS = ("label", "class", "target", "y", "tag", "category", "sentiment", "state", "outcome")
TIMES = (
    *("time", "timestamp", "date", "datetime", "ts", "when", "stamp", "t", "step", "tick", "cycle"),
    *("frame", "zeit", "datum", "시간", "날짜", "일시", "시각"),
)


@dataclass(frozen=True)
class Role:
    """Purpose of a column, why, and the argument or setting that says otherwise."""

    role: str
    why: str
    change: str = ""


@dataclass
class Guess:
    """The role of every column, the task, and the split, with the reason of each.

    separator: between several labels in a cell of the target. sequences: how many there are.
    constant: columns that keep one value through each sequence. profiles: facts of every column.
    wide: the columns that are steps, as `columns.wide` has them.
    """

    task: str = ""
    why: str = ""
    roles: dict[str, Role] = field(default_factory=dict)
    split: str = "sequence"
    split_column: str = ""
    split_why: str = ""
    gap: str = "fill"
    separator: str = ""
    sequences: int = 1
    constant: frozenset[str] = frozenset()
    wide: tuple[Block, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    def named(self, role: str) -> list[str]:
        """The columns of a role, in the table's order."""
        return [name for name, found in self.roles.items() if found.role == role]


class Finder:
    """A guess on its way: what has a role, and the search for time and id."""

    def __init__(
        self,
        table: Table,
        known: Mapping[str, Profile],
        targets: Sequence[str],
        ids: Sequence[str],
        time: str,
        task: str,
    ) -> None:
        self.table, self.known, self.task = table, known, task
        self.target, *self.more_targets = targets or ("",)
        self.ids, self.time = [*ids], time
        self.found = Guess(profiles=known)
        self.codes: NDArray[np.int64] = np.zeros(len(table), np.int64)

    @property
    def id(self) -> str:
        """Column or columns that tell sequences apart, as `columns.id` names them; or ""."""
        return listed(self.ids)

    def _ask_ids(self) -> None:
        for name in self.ids:
            self._give(name, "id", "as asked", "id")

    def _give(self, name: str, role: str, why: str, change: str = "") -> None:
        self.found.roles[name] = Role(role, why, change)

    def _free(self) -> list[Profile]:
        return [p for p in self.known.values() if p.name not in self.found.roles]

    def _targets(self) -> list[Profile]:
        return [self.known[name] for name in (self.target, *self.more_targets)]

    def _find_labels(self, target: str) -> None:
        """Several labels of each example: columns of 0 and 1, or several in a cell."""
        if self.more_targets:
            self.found.why = f"{1 + len(self.more_targets)} columns of 0 and 1 are labels"
        elif mark := separator_of(self.known[target].column):
            self.found.separator = mark
            self.found.why = f"cells of '{target}' hold several labels, with '{mark}' between"

    def _refuse_many(self) -> NoReturn:
        raise DataError(
            f"a forecast reads one series, and {self.table.source} has {self.found.sequences:,} by "
            f"'{self.id}': ask for the task 'forecast_many', which forecasts all of them by one "
            "network, or write the rows of one of them to a table of their own"
        )

    def _find_time(self) -> None:
        if self.time:
            self._give(self.time, "time", "as asked", "time")
            return
        free = [p for p in self._free() if p.name not in (self.target, *self.ids)]
        stamps = [p for p in free if p.kind == "time" and not p.column.missing]
        if stamps:
            best = max(stamps, key=lambda p: p.distinct)
            self._set_time(best.name, f"time stamps such as {best.column.raw[0]}")
            return
        for p in free:
            named = named_as(p.name, TIMES) and p.kind in ("whole", "number")
            if named and not p.column.missing and (p.counts or p.rises or is_clock(p)):
                self._set_time(p.name, "by its name, and its numbers rise")
                return
        # 0 and 1 in turn count up and begin again, too.
        counting = [p for p in free if p.counts and p.resets and not named_as(p.name, LABELS)]
        if counting:
            best = max(counting, key=lambda p: -p.resets)
            self._set_time(best.name, f"counts up by one and begins again {best.resets:,} times")

    def _set_time(self, name: str, why: str) -> None:
        self.time = name
        self._give(name, "time", why, "time")

    def _find_id(self) -> None:
        if self.ids:
            self._ask_ids()
            return
        free = [p for p in self._free() if p.name != self.target]
        can = [p for p in free if can_tell(p)]
        named = [p for p in can if named_as(p.name, _IDS)]
        timed = self.known[self.time] if self.time else None
        if timed is not None and timed.counts and timed.resets:
            exact = [p for p in can if p.keeps_to_runs and p.runs == timed.resets + 1]
            glued = [p for p in can if p.runs == timed.resets + 1 and 4 * p.distinct >= p.runs > 8]
            can = exact or [p for p in can if p.keeps_to_runs] or glued
            why = f"changes where '{self.time}' begins again"
        elif timed is not None and self._single(timed):
            can = [p for p in can if p.keeps_to_runs and (p.kind == "text" or p in named)]
            why = "each value stands in one stretch of rows"
        elif timed is not None and timed.distinct == timed.rows:  # in whatever order they stand
            can = [p for p in can if p in named or (p.keeps_to_runs and p.kind == "text")]
            why = f"with it, no time in '{self.time}' stands twice"
        elif timed is not None:
            can = [p for p in can if self._orders(p)]
            why = f"with it, no time in '{self.time}' stands twice"
        else:
            can = [p for p in can if p.keeps_to_runs and p.rows / p.distinct >= 2]
            why = "each value stands in one stretch of rows"
        best = self._best_id(can, named)
        if best is not None:
            self.ids = [best.name]
            self._give(best.name, "id", f"{best.distinct:,} values; {why}", "id")
        elif timed is not None and timed.kind == "time" and self._is_measured():
            twice = timed.distinct < timed.rows and not self._single(timed)
            self._find_pair([p for p in free if can_tell(p) and twice])

    def _best_id(self, can: Sequence[Profile], named: Sequence[Profile]) -> Profile | None:
        wanted = [p for p in can if p in named] or list(can)
        if not wanted:
            return None
        contiguous = [p for p in wanted if p.keeps_to_runs]
        if contiguous:
            return max(contiguous, key=lambda p: p.distinct)
        return min(wanted, key=lambda p: p.distinct)

    def _single(self, timed: Profile) -> bool:
        """True if all times differ and rise: the rows are one sequence, as far as time tells. Times
        that stand twice in rows that are alike in every column do not differ less."""
        if timed.distinct == timed.rows:
            return timed.rises
        return self._unlike < timed.rows and timed.distinct == self._unlike

    @cached_property
    def _unlike(self) -> int:
        """Rows of the table that differ: a row that stands twice counts once."""
        import polars as pl

        return pl.DataFrame([c.raw.alias(c.name) for c in self.table.columns]).n_unique()

    def _is_measured(self) -> bool:
        """True if the target is a number, and no class."""
        p = self.known.get(self.target)
        return p is not None and p.column.is_number and not p.is_class()

    def _find_pair(self, can: Sequence[Profile]) -> None:
        """Two columns, such as shop and product, that together tell the sequences apart."""
        few = sorted(can, key=lambda p: (p.kind != "text", p.distinct))[:_TRIED]
        for one, other in combinations(
            sorted(few, key=lambda p: self.table.names.index(p.name)), 2
        ):
            count = len(ids_of(self.table, [one.name, other.name])[1])
            if _LEAST_STEPS * count <= len(self.table) and self._orders(one, other):
                self.ids = [one.name, other.name]
                why = f"with both, no time in '{self.time}' stands twice"
                for p in (one, other):
                    self._give(p.name, "id", f"{p.distinct:,} values; {why}", "id")
                return

    def _orders(self, *some: Profile) -> bool:
        """True if no time stands twice with one value of the columns, but in rows all alike."""
        import polars as pl

        cells = [p.column.raw.alias(str(n)) for n, p in enumerate(some)]
        pairs = pl.DataFrame([*cells, self.table[self.time].raw.alias("time")]).n_unique()
        return pairs >= 0.999 * len(self.table) or pairs >= 0.999 * self._unlike

    def _count_sequences(self) -> None:
        if not self.ids:
            return
        import polars as pl

        self.codes, names = ids_of(self.table, self.ids)
        self.found.sequences = len(names)
        codes = pl.Series(self.codes)
        free = [*self._free(), *(self.known[name] for name in self.more_targets)]
        inside = [p for p in free if p.kind not in ("nested", "empty", "time")]
        frame = pl.DataFrame(
            [codes.alias("\0id"), *(p.column.values.alias(p.name) for p in inside)]
        )
        grouped = frame.group_by("\0id").agg(pl.all().drop_nulls().n_unique())
        self.found.constant = frozenset(
            p.name
            for p in inside
            if int(grouped[p.name].max() or 0) <= 1  # type: ignore[arg-type]
        )


def can_tell(p: Profile) -> bool:
    """True if a column may tell sequences apart."""
    some = p.kind in ("text", "whole") and 2 <= p.distinct <= p.rows / 2
    return some and not p.column.missing


def named_as(name: str, known: Sequence[str]) -> bool:
    plain = name.strip().casefold()
    return plain in known or any(plain.endswith(f"_{word}") for word in known if len(word) > 1)


def names_files(p: Profile, folder: Path, suffixes: Sequence[str], least: float = 1.0) -> bool:
    """True if every cell of a column names a file of its own, of certain suffixes, and at least a
    share of those are in a folder."""
    names = p.column.texts()
    if p.distinct < len(names) or not all(n.lower().endswith(tuple(suffixes)) for n in names):
        return False
    there = sum((folder / name).is_file() for name in names)
    return there >= least * len(names)


def is_flag(p: Profile) -> bool:
    """True if a column holds nothing but 0 and 1."""
    if not p.column.is_number or p.column.missing:
        return False
    return bool(np.isin(p.column.numbers(), (0.0, 1.0)).all())


def is_copy(p: Profile, other: Profile) -> bool:
    """True if two columns have the same cells."""
    like = (p.distinct, p.runs) == (other.distinct, other.runs) and p.kind != "nested"
    return like and bool((p.column.cells() == other.column.cells()).all())


def is_clock(p: Profile) -> bool:
    try:
        p.column.times()
    except DataError:
        return False
    return True


def words_of(p: Profile) -> str:
    """Content of a column, in a few words."""
    missing = f"; {p.empty:.1%} missing" if p.empty else ""
    if p.kind == "boolean":
        return f"yes or no{missing}"
    if p.kind == "text" or (p.kind == "whole" and p.distinct <= 20):
        return f"{counted(p.distinct, 'values')}{missing}"
    known = p.column.numbers()
    return f"{np.nanmin(known):.6g} to {np.nanmax(known):.6g}{missing}"
