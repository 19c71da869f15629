"""Errors of the numbers found of whole recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from carousel.errors import DataError
from carousel.tasks.regress.scores import errors


def r_squared(truth: Tensor, guess: Tensor, weights: Tensor | None = None) -> float | None:
    """1 - Σ w (truth - guess)² / Σ w (truth - mean)², both (n,); None where all truth is the same.

    >>> r_squared(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 2.0]))
    0.5
    """
    truth, guess = truth.double(), guess.double()
    w = torch.ones_like(truth) if weights is None else weights.double()
    spread = (w * (truth - (w * truth).sum() / w.sum()).square()).sum()
    if not bool(spread > 0):
        return None
    return float(1 - (w * (truth - guess).square()).sum() / spread)


def judge(
    truth: Tensor,
    guess: Tensor,
    names: Sequence[str],
    stds: Sequence[float],
    cap: float = 0.0,
    weights: Tensor | None = None,
) -> dict[str, Any]:
    """mae, rmse and r2 of one target; of several, the means of each over the targets,
    mse_standardised, and in "per_target" those of each by its name.

    truth and guess (n, K), truth NaN where it is not known; stds: of the targets in the training
    part. cap: as in `errors`. weights (n,): how much a recording counts. r2 is left out where it
    is not defined: where all that is known of a target is the same. Raises `DataError` if nothing
    is known of a target.
    """
    found: dict[str, dict[str, float]] = {}
    squares = []
    for k, name in enumerate(names):
        known = ~truth[:, k].isnan()
        if not known.any():
            raise DataError(
                f"no recording of this part has a number for '{name}': nothing to judge"
            )
        one, other = truth[known, k].double(), guess[known, k].double()
        rows = None if weights is None else weights[known]
        found[name] = errors(one, other, cap) if rows is None else _weighted(one, other, rows)
        r2 = r_squared(one, other, rows)
        if r2 is not None:
            found[name]["r2"] = r2
        standard = ((other - one) / stds[k]).square()
        squares.append(standard if rows is None else standard * rows)
    if len(names) == 1:
        return dict(found[names[0]])
    shared = set.intersection(*(set(scores) for scores in found.values()))
    metrics = [name for name in ("mae", "rmse", "r2") if name in shared]
    means: dict[str, Any] = {
        m: sum(scores[m] for scores in found.values()) / len(found) for m in metrics
    }
    return {"mse_standardised": float(torch.cat(squares).mean()), **means, "per_target": found}


def _weighted(truth: Tensor, guess: Tensor, rows: Tensor) -> dict[str, float]:
    change, share = guess - truth, rows.double() / rows.double().sum()
    mse = float((share * change.square()).sum())
    return {"mae": float((share * change.abs()).sum()), "rmse": mse**0.5}
