"""Exchange rates of eight countries by the day: parts of 60, 20 and 20 %, as usual."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.regular import Series
    from carousel.data.series_parts import SeriesParts

SOURCE = Source(
    "Exchange rates of 8 countries: 7,588 days, 1990 to 2016",
    "no licence stated",
    "Lai et al. 2018",
    "https://raw.githubusercontent.com/laiguokun/multivariate-time-series-data/master/"
    "exchange_rate/",
    {"exchange_rate.txt": "0127465b51e3cd3c360f8eb2be30cfd294689a2a55903eb8245aafc396626c7f"},
    compressed=".gz",
)

#: The order of the countries in the paper.
_COLUMNS = (
    "australia", "britain", "canada", "switzerland", "china", "japan", "new_zealand", "singapore",
)  # fmt: skip


def read(config: Config) -> SeriesParts:
    """The parts, in order of time."""
    from carousel.data.series_parts import SeriesParts

    series = _series(sources.text("exchange-rate", "exchange_rate.txt"))
    count = len(series)
    return SeriesParts.of(series, config.forecast, (int(0.6 * count), int(0.8 * count), count))


def _series(text: str) -> Series:
    """Rates, with a day for each row: the file has no dates, and leaves out some days, so that the
    stamps count from 1990 and say nothing of the week."""
    from carousel.data.regular import regular

    values = np.array([[float(cell) for cell in line.split(",")] for line in text.split()])
    stamps = np.datetime64("1990-01-01") + np.arange(len(values))
    return regular(_COLUMNS, stamps, values, "exchange_rate.txt")


READERS = {"forecast": {"exchange-rate": read}}
