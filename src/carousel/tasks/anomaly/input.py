"""Series that are handed to a trained detector, with the columns of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from carousel.config import Config
from carousel.data.files.table_watched import series_of
from carousel.data.files.text import read_text, stem_of
from carousel.data.files.watched import files_in, read_watched
from carousel.data.table import read_table
from carousel.data.watched import Watched, filled
from carousel.errors import DataError
from carousel.tasks.shared.own_table import reads_tables, table_in


@dataclass(frozen=True)
class Reader:
    """Reads series as a model was trained on them. columns: those of training."""

    config: Config
    columns: tuple[str, ...]

    def read(self, path: Path) -> list[Watched]:
        """The series in a file, or in those of a folder, as they are."""
        if reads_tables(self.config):
            return series_of(read_table(path, fewest=1), self.config, self.columns)
        label = self.config.anomaly.labels
        files = files_in(path)
        return [read_watched(read_text(file), str(file), stem_of(file), label) for file in files]

    def all_of(self, inputs: Any) -> list[Watched]:
        """Series of what a program hands over, one or a list: a `Watched`, the path of a file, a
        data frame, or values (T, F); a table may hold several. Raises `DataError`."""
        each = inputs if isinstance(inputs, list | tuple) else [inputs]
        return [self.fitted(one) for given in each for one in self._of(given)]

    def fitted(self, one: Watched) -> Watched:
        """A series with the columns of training, in their order. Raises `DataError`."""
        if one.columns == self.columns:
            return one
        missing = [name for name in self.columns if name not in one.columns]
        if missing:
            raise DataError(
                f"{one.name or 'the series'} must have the columns {', '.join(self.columns)}, as "
                f"in training; it lacks {', '.join(missing)}"
            )
        order = [one.columns.index(name) for name in self.columns]
        more = [name for name in one.columns if name not in self.columns]
        note = f"not read: {', '.join(more)}" if more else "columns are taken by name"
        return replace(
            one,
            columns=self.columns,
            values=np.ascontiguousarray(one.values[:, order]),
            missing=None if one.missing is None else one.missing[:, order],
            notes=(*one.notes, note),
        )

    def _of(self, given: Any) -> Sequence[Watched]:
        if isinstance(given, Watched):
            return [given]
        label = self.config.anomaly.labels
        framed = hasattr(given, "columns")
        if reads_tables(self.config) and (framed or isinstance(given, str | Path)):
            return series_of(table_in(given), self.config, self.columns)
        if isinstance(given, str | Path):
            return [read_watched(read_text(given), str(given), Path(given).stem, label)]
        if framed and hasattr(given, "write_csv"):  # polars
            return [read_watched(given.write_csv(), "the data frame", "", label)]
        if framed and hasattr(given, "to_csv"):  # pandas
            # An index of numbers only counts the rows.
            counted = getattr(given.index.dtype, "kind", "O") in "iuf"
            return [read_watched(given.to_csv(index=not counted), "the data frame", "", label)]
        return [self._of_values(given)]

    def _of_values(self, given: Any) -> Watched:
        try:
            values = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.ndim != 2 or values.shape[1] != len(self.columns) or not len(values):
            raise DataError(
                f"a series must be a .csv file, a data frame or numbers of the shape (steps, "
                f"{len(self.columns)}), with the columns {', '.join(self.columns)}; got "
                f"{type(given).__name__} of the shape {values.shape}"
            )
        full, missing = filled(values)
        return Watched("", self.columns, tuple(map(str, range(len(full)))), full, missing)
