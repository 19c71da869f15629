"""Fine dust and weather of Beijing by the hour: `forecast.validation`, `forecast.test` cut it."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

import numpy as np

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.regular import Series
    from carousel.data.series_parts import SeriesParts

SOURCE = Source(
    "Beijing PM2.5 and weather: 43,824 hours, 2010 to 2014",
    "CC BY 4.0",
    "Liang et al. 2015",
    "https://archive.ics.uci.edu/ml/machine-learning-databases/00381/",
    {
        "PRSA_data_2010.1.1-2014.12.31.csv": (
            "892e9559205d16d32623135c127a3951c12e46ea1e0b3093e107ce89a9fd60e2"
        )
    },
)

_FILE = "PRSA_data_2010.1.1-2014.12.31.csv"
_NUMBERS = ("pm2.5", "DEWP", "TEMP", "PRES", "Iws", "Is", "Ir")
_WINDS = ("NE", "NW", "SE", "cv")


def read(config: Config) -> SeriesParts:
    """The parts, in order of time."""
    from carousel.data.series_parts import SeriesParts

    return SeriesParts.of(_series(sources.text("beijing-pm25", _FILE)), config.forecast)


def _series(text: str) -> Series:
    """pm2.5, NA where it was not measured, the weather, and a column for each direction of wind."""
    from carousel.data.regular import regular

    rows = list(csv.DictReader(io.StringIO(text)))
    stamps = [f"{r['year']}-{r['month']:0>2}-{r['day']:0>2}T{r['hour']:0>2}" for r in rows]
    values = [
        [math.nan if row[name] == "NA" else float(row[name]) for name in _NUMBERS]
        + [float(row["cbwd"] == wind) for wind in _WINDS]
        for row in rows
    ]
    columns = (*_NUMBERS, *(f"wind {wind}" for wind in _WINDS))
    return regular(columns, np.array(stamps, "datetime64[h]"), np.array(values), _FILE)


READERS = {"forecast": {"beijing-pm25": read}}
