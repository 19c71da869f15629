"""Statistics of the table that a model was trained on: what a new one is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from carousel.config.columns import FORECASTS, names_in
from carousel.data.audit.subject import Subject
from carousel.data.table import Column

_CUTS = np.arange(1, 10) / 10
_MOST_LEVELS = 1000
_LOOKED_AT = 200_000


@dataclass(frozen=True)
class SeenColumn:
    """A column of inputs. low, high, cuts: of numbers, the range and the nine deciles; levels: of
    a category, its values, where there are at most 1,000. empty: the share that is missing."""

    empty: float
    low: float | None = None
    high: float | None = None
    cuts: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """A table that was trained on, all parts of it: rows, sequences, the step between rows in words
    ("" where it is not even), and its input columns by name."""

    rows: int
    sequences: int
    step: str
    columns: Mapping[str, SeenColumn]

    @classmethod
    def of(cls, subject: Subject) -> Seen:
        """Statistics of a table with its roles."""
        categories = names_in(subject.config.columns.category)
        found, inputs = subject.sequences, list(subject.inputs)
        if subject.config.task in FORECASTS:  # what is to come is read as far as it is known
            targets = names_in(subject.config.columns.target)
            inputs += [subject.table[name] for name in targets if name in subject.table]
        columns = {
            column.name: _category(column) if column.name in categories else _number(column)
            for column in inputs
            if column.name in categories or column.is_number
        }
        step = found.step if found is not None else ""
        return cls(len(subject.table), len(subject.rows), step, columns)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Seen:
        """Statistics that `to_json` wrote down."""
        columns = {
            name: SeenColumn(
                float(each["empty"]), each.get("low"), each.get("high"),
                tuple(each.get("cuts", ())), tuple(each.get("levels", ())),
            )
            for name, each in values["columns"].items()
        }  # fmt: skip
        return cls(int(values["rows"]), int(values["sequences"]), str(values["step"]), columns)

    def to_json(self) -> dict[str, Any]:
        """The statistics as JSON can hold them."""
        columns = {
            name: {key: value for key, value in asdict(each).items() if value not in (None, ())}
            for name, each in self.columns.items()
        }
        return {
            "rows": self.rows,
            "sequences": self.sequences,
            "step": self.step,
            "columns": columns,
        }


def _number(column: Column) -> SeenColumn:
    numbers = column.numbers()
    known = numbers[~np.isnan(numbers)]
    empty = 1 - len(known) / max(1, len(numbers))
    if not len(known):
        return SeenColumn(empty)
    some = known[:: max(1, len(known) // _LOOKED_AT)]
    cuts = tuple(np.quantile(some, _CUTS).tolist())
    return SeenColumn(empty, float(known.min()), float(known.max()), cuts)


def _category(column: Column) -> SeenColumn:
    cells = column.cells()
    empty = int((cells == "").sum()) / max(1, len(cells))
    levels = sorted(set(cells.unique().to_list()) - {""})
    return SeenColumn(empty, levels=tuple(levels) if len(levels) <= _MOST_LEVELS else ())
