"""Monthly airline passengers: `forecast.validation` and `forecast.test` cut the parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.series_parts import SeriesParts

SOURCE = Source(
    "International airline passengers: 144 months, 1949 to 1960",
    "no licence stated; textbook series",
    "Box and Jenkins 1976",
    "https://raw.githubusercontent.com/jbrownlee/Datasets/master/",
    {
        "airline-passengers.csv": (
            "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621"
        )
    },
)


def read(config: Config) -> SeriesParts:
    """The parts, in order of time."""
    from carousel.data.files.series import read_series
    from carousel.data.series_parts import SeriesParts

    text = sources.text("air-passengers", "airline-passengers.csv")
    series = read_series(text, "airline-passengers.csv")
    return SeriesParts.of(series, config.forecast)


READERS = {"forecast": {"air-passengers": read}}
