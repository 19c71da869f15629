"""Guess of tables that hold many series in time, one of whose numbers is to be forecast."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from carousel.config.columns import listed
from carousel.data.guessing import LABELS, can_tell, named_as
from carousel.data.guessing_rows import RowFinder
from carousel.data.profiles import Profile
from carousel.data.sequences import behind_the_end, order_key
from carousel.errors import DataError

QUANTITIES = (
    *("sales", "sold", "demand", "quantity", "qty", "units", "orders", "volume", "count", "load"),
    *("visitors", "visits", "consumption", "revenue", "판매량", "수요", "주문량"),
)
_OF_COUNTS = 6
"""Values of counts, at least, where their name does not say that they are."""
_CHANGING = 0.3
"""Share of the steps at which counts change, and states hardly do."""


class SeriesFinder(RowFinder):
    """A guess of what is to be forecast, where an id tells series apart."""

    def _forecast_many(self, p: Profile, other: str) -> None:
        found = self.found
        found.task = "forecast_many"
        count = found.sequences
        why = f"{count:,} series in time by '{self.id}', and the number '{p.name}' to come"
        found.why = f"{why}; {other}"

    def _many_in_time(self, p: Profile) -> bool:
        """True if a number is one of many series in time: at dates, or, with mere counts of steps,
        where there is nothing beside it that it could be found from."""
        if not (self.time and self.id and self.found.sequences > 1):
            return False
        if p.name in self.found.constant or not self._apart:
            return False
        beside = [q for q in self._measured() if q.name != p.name]
        return self.known[self.time].kind == "time" or not beside

    @cached_property
    def _apart(self) -> bool:
        """True if no time stands twice in a series, but in rows all alike."""
        return self._orders(*(self.known[name] for name in self.ids))

    def _tells_too(self, target: Profile) -> str:
        """The id with a column that would tell series apart too, if time stands twice without."""
        if not (self.id and self.time) or self.known[self.time].kind != "time" or self._apart:
            return ""
        ids = [self.known[name] for name in self.ids]
        for p in self._free():
            if can_tell(p) and p.name != target.name and self._orders(*ids, p):
                return listed([*self.ids, p.name])
        return ""

    def _refuse_doubled(self, target: Profile) -> None:
        """Raise `DataError` where the series that are to be forecast have two rows at a time."""
        if not (self.id and self.time) or self._apart:
            return
        also = self._tells_too(target)
        raise DataError(
            f"{self.table.source}: a series has one row for each time, and by '{self.id}' some "
            f"times in '{self.time}' stand twice: "
            + (f"name '{also}' as id" if also else "keep one row for each, such as their sum"),
            "id",
        )

    def _counts_in_time(self, p: Profile) -> bool:
        """True if whole numbers of many series are counts, such as pieces sold, and no classes: by
        the column's name, or as they change far more often than states do."""
        if p.kind != "whole" or p.distinct < 3 or not self._many_in_time(p):
            return False
        if self.known[self.time].kind != "time" or named_as(p.name, LABELS):
            return False
        if named_as(p.name, QUANTITIES):
            return True
        if p.distinct < _OF_COUNTS:
            return False
        order = np.lexsort((order_key(self.table, self.time)[0], self.codes))
        same = np.diff(self.codes[order]) == 0
        changes = np.diff(p.column.numbers()[order])[same] != 0
        return bool(len(changes)) and bool(changes.mean() > _CHANGING)

    def _measured(self) -> list[Profile]:
        """Columns of numbers without a role that change along a sequence."""
        free = [p for p in self._free() if p.kind in ("whole", "number")]
        return [p for p in free if p.name not in self.found.constant]

    def _likely_series(self) -> str:
        """The number to forecast: the one that is named so, or the only one that there is."""
        measured = self._measured()
        named = [p.name for p in measured if named_as(p.name, (*LABELS, *QUANTITIES))]
        return self._only(named) or self._only([p.name for p in measured])

    @staticmethod
    def _only(names: Sequence[str]) -> str:
        return names[0] if len(names) == 1 else ""

    def _set_known(self) -> None:
        """Columns with values in rows that the target has none for, behind the end of each series,
        are known for the steps to come."""
        rows = behind_the_end(self.table, self.codes, self.time, self.target)
        series = len(np.unique(self.codes[rows]))
        if not len(rows) or 2 * series < self.found.sequences:  # else they were not measured
            return
        why = f"stands in the {len(rows):,} rows to come, where '{self.target}' does not"
        for p in self._free():
            if p.name in self.found.constant or p.kind in ("time", "nested", "empty"):
                continue
            if p.column.values[rows].null_count() == 0:
                self._give(p.name, "known", why, "columns.known")
