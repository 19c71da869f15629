"""Interface of a mapping that forecasts to `carousel.backtest`: windows from given origins.

An origin is the first step of a window, counted in steps to the end of the data: at the origin 24
the window of a horizon of 24 is the last one. So one number means a place in each of many series.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from carousel.errors import ConfigError
from carousel.tasks.shared.task import Task, TrainedModel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """Scale by which errors of each series (S,) are measured, from what was trained on alone.

    std: standard deviation; naive: mean absolute error of the seasonal naive forecast, 0 where MASE
    is undefined.
    """

    std: Array
    naive: Array


@dataclass(frozen=True)
class Truth:
    """Truth of W windows: values (W, K, S), NaN where nothing was measured; times of their
    steps, (W, K), or (W, K, S) where series have times of their own."""

    times: NDArray[np.datetime64]
    values: Array


@dataclass(frozen=True)
class Found:
    """Forecasts of W windows (W, K, S); low and high of their interval, None where there is
    none."""

    forecast: Array
    low: Array | None = None
    high: Array | None = None


class Origins(ABC):
    """Windows of a task's data from given origins; `origins_of` asks a task for it.

    Everything that is fitted is fitted on the parts of the task: the training part, and the
    validation part for the intervals. The caller asks for origins that lie behind them.
    """

    #: Names of what is forecast: columns of one series, or series.
    series: tuple[str, ...]
    #: Steps of a window.
    horizon: int
    #: What a person should know of: what was read, such as values that were filled, and which
    #: baselines were left out.
    notes: tuple[str, ...] = ()

    @property
    @abstractmethod
    def unseen(self) -> int:
        """Steps from the end of what trains and validates to the end of the data."""

    @property
    @abstractmethod
    def scale(self) -> Scale:
        """Scale of the errors, from the training part."""

    @abstractmethod
    def truth(self, origins: Sequence[int]) -> Truth:
        """Truth of the windows."""

    @abstractmethod
    def forecasts(self, trained: TrainedModel, origins: Sequence[int]) -> Found:
        """Forecasts of a trained model."""

    @abstractmethod
    def baselines(self, origins: Sequence[int]) -> dict[str, Found]:
        """Forecasts of the baselines of the task, by name."""


@runtime_checkable
class Forecasts(Protocol):
    """A task that forecasts, and can be asked for windows from given origins."""

    def origins(self) -> Origins: ...


def origins_of(task: Task) -> Origins:
    """Windows of a task's data. Raises `ConfigError` for a task that makes no forecasts."""
    check_forecasts(task.config.task, task)
    assert isinstance(task, Forecasts)
    return task.origins()


def check_forecasts(name: str, task: object) -> None:
    """Raise `ConfigError` unless a task, or its class, has windows from given origins."""
    if not isinstance(task, Forecasts):
        raise ConfigError(
            f"a backtest is of the tasks 'forecast' and 'forecast_many', and this is '{name}': "
            "judge it on its test part, or by cross-validation"
        )


def cut_at(origin: int, judged: int) -> dict[str, Any]:
    """Settings with which all before an origin trains and validates, and the `judged` steps from it
    on are the test part."""
    return {"forecast.origin": origin, "forecast.judged": judged}
