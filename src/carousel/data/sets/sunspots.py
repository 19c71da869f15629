"""Monthly mean sunspot numbers: `forecast.validation` and `forecast.test` cut the parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.series_parts import SeriesParts

SOURCE = Source(
    "Monthly mean sunspot numbers, Zurich: 2,820 months, 1749 to 1983",
    "old series published in Andrews and Herzberg 1985; current one CC BY-NC 4.0",
    "Andrews and Herzberg 1985",
    "https://raw.githubusercontent.com/jbrownlee/Datasets/master/",
    {"monthly-sunspots.csv": ("c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3")},
)


def read(config: Config) -> SeriesParts:
    """The parts, in order of time."""
    from carousel.data.files.series import read_series
    from carousel.data.series_parts import SeriesParts

    series = read_series(sources.text("sunspots", "monthly-sunspots.csv"), "monthly-sunspots.csv")
    return SeriesParts.of(series, config.forecast)


READERS = {"forecast": {"sunspots": read}}
