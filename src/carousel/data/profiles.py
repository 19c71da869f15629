"""Facts of each column of a table that its role is guessed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carousel.data.table import Column, Table

SENTENCE_WORDS, SENTENCE_LETTERS = 4, 15
_LOOKED_AT = 2000


@dataclass(frozen=True)
class Profile:
    """Facts of a column. rows: of the table. distinct: values that are not missing.

    runs: stretches of rows of one value. counts: the column rises by one from row to row and begins
    again, as the steps of sequences do; resets: how often it begins again. rises: no row stands
    below the one before. words, letters: of a text, on average. empty: the share that is missing.
    """

    column: Column
    rows: int
    distinct: int
    runs: int
    counts: bool
    resets: int
    rises: bool
    words: float
    letters: float
    empty: float

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def kind(self) -> str:
        return self.column.kind

    @property
    def is_sentence(self) -> bool:
        """True if it holds sentences, most of them different."""
        long = self.words >= SENTENCE_WORDS or self.letters >= SENTENCE_LETTERS
        return self.kind == "text" and long and self.distinct > 0.3 * self.rows

    @property
    def is_number_of_row(self) -> bool:
        """True if it only counts the rows."""
        return self.kind == "whole" and self.counts and not self.resets and self.rows > 2

    @property
    def keeps_to_runs(self) -> bool:
        """True if each value stands in one stretch of rows, as an id of sequences does."""
        return self.runs == self.distinct and not self.column.missing

    def is_class(self, most: int = 100) -> bool:
        """True if its values can be classes: few, and each of them several times."""
        if self.kind == "boolean":
            return self.distinct == 2
        few = 2 <= self.distinct <= min(most, max(2, self.rows // 3))
        return few and (self.kind == "text" or (self.kind == "whole" and self.distinct <= 20))


def profiles(table: Table) -> dict[str, Profile]:
    """The facts of every column by its name."""
    return {column.name: _profile(column, len(table)) for column in table.columns}


def _profile(column: Column, rows: int) -> Profile:
    missing = column.missing + column.odd
    words = letters = 0.0
    if column.kind in ("nested", "empty"):
        return Profile(column, rows, 0, 0, False, 0, False, 0, 0, missing / rows)
    values = column.values if column.stamps is None else column.raw
    distinct = int(values.drop_nulls().n_unique())
    runs = 1 + int((values != values.shift(1)).slice(1).fill_null(False).sum())
    counts, resets, rises = False, 0, False
    if column.stamps is not None:
        steps = np.diff(column.stamps)
        rises = bool((steps >= np.timedelta64(0)).all())
    elif column.kind in ("whole", "number") and rows > 1:
        numbers = column.numbers()
        steps = np.diff(numbers)
        back = steps != 1
        resets = int(back.sum())
        counts = bool((steps[back] < 1).all()) and resets <= 0.5 * rows and distinct > 1
        counts &= column.kind == "whole" and not missing and bool((numbers[1:][back] <= 1).all())
        rises = bool((steps >= 0).all())
    if column.kind == "text":
        import polars as pl

        some = column.values.drop_nulls()
        some = some.gather_every(max(1, len(some) // _LOOKED_AT))
        words = _mean(some.str.split(" ").list.len().cast(pl.Float64))
        letters = _mean(some.str.len_chars().cast(pl.Float64))
    empty = missing / rows
    return Profile(column, rows, distinct, runs, counts, resets, rises, words, letters, empty)


def _mean(values: object) -> float:
    found = values.mean()  # type: ignore[attr-defined]
    return float(found) if found is not None else 0.0
