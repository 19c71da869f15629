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
    """Errors (T, K, F) of each step of a series; NaN where there is none.

    scaled (T, F): as the network reads it. missing (T, F): values that were filled in, whose error
    says nothing. There is none in the first steps (`warm_up`).
    """
    wide = scaled.double().numpy()
    with evaluating(model) as device:
        if config.error == "forecast":
            out = model(scaled.unsqueeze(0).to(device))[0].double().cpu().numpy()
            errors = forecast_errors(wide, out, warm_up(config))
            if missing is not None:
                errors[np.repeat(missing[:, None], errors.shape[1], 1)] = np.nan
            return errors
        return _reconstructed(model, scaled, missing, config, device)


def _reconstructed(
    model: nn.Module,
    scaled: Tensor,
    missing: NDArray[np.bool_] | None,
    config: AnomalyConfig,
    device: torch.device,
) -> Array:
    length, last = config.window, min(config.horizon, config.window)
    errors = np.full((len(scaled), last, scaled.size(1)), np.nan)
    if len(scaled) < length:
        return errors
    windows = scaled.unfold(0, length, 1).transpose(1, 2)  # (T - L + 1, L, F)
    for first in range(0, len(windows), _AT_ONCE):
        x = windows[first : first + _AT_ONCE].contiguous()
        off = (x - model(x.to(device)).cpu())[:, -last:].flip(1)  # the newest first
        end = length - 1 + first
        errors[end : end + len(x)] = off.double().numpy()
    if missing is not None:
        for k in range(last):
            errors[k:, k][missing[: len(missing) - k]] = np.nan
    return errors


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
