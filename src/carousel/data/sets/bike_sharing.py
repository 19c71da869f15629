"""Bike sharing by the hour: `forecast.validation` and `forecast.test` cut the parts."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.regular import Series
    from carousel.data.series_parts import SeriesParts

SOURCE = Source(
    "Bike sharing in Washington: 17,379 hours, 2011 to 2012",
    "CC BY 4.0",
    "Fanaee-T and Gama 2014",
    "https://archive.ics.uci.edu/ml/machine-learning-databases/00275/",
    archives=("Bike-Sharing-Dataset.zip",),
    packed={"hour.csv": "e03de4ee4ef4dc376ac6e04bf829673c6269e8eba5c60fa121640fa2f829504f"},
)


def read(config: Config) -> SeriesParts:
    """The parts, in order of time."""
    from carousel.data.series_parts import SeriesParts

    series = _series(sources.text("bike-sharing", "hour.csv"))
    return SeriesParts.of(series, config.forecast)


def _series(text: str) -> Series:
    """cnt, and what may be known of the hour; casual and registered add up to cnt: left out."""
    from carousel.data.regular import regular

    rows = list(csv.DictReader(io.StringIO(text)))
    columns = ("cnt", "holiday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed")
    stamps = np.array([f"{row['dteday']}T{int(row['hr']):02}" for row in rows], "datetime64[h]")
    values = np.array([[float(row[column]) for column in columns] for row in rows])
    return regular(columns, stamps, values, "hour.csv")


READERS = {"forecast": {"bike": read}}
