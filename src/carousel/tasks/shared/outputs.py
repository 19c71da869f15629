"""Comparison of a network's answers with the truth, in a few numbers for the coach."""

from __future__ import annotations

import torch
from torch import Tensor


def of_classes(predicted: Tensor, truth: Tensor) -> dict[str, float]:
    """top_share: of the class that is said most often; truth_top_share: of the one that is most
    frequent. predicted, truth (N,), truth negative where there is none.

    >>> of_classes(torch.tensor([1, 1, 1, 1]), torch.tensor([0, 1, 1, 0]))
    {'top_share': 1.0, 'truth_top_share': 0.5}
    """
    real = truth >= 0
    if not real.any():
        return {}
    shares = [
        float(torch.bincount(t[real]).max()) / int(real.sum()) for t in (predicted.cpu(), truth)
    ]
    return {"top_share": shares[0], "truth_top_share": shares[1]}


def of_numbers(guess: Tensor, truth: Tensor, before: Tensor | None = None) -> dict[str, float]:
    """variance_share: of the guesses, to that of the truth. With the values one step before:
    lag_correlation of the guess with those, truth_correlation with the truth, and naive_ratio, the
    mean squared error to that of repeating them. All (N,).
    """
    guess, truth = guess.double().cpu(), truth.double().cpu()
    variance = float(truth.var(correction=0))
    if len(truth) < 3 or not variance > 0:
        return {}
    numbers = {"variance_share": float(guess.var(correction=0)) / variance}
    if before is not None:
        before = before.double().cpu()
        naive = float((before - truth).square().mean())
        if naive > 0 and float(guess.var()) > 0 and float(before.var()) > 0:
            numbers |= {
                "lag_correlation": _correlation(guess, before),
                "truth_correlation": _correlation(guess, truth),
                "naive_ratio": float((guess - truth).square().mean()) / naive,
            }
    return numbers


def _correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack((a, b)))[0, 1])
