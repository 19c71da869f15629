"""Features of an imported table: numbers of columns that are gathered row by row, as asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Gathered:
    """Columns side by side: `self[rows]` are their cells (n, F), float64.

    columns: arrays (N,) or (N, k), of which some are maps of files.
    """

    def __init__(self, columns: Sequence[NDArray[np.generic]]) -> None:
        self._columns = columns
        self.shape = (len(columns[0]), sum(1 if c.ndim == 1 else c.shape[1] for c in columns))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        made = np.empty((len(rows), self.shape[1]))
        place = 0
        first = int(rows[0]) if len(rows) else 0
        # Rows that follow each other are one piece of the file.
        whole = bool(len(rows)) and bool((np.diff(rows) == 1).all())
        index: slice | NDArray[np.int64] = slice(first, first + len(rows)) if whole else rows
        for column in self._columns:
            wide = 1 if column.ndim == 1 else column.shape[1]
            made[:, place : place + wide] = column[index].reshape(len(rows), wide)
            place += wide
        return made
