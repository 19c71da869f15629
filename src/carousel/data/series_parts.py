"""The parts of a series, as a run remembers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config, ForecastConfig
from carousel.data import sets
from carousel.data.held import Held, completed
from carousel.data.regular import Series
from carousel.data.series import cut
from carousel.data.shares import ends_in_time, fold_of, shares
from carousel.data.stamps import Stamps
from carousel.errors import ConfigError


@dataclass(frozen=True)
class SeriesPart:
    """Rows of a series that are targets in a part: columns, stamps (T,), values (T, F), NaN where
    nothing was measured."""

    columns: tuple[str, ...]
    stamps: Stamps
    values: NDArray[np.floating]
    horizon: int

    @property
    def counts(self) -> dict[str, int]:
        """Windows that share no step to forecast come first: only those tell something each."""
        rows = len(self.stamps)
        return {
            "separate windows": rows // self.horizon,
            "rows": rows,
        }


@dataclass(frozen=True)
class SeriesParts:
    """A series, which rows are targets in each part, and how many steps a window forecasts. held:
    what there is to say of parts that have files of their own."""

    series: Series
    rows: dict[str, range]
    horizon: int
    held: dict[str, Held] = field(default_factory=dict)

    @classmethod
    def of(cls, series: Series, config: ForecastConfig, ends: Sequence[int] = ()) -> SeriesParts:
        """A series cut as `carousel.data.series.cut` says."""
        return cls(series, cut(len(series), config, ends), config.horizon)

    @classmethod
    def own(cls, series: Series, config: Config) -> SeriesParts:
        """A series of one's own: cut by shares or folds; where parts have files, they come later
        (`carousel.data.held`) and all of it trains until then. Raises `ConfigError` for an origin
        beside another way to cut."""
        other = "data.test" if config.data.files else "split.folds" if config.split.folds else ""
        if config.forecast.origin and other:
            raise ConfigError(f"forecast.origin cuts the series, and so does {other}: name one")
        if config.data.files:
            return cls(series, {"train": range(len(series))}, config.forecast.horizon)
        held = shares(config, config.forecast)
        if fold_of(config) is None:
            return cls.of(series, config.forecast)
        return cls.of(series, config.forecast, ends_in_time(len(series), held, least=0))

    @classmethod
    def read(cls, config: Config) -> SeriesParts:
        """Read the series that `data.name` names: a published one, or a custom file, `data.path`.

        Raises `ConfigError` or `DataError`.
        """
        found: SeriesParts = completed(sets.find("forecast", config.data.name)(config), config)
        return found

    def part(self, name: str) -> SeriesPart:
        """ "train", "validation" or "test". The training part has what stands before it, too."""
        rows = self.rows[name]
        first = 0 if name == "train" else rows.start
        inside = slice(first, rows.stop)
        series = self.series
        return SeriesPart(series.columns, series.stamps[inside], series.truth[inside], self.horizon)
