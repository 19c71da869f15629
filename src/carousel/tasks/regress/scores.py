"""Errors of the numbers found."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from carousel.data.measured import Measured
from carousel.data.windows import is_labelled
from carousel.errors import DataError
from carousel.tasks.shared import bootstrap

_PHM_EARLY, _PHM_LATE = 13.0, 10.0


def errors(truth: Tensor, guess: Tensor, cap: float = 0.0) -> dict[str, float]:
    """mae, rmse, and with a cap the same against the capped truth, and the PHM 2008 score.

    phm_score = Σ exp(d / 10) - 1 for d = guess - truth ≥ 0, exp(-d / 13) - 1 for d < 0: an engine
    that fails before it was said to is the dearer mistake (Saxena et al. 2008).
    """
    truth, guess = truth.double(), guess.double()
    change = guess - truth
    values = {"mae": change.abs().mean(), "rmse": change.square().mean().sqrt()}
    if cap:
        capped = guess - truth.clamp(max=cap)
        values["rmse_capped"] = capped.square().mean().sqrt()
        late, early = (change / _PHM_LATE).expm1(), (-change / _PHM_EARLY).expm1()
        values["phm_score"] = torch.where(change >= 0, late, early).sum()
    return {name: float(value) for name, value in values.items()}


def per_recording(part: Measured, guess: Tensor, cap: float) -> dict[str, dict[str, float]]:
    """`errors` of each recording that has a target, by its name."""
    sizes = part.values.lengths.tolist()
    targets, guesses = torch.split(part.targets, sizes), torch.split(guess, sizes)
    rows = zip(part.names, targets, guesses, strict=True)
    inside = ((name, truth, found, is_labelled(truth)) for name, truth, found in rows)
    return {
        name: errors(truth[known], found[known], cap)
        for name, truth, found, known in inside
        if known.any()
    }


def intervals(part: Measured, guess: Tensor) -> dict[str, Any]:
    """Intervals of MAE and RMSE over recordings drawn anew, as a report has them."""
    inside = is_labelled(part.targets)
    change = torch.where(inside, guess.double() - part.targets.double(), 0.0)
    sums = torch.stack((change.abs(), change.square(), inside.double()), 1)
    sizes = part.values.lengths.tolist()
    rows = torch.stack([one.sum(0) for one in torch.split(sums, sizes)]).numpy()
    return bootstrap.known(
        {
            "mae": bootstrap.interval(rows, lambda r: r[:, 0] / r[:, 2]),
            "rmse": bootstrap.interval(rows, lambda r: (r[:, 1] / r[:, 2]) ** 0.5),
        }
    )


def judge(part: Measured, guess: Tensor, cap: float) -> dict[str, float]:
    """`errors` over the steps of a part that have a target. Raises `DataError` if none has."""
    inside = is_labelled(part.targets)
    if not inside.any():
        raise DataError("no step of this part has a number: there is nothing to judge")
    return errors(part.targets[inside], guess[inside], cap)
