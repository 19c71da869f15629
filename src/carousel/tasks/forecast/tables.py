"""Forecasts and their errors as rows, for tables and JSON alike."""

from __future__ import annotations

from collections.abc import Sequence

from carousel.tasks.shared.digits import digits
from carousel.tasks.shared.task import Table


def mase_note(columns: Sequence[str]) -> str:
    """Why MASE says nothing of some columns."""
    return (
        f"MASE is undefined for {', '.join(columns)}: in the training part the seasonal naive "
        f"forecast has no error to divide by"
    )


def error_table(
    header: tuple[str, str], found: dict[str, float | None], *, together: bool
) -> Table:
    """A table of errors, "-" where nothing was measured; together: they share a unit."""
    known = [error for error in found.values() if error is not None]
    rows = []
    for name, error in found.items():
        pattern = digits(known if together else [error or 0.0])
        rows.append((name, "-" if error is None else format(error, pattern)))
    return Table(header, [*rows])
