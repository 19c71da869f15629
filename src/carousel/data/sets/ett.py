"""Electricity transformer temperature ETTh1, in its usual parts of 12, 4 and 4 months."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.series_parts import SeriesParts

SOURCE = Source(
    "Electricity transformer temperature ETTh1: 7 variables, hourly, two years",
    "CC BY-ND 4.0",
    "Zhou et al. 2021",
    "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/",
    {"ETTh1.csv": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"},
)

_MONTH = 30 * 24
_ENDS = (12 * _MONTH, 16 * _MONTH, 20 * _MONTH)


def read(config: Config) -> SeriesParts:
    """The parts, in order of time."""
    from carousel.data.files.series import read_series
    from carousel.data.series_parts import SeriesParts

    series = read_series(sources.text("ett", "ETTh1.csv"), "ETTh1.csv")
    return SeriesParts.of(series, config.forecast, _ENDS)


READERS = {"forecast": {"etth1": read}}
