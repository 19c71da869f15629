"""The hourly series of the M4 competition: 48 hours of each judge, the 48 before them validate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carousel.data import sources
from carousel.data.source import Source
from carousel.errors import DataError

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.many_series import ManySeries, ManySeriesParts

HORIZON = 48

SOURCE = Source(
    "M4 competition, 414 hourly series of 700 to 960 values, and the 48 that came after each",
    "no licence stated; published for research by the organisers",
    "Makridakis, Spiliotis and Assimakopoulos 2020",
    "https://raw.githubusercontent.com/Mcompetitions/M4-methods/master/Dataset/",
    {
        "Hourly-train.csv": "ea59b7783573c49077a835ab6465c7d66f1474783360f310988a9a737fbca62f",
        "Hourly-test.csv": "71a57fccb15e534d973626ada4fb87febf789e9317715b7cc6dd3b5f90db6f42",
    },
)


def read(config: Config) -> ManySeriesParts:
    """The parts: of each series, its last 48 values of training validate."""
    from carousel.data.many_series import ManySeries, ManySeriesParts

    train = rows_of(sources.text("m4-hourly", "Hourly-train.csv"), "Hourly-train.csv")
    test = rows_of(sources.text("m4-hourly", "Hourly-test.csv"), "Hourly-test.csv")
    series = ManySeries.of([*train], [np.concatenate((train[n], test[n])) for n in train])
    if config.forecast.origin:
        return ManySeriesParts.of(series, config)
    held = np.full(len(series), HORIZON, np.int64)
    return ManySeriesParts.cut(series, held, held, config.forecast.horizon)


def rows_of(text: str, source: str) -> dict[str, NDArray[np.float64]]:
    """Series by name: a line for each, its name and then its values; cells at the end may be
    empty. The first line names the columns. Raises `DataError`."""
    found = {}
    for number, line in enumerate(text.splitlines()[1:], 2):
        name, *cells = (cell.strip().strip('"') for cell in line.split(","))
        while cells and cells[-1] in ("", "NA"):
            cells.pop()
        try:
            found[name] = np.array([float(cell) for cell in cells])
        except ValueError as error:
            raise DataError(f"{source} line {number}: {error}") from None
        if not cells or not np.isfinite(found[name]).all():
            raise DataError(f"{source} line {number}: '{name}' must have numbers, without gaps")
    if not found:
        raise DataError(f"{source} must have a line for each series below a line of names")
    return found


def read_file(text: str, source: str) -> ManySeries:
    """Series in a file like those that were published. Raises `DataError`."""
    from carousel.data.many_series import ManySeries

    found = rows_of(text, source)
    return ManySeries.of([*found], [*found.values()])


READERS = {"forecast_many": {"m4-hourly": read}}
