"""A table with its roles, as the checks of an audit look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.config.columns import FORECASTS, STEPS, names_in
from carousel.data.profiles import Profile, profiles
from carousel.data.sequences import Rows, Sequences, ids_of, order_key, sequences_of
from carousel.data.table import Column, Table
from carousel.errors import CarouselError


@dataclass(frozen=True)
class Subject:
    """Subject of an audit. now: seconds since 1970, to know stamps in the future. known:
    the profiles of the columns, where they have been made."""

    table: Table
    config: Config
    now: float
    known: Mapping[str, Profile] | None = None

    @cached_property
    def profiles(self) -> Mapping[str, Profile]:
        return profiles(self.table) if self.known is None else self.known

    @cached_property
    def used(self) -> list[Profile]:
        """The columns that have a role, or are read."""
        ignored = set(names_in(self.config.columns.ignore))
        return [p for p in self.profiles.values() if p.name not in ignored]

    @cached_property
    def inputs(self) -> list[Column]:
        """The columns that a network reads as numbers."""
        columns = self.config.columns
        other = {columns.time, self.config.split.column}
        for role in (columns.id, columns.target, columns.text, columns.file, columns.ignore):
            other.update(names_in(role))
        return [c for c in self.table.columns if c.name not in other]

    @cached_property
    def numbers(self) -> list[Column]:
        """Inputs that are numbers in the table."""
        categories = names_in(self.config.columns.category)
        return [c for c in self.inputs if c.is_number and c.name not in categories]

    @cached_property
    def target(self) -> Column | None:
        """Column that is to be learnt, where it is one column that is there, and of one class."""
        if self.config.columns.separator:
            return None
        names = names_in(self.config.columns.target)
        return self.table[names[0]] if len(names) == 1 and names[0] in self.table else None

    @property
    def has_classes(self) -> bool:
        return self.config.task in (
            "classify_recordings",
            "label_frames",
            "classify_text",
            "label_words",
        )

    @property
    def has_steps(self) -> bool:
        return self.config.task in STEPS

    @cached_property
    def sequences(self) -> Sequences | None:
        """The sequences, None of texts and where they cannot be made."""
        if self.config.task not in (*STEPS, *FORECASTS) or self.config.columns.file:
            return None
        try:
            return sequences_of(self.table, self.config.columns)
        except CarouselError:
            return None

    @cached_property
    def rows(self) -> tuple[Rows, ...]:
        return self.sequences.found if self.sequences is not None else ()

    @cached_property
    def order(self) -> NDArray[np.int64] | None:
        """Order of the rows in time (N,), None where nothing does."""
        time = self.config.columns.time
        if not time or time not in self.table:
            return None
        try:
            return order_key(self.table, time)[0]
        except CarouselError:
            return None

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """The number of each row's sequence (N,)."""
        codes = np.zeros(len(self.table), np.int64)
        names = names_in(self.config.columns.id)
        if names:
            codes = ids_of(self.table, names)[0]
        return codes

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The class of each row (N,), -1 where there is none."""
        assert self.target is not None
        import polars as pl

        cells = self.target.cells()
        names = sorted(set(cells.unique().to_list()) - {""})
        codes = cells.replace_strict(names, range(len(names)), default=-1, return_dtype=pl.Int64)
        return codes.to_numpy().astype(np.int64)

    @cached_property
    def label_of(self) -> NDArray[np.int64]:
        """The class of each sequence that keeps one (n,), -1 of others."""
        return np.array([_only(self.labels[one.rows[one.rows >= 0]]) for one in self.rows])


def _only(labels: NDArray[np.int64]) -> int:
    known = labels[labels >= 0]
    return int(known[0]) if len(known) and (known == known[0]).all() else -1
