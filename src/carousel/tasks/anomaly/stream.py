"""A trained detector on live data: one step at a time, with the scores of the whole series."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from carousel.config import AnomalyConfig
from carousel.errors import DataError
from carousel.layers.stream import Stream
from carousel.runtime.alarms import Alarms, Limit
from carousel.runtime.unusual import warm_up
from carousel.tasks.anomaly.errors import Usual
from carousel.tasks.shared.network import evaluating

Array = NDArray[np.float64]


class AnomalyStep(NamedTuple):
    """A step of a stream.

    score: 1 is the threshold; NaN while there is none yet, or where nothing was measured. alarm:
    whether it is one. columns: share of each in the error.
    """

    score: float
    alarm: bool
    columns: dict[str, float]


class AnomalyStream:
    """Scores of a series that is still being measured, step by step.

    They are those of the whole series at once, but for the last bits of products that are summed
    in another order (1e-5 of the score).

    >>> stream = model.stream()                       # doctest: +SKIP
    >>> for row in rows:                              # doctest: +SKIP
    ...     if stream.step(row).alarm: ...
    """

    def __init__(
        self,
        model: nn.Module,
        usual: Usual,
        limit: Limit,
        columns: tuple[str, ...],
        config: AnomalyConfig,
    ) -> None:
        """usual, limit: scale and usual error, and the threshold. Made by
        `TrainedDetector.stream`."""
        self.filled = 0
        self._cold = warm_up(config)
        self._model, self._usual = model, usual
        self._columns, self._config = columns, config
        self._last: Array | None = None
        self._alarms = Alarms(limit, config.smooth, config.follow)
        forecasting = config.error == "forecast"
        self._stream = Stream(model) if forecasting else None
        kept = config.horizon if forecasting else config.window
        self._kept: deque[Array] = deque(maxlen=kept)  # forecasts (K, F), or scaled rows (F,)
        self._gaps: deque[NDArray[np.bool_]] = deque(maxlen=kept)

    def step(self, row: ArrayLike) -> AnomalyStep:
        """Score of the next step. row (F,): the columns of training, in their order, unscaled; a
        NaN is read as the value before (0 after scaling, if there was none) and counted in
        `filled`. Raises `DataError` for a row of another length."""
        values = np.asarray(row, dtype=np.float64).reshape(-1)
        if len(values) != len(self._columns):
            raise DataError(
                f"a step must have {len(self._columns)} numbers ({', '.join(self._columns)}), this "
                f"one has {len(values)}"
            )
        missing = ~np.isfinite(values)
        self.filled += int(missing.sum())
        before = self._usual.scaler.mean.numpy() if self._last is None else self._last
        values = np.where(missing, before, values)
        self._last = values
        scaled = self._usual.scaler(torch.from_numpy(values))
        errors = (
            self._reconstructed(scaled, missing)
            if self._stream is None
            else self._forecast(scaled, missing)
        )
        self._cold = max(0, self._cold - 1)
        if errors is None:
            return AnomalyStep(math.nan, False, {})
        (raw,), (share,) = self._usual.judge(errors[None])
        score, alarm = self._alarms.step(float(raw))
        ranked = dict(zip(self._columns, share.tolist(), strict=True))
        return AnomalyStep(score, alarm, ranked)

    def _forecast(self, scaled: torch.Tensor, missing: NDArray[np.bool_]) -> Array | None:
        assert self._stream is not None
        found: Array | None = None
        if not self._cold:
            made = [self._kept[-1 - k][k] for k in range(len(self._kept))]
            found = scaled.double().numpy() - np.stack(made)
            found[:, missing] = np.nan
        with evaluating(self._model):
            out = self._stream.step(scaled.unsqueeze(0))
        self._kept.append(out.reshape(-1, len(self._columns)).double().numpy())
        return found

    def _reconstructed(self, scaled: torch.Tensor, missing: NDArray[np.bool_]) -> Array | None:
        self._kept.append(scaled.numpy())
        self._gaps.append(missing)
        if len(self._kept) < self._config.window:
            return None
        x = torch.from_numpy(np.stack(list(self._kept)))
        with evaluating(self._model):
            off = (x - self._model(x.unsqueeze(0))[0]).double().numpy()
        off[np.stack(list(self._gaps))] = np.nan
        last = min(self._config.horizon, self._config.window)
        newest: Array = off[-last:][::-1]
        return newest
