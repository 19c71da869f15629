"""Scores of an exported detector, in NumPy alone: the source of these functions is in its card."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Card = dict[str, Any]


def scaled(values: Array, card: Card, series: str = "") -> Array:
    """Values (T, F) on the scale of the series."""
    scaler = (card["usual"].get(series) or card["usual"][""])["scaler"]
    found: Array = (np.asarray(values, float) - scaler["mean"]) / scaler["std"]
    return found


def forecast_errors(x: Array, outputs: Array, card: Card) -> Array:
    """Errors (T, K, F) of each step: x (T, F), scaled, less its forecasts made 1, …, K steps
    before. outputs (T, K F): of the file."""
    horizon = card["horizon"]
    made = np.asarray(outputs, float).reshape(len(x), horizon, -1)
    errors = np.full(made.shape, np.nan)
    for k in range(horizon):
        errors[k + 1 :, k] = x[k + 1 :] - made[: max(0, len(x) - k - 1), k]
    errors[: card["warm_up"]] = np.nan
    return errors


def window_errors(x: Array, outputs: Array, card: Card) -> Array:
    """Errors (T, K, F) of each step: of the last K steps of the window of L that ends there, the
    newest first. x (T, F), scaled; outputs (T - L + 1, L, F): of the file, of every window."""
    length, last = card["window"], min(card["horizon"], card["window"])
    errors = np.full((len(x), last, x.shape[1]), np.nan)
    for number, made in enumerate(np.asarray(outputs, float)):
        window = x[number : number + length]
        errors[number + length - 1] = (window - made)[-last:][::-1]
    return errors


def scores_of(errors: Array, card: Card, series: str = "") -> tuple[Array, NDArray[np.bool_]]:
    """Scores and alarms (T,) of errors (T, K, F): 1 is the threshold, nan where nothing is known.

    mahalanobis: sqrt(z' P z / D) of the standardised errors z; worst: the largest root mean square
    of a column's. The geometric mean of the last `smooth` scores counts. With `follow`, an alarm
    raises the threshold, which sinks back in the quiet.
    """
    usual = card["usual"].get(series) or card["usual"][""]
    limit = card["thresholds"].get(series) or card["thresholds"][""]
    unit = np.inf if limit["value"] is None else max(limit["value"], 1e-9)
    z = (errors.reshape(len(errors), -1) - usual["mean"]) / usual["std"]
    known = ~np.isnan(z).all(1)
    z = np.nan_to_num(z)
    if usual["precision"] is None:
        raw = np.sqrt((z**2).reshape(errors.shape).mean(1)).max(1)
    else:
        raw = np.sqrt(np.maximum(((z @ usual["precision"]) * z).sum(1), 0) / z.shape[1])
    scores, alarms = np.full(len(z), np.nan), np.zeros(len(z), bool)
    recent: list[float] = []
    line = 0.0
    for t in np.flatnonzero(known):
        recent = [*recent, np.log(max(raw[t], 1e-9))][-card["smooth"] :]
        scores[t] = np.exp(np.mean(recent)) / unit
        alarms[t] = scores[t] > np.exp(line)
        line = max(0.0, line + card["follow"] * (alarms[t] - limit["promised"] / 1000))
    return scores, alarms


def source(error: str) -> list[str]:
    """Lines of Python that score what a file says; error: "forecast" or "reconstruction"."""
    errors = forecast_errors if error == "forecast" else window_errors
    texts = ["from __future__ import annotations\n\nimport numpy as np\n"]
    texts += [inspect.getsource(made) for made in (scaled, errors, scores_of)]
    return "\n\n".join(texts).splitlines()
