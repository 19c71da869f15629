"""Errors of a network on a series, and one number from them that says how unusual a step is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import AnomalyConfig
from carousel.data.scaling import FeatureScaler
from carousel.data.watched import Watched
from carousel.errors import DataError
from carousel.runtime.unusual import judge, warm_up
from carousel.tasks.shared.network import evaluating

Array = NDArray[np.float64]
_AT_ONCE = 512  # windows
#: Standard deviation, on the scaled series, below which an error is not taken to be usual: a column
#: that never changed may still be off by rounding.
_LEAST = 1e-3


def forecast_errors(scaled: Array, out: Array, cold: int = 0) -> Array:
    """Errors (T, K, F) of the forecasts of each step that were made 1, …, K steps before; NaN in
    the first K, or `cold`, steps. scaled (T, F); out (T, K, F): the forecasts made at each step.

    >>> forecast_errors(np.array([[1.0], [3.0]]), np.array([[[2.0]], [[0.0]]]))[:, 0, 0]
    array([nan,  1.])
    """
    steps, horizon = out.shape[:2]
    errors = np.full(out.shape, np.nan)
    for k in range(horizon):
        errors[k + 1 :, k] = scaled[k + 1 :] - out[: max(0, steps - k - 1), k]
    errors[: max(horizon, cold)] = np.nan
    return errors


def network_errors(
    model: nn.Module, scaled: Tensor, missing: NDArray[np.bool_] | None, config: AnomalyConfig
) -> Array:
    """Errors (T, K, F) of each step of a series, as `errors_of` has them, of what the network says.

    scaled (T, F): as the network reads it.
    """
    with evaluating(model) as device:
        if config.error == "forecast":
            out = model(scaled.unsqueeze(0).to(device))[0].cpu()
        else:
            last = min(config.horizon, config.window)
            windows = windows_of(scaled, config.window)
            out = windows[:, -last:].clone()
            for first in range(0, len(windows), _AT_ONCE):
                x = windows[first : first + _AT_ONCE].contiguous().to(device)
                out[first : first + len(x)] = model(x)[:, -last:].cpu()
    return errors_of(out, scaled, missing, config)


def errors_of(
    out: Tensor, scaled: Tensor, missing: NDArray[np.bool_] | None, config: AnomalyConfig
) -> Array:
    """Errors (T, K, F) of each step of a series; NaN where there is none.

    out: what the network said of scaled (T, F): forecasts (T, K, F), or the last steps of each of
    its windows (N, K or more, F). missing (T, F): values that were filled in, whose error says
    nothing. There is none in the first steps (`warm_up`).
    """
    if config.error == "forecast":
        wide, told = scaled.double().numpy(), out.double().numpy()
        errors = forecast_errors(wide, told, warm_up(config))
        if missing is not None:
            errors[np.repeat(missing[:, None], errors.shape[1], 1)] = np.nan
        return errors
    last = min(config.horizon, config.window)
    errors = np.full((len(scaled), last, scaled.size(1)), np.nan)
    windows = windows_of(scaled, config.window)
    off = (windows[:, -last:] - out[:, -last:]).flip(1)  # the newest first
    errors[len(errors) - len(off) :] = off.double().numpy()
    if missing is not None:
        for k in range(last):
            errors[k:, k][missing[: len(missing) - k]] = np.nan
    return errors


def windows_of(scaled: Tensor, length: int) -> Tensor:
    """Every window (T - L + 1, L, F) of a series (T, F); none of a shorter one."""
    if len(scaled) < length:
        return scaled.new_empty(0, length, scaled.size(1))
    return scaled.unfold(0, length, 1).transpose(1, 2)


@dataclass(frozen=True)
class Usual:
    """Scale of a series and its usual error, from its training part alone.

    mean, std (D,): of the errors of a step, D = K F, the newest first. precision (D, D): the
    inverse of their covariance; None where each column is looked at by itself.
    """

    scaler: FeatureScaler
    mean: Array
    std: Array
    precision: Array | None

    @classmethod
    def fit(cls, scaler: FeatureScaler, errors: Array, score: str, name: str) -> Usual:
        """errors (N, K, F), of the training part; rows that are not complete count for nothing.

        The covariance is shrunk (Ledoit and Wolf 2004), as there may be few rows. Raises
        `DataError` if there are fewer than 2 complete rows.
        """
        rows = errors.reshape(len(errors), -1)
        rows = rows[~np.isnan(rows).any(1)]
        if len(rows) < 2:
            raise DataError(
                f"{name}: its training part has {len(rows)} steps with a whole error, and at least "
                f"2 must say what is usual: it is too short, or full of missing values"
            )
        std = np.maximum(rows.std(0), _LEAST)
        precision = None
        if score == "mahalanobis":
            from sklearn.covariance import ledoit_wolf  # slow to import

            covariance, _ = ledoit_wolf(rows / std)  # each part alike before it is shrunk
            covariance += _LEAST * np.eye(len(covariance))
            precision = np.linalg.inv(covariance)
        return cls(scaler, rows.mean(0), std, precision)

    @classmethod
    def restore(cls, facts: dict[str, Any]) -> Usual:
        """Rebuild from `facts`."""
        precision = facts["precision"]
        return cls(
            FeatureScaler.restore(facts["scaler"]),
            np.array(facts["mean"]),
            np.array(facts["std"]),
            None if precision is None else np.array(precision),
        )

    def facts(self) -> dict[str, Any]:
        """Everything that `restore` needs, as JSON can hold it."""
        return {
            "scaler": self.scaler.facts(),
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
            "precision": None if self.precision is None else self.precision.tolist(),
        }

    def judge(self, errors: Array) -> tuple[Array, Array]:
        """Score of each step (T,), NaN where nothing was measured, and the share of each column
        in its error (T, F). errors (T, K, F). See `carousel.runtime.unusual.judge`."""
        return judge(errors, self.mean, self.std, self.precision)


def scaler_of(series: list[Watched]) -> FeatureScaler:
    """Scaler of the training rows of series; a column without a number there stays 0."""
    values = np.concatenate([one.values[one.rows("train")] for one in series])
    measured = np.concatenate([one.measured[one.rows("train")] for one in series])
    measured[0, ~measured.any(0)] = True  # filled with 0
    return FeatureScaler.fit(torch.from_numpy(values), torch.from_numpy(measured))
