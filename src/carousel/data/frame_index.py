"""Index of a data frame of pandas, which other frames do not have."""

from __future__ import annotations

from typing import Any


def with_index(frame: Any) -> tuple[Any, tuple[str, ...]]:
    """A data frame of pandas with its index as columns, where that says something: it has a
    name, or is no count of the rows; and a note that says so."""
    index = getattr(frame, "index", None)
    if index is None or not hasattr(frame, "reset_index"):
        return frame, ()
    if all(name is None for name in index.names) and index.dtype.kind in "iuf":
        return frame, ()
    told = frame.reset_index()
    new = told.columns[: len(told.columns) - len(frame.columns)]
    return told, (f"the index is read as {', '.join(map(str, new))}",)
