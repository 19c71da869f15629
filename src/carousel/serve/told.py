"""Answers of forecasters and detectors as JSON can hold them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.runtime.forecast import Forecaster
from carousel.runtime.rolling import ForecasterStreams


class ForecastAnswers:
    """Forecasts, a row for each step to come, as `carousel predict` has them in JSON."""

    kind = "forecast"

    def __init__(self, forecaster: Forecaster, streams: ForecasterStreams) -> None:
        self._forecaster, self.names = forecaster, streams.names
        self._intervals = forecaster.settings.distribution != "none"

    def told(self, rows: NDArray[Any]) -> list[dict[str, Any]]:
        """An object for each row of answers (T, C): "forecast" is null until a window is whole;
        "wanting" says how many steps that takes."""
        return [self._one(row) for row in rows]

    def _one(self, row: NDArray[Any]) -> dict[str, Any]:
        if row[-1] > 0:
            return {"forecast": None, "wanting": int(row[-1])}
        horizon, names = self._forecaster.settings.horizon, self._forecaster.names
        low, middle, high = row[:-2].reshape(3, horizon, len(names)).tolist()
        times = self._times(float(row[-2]), horizon)
        found = []
        for step in range(horizon):
            told: dict[str, Any] = {} if times is None else {"time": times[step]}
            told |= zip(names, middle[step], strict=True)
            if self._intervals:
                ends = zip(names, low[step], high[step], strict=True)
                told["interval"] = {name: [a, b] for name, a, b in ends}
            found.append(told)
        return {"forecast": found}

    def _times(self, seconds: float, horizon: int) -> list[str] | None:
        clock = self._forecaster.clock
        if clock is None or math.isnan(seconds):
            return None
        last = int(clock.count(np.float64(seconds)))
        return [clock.text(last + k * clock.step) for k in range(1, horizon + 1)]


class AnomalyAnswers:
    """Scores, alarms, and which column is to blame."""

    kind = "anomaly"

    def __init__(self, names: tuple[str, ...], columns: tuple[str, ...]) -> None:
        self.names, self._columns = names, columns

    def told(self, rows: NDArray[Any]) -> list[dict[str, Any]]:
        """An object for each row of answers (T, C).

        >>> answers = AnomalyAnswers((), ("flow", "heat"))
        >>> answers.told(np.array([[np.nan, 0, 0, 0, 1], [2.5, 1, 0.75, 0.25, 0]]))
        [{'score': None, 'anomaly': False, 'wanting': 1}, \
{'score': 2.5, 'anomaly': True, 'columns': {'flow': 0.75, 'heat': 0.25}}]
        """
        return [self._one(row) for row in rows.tolist()]

    def _one(self, row: list[float]) -> dict[str, Any]:
        score, alarm, *shares, wanting = row
        if math.isnan(score):
            more = {"wanting": int(wanting)} if wanting else {}
            return {"score": None, "anomaly": False, **more}
        columns = dict(zip(self._columns, shares, strict=True))
        return {"score": score, "anomaly": bool(alarm), "columns": columns}
