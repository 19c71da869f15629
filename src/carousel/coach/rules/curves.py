"""Training and validation curves while a network trains."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

from carousel.coach.evidence import Evidence, finite, slope, smoothed
from carousel.coach.finding import Numbers
from carousel.coach.rule import rule
from carousel.coach.rules.gradients import learning_rate_too_high
from carousel.config import Thresholds


def losses(e: Evidence) -> tuple[list[float], list[float]]:
    """Training and validation losses by epoch, of the same metric; empty if there is none."""
    for metric in ("loss", "mse_standardised", "mse", "mae", "perplexity"):
        train, validation = e.curve("train", metric), e.curve("validation", metric)
        if train and len(train) == len(validation):
            return train, validation
    return [], []


def accuracies(e: Evidence) -> tuple[list[float], list[float]]:
    train, validation = e.curve("train", "accuracy"), e.curve("validation", "accuracy")
    return (train, validation) if len(train) == len(validation) else ([], [])


def skill(e: Evidence) -> float | None:
    """Distance that training has come from a guess (0) to perfection (1): accuracy above that of
    the most frequent class, or variance explained; None where neither is known, or where it began
    fitted and a guess's loss is not known."""
    train, _ = accuracies(e)
    if train:
        counts = e.facts.get("class_counts") or []
        guess = max(counts) / sum(counts) if counts else 0.0
        return (train[-1] - guess) / max(1 - guess, 1e-9)
    parts = smoothed(finite(e.values("train/loss")), 10)
    guess = e.guess_loss
    if guess is None and e.began_fitted:
        return None
    if "target_std" in e.facts and len(parts) > 1 and parts[0] > 0:
        return 1 - parts[-1] / max(parts[0], guess or 0.0, 1e-12)
    return None


def overfits(e: Evidence, t: Thresholds) -> dict[str, float | int | str] | None:
    """The numbers of an overfit, or None; other rules build on it."""
    train, validation = losses(e)
    if len(validation) >= 3:
        best = validation.index(min(validation))
        worse = validation[-1] - validation[best]
        limit = max(t.loss_gap * abs(validation[best]), 0.05 * abs(validation[0]))
        if len(validation) - 1 - best >= 2 and worse > limit and train[-1] < train[best]:
            return {
                "best": validation[best],
                "now": validation[-1],
                "train": train[-1],
                "best_epoch": best + 1,
                "epoch": len(validation),
            }
    ours, theirs = accuracies(e)
    if ours:
        gap = ours[-1] - theirs[-1]
        if gap >= (t.gap_high if ours[-1] > 0.9 else t.gap):
            return {
                "best": max(theirs),
                "now": theirs[-1],
                "train": ours[-1],
                "best_epoch": theirs.index(max(theirs)) + 1,
                "epoch": len(theirs),
            }
    return None


@rule(
    "overfitting",
    "during",
    "warning",
    "CHAR, TUNE, AUTO, UML",
    do=(
        "--set regularization.dropout={more_dropout}",
        "--set training.patience=3",
        "--set model.hidden_size={smaller_hidden}",
        "--set regularization.l2.recurrent=1e-4",
    ),
)
def overfitting(e: Evidence, t: Thresholds) -> Numbers | None:
    return overfits(e, t)


@rule(
    "zaremba-recipe",
    "during",
    "info",
    "ZAR",
    do=("--set regularization.dropout=0.5",),
)
def zaremba_recipe(e: Evidence, t: Thresholds) -> Numbers | None:
    if e.config is None or e.config.model.num_layers < 2 or e.config.regularization.dropout:
        return None
    return {"layers": e.config.model.num_layers} if overfits(e, t) else None


@rule(
    "awd-recipe",
    "during",
    "info",
    "AWD",
    do=(
        "--set regularization.weight_dropout=0.5",
        "--set model.tied=true",
        "--set regularization.activation=2.0",
    ),
)
def awd_recipe(e: Evidence, t: Thresholds) -> Numbers | None:
    found = overfits(e, t)
    return found if found and e.config is not None and e.config.task == "generate" else None


@rule(
    "underfitting",
    "during",
    "warning",
    "CHAR, CS231",
    do=(
        "--set regularization.dropout={less_dropout}",
        "--set model.hidden_size={larger_hidden}",
        "--set training.epochs={more_epochs}",
        "carousel lr-range {recipe}",
    ),
)
def underfitting(e: Evidence, t: Thresholds) -> Numbers | None:
    reached = skill(e)
    total = e.facts.get("total_steps", 0)
    if reached is None or not total or e.step < 0.5 * total or reached >= t.poor:
        return None
    ours, theirs = accuracies(e)
    if ours and ours[-1] - theirs[-1] >= 0.03:
        return None
    if not ours and len(e.epochs) > 2 and overfits(e, t):
        return None
    if learning_rate_too_high(e, t):
        return None  # it has a reason already, and the advice here is the opposite
    return {"skill": max(0.0, reached), "epoch": len(e.epochs)}


@rule(
    "slow-convergence",
    "during",
    "warning",
    "AUTO",
    do=("carousel lr-range {recipe}", "--set optimizer.name=adam"),
)
def slow_convergence(e: Evidence, t: Thresholds) -> Numbers | None:
    ours, _ = accuracies(e)
    reached = skill(e)
    if len(ours) < 4 or reached is None or reached >= t.poor:
        return None
    largest = max(b - a for a, b in pairwise(ours))
    return {"epochs": len(ours), "best_step": largest} if largest < t.slow else None


@rule(
    "oscillation",
    "during",
    "warning",
    "AUTO",
    do=(
        "--set optimizer.learning_rate={lower_rate}",
        "--set schedule.name=cosine",
        "--set training.batch_size={larger_batch}",
    ),
)
def oscillation(e: Evidence, t: Thresholds) -> Numbers | None:
    ours, _ = accuracies(e)
    limit = t.swing
    if not ours:
        curve, _ = losses(e)
        if not curve or min(curve) <= 0 or e.is_done:
            return None
        ours, limit = [math.log(value) for value in curve], 5 * t.swing
    if len(ours) < 6:
        return None
    moves = [b - a for a, b in pairwise(ours)]
    turns = sum(a * b < 0 and min(abs(a), abs(b)) > limit for a, b in pairwise(moves))
    if turns < 3 or turns <= t.reversals * len(ours):
        return None
    return {"reversals": turns, "epochs": len(ours)}


@rule(
    "plateau",
    "during",
    "info",
    "TM, K3",
    do=("--set schedule.name=plateau", "--set training.patience=3"),
)
def plateau(e: Evidence, t: Thresholds) -> Numbers | None:
    curve = losses(e)[0][-4:]
    if len(curve) < 4:
        return None
    moves = [abs(b - a) / max(abs(a), 1e-12) for a, b in pairwise(curve)]
    return {"loss": curve[-1], "largest_move": max(moves)} if max(moves) < t.plateau else None


@rule(
    "noisy-validation",
    "during",
    "info",
    "TUNE",
    do=(
        "--set data.validation=10000",
        "--set schedule.name=cosine",
        "--set averaging.name=ema",
        "--set training.batch_size={larger_batch}",
    ),
)
def noisy_validation(e: Evidence, t: Thresholds) -> Numbers | None:
    _, curve = accuracies(e)
    limit = t.swing
    if not curve:
        _, other = losses(e)
        if not other or min(other) <= 0:
            return None
        curve, limit = [math.log(value) for value in other], 3 * t.swing
    late = curve[len(curve) // 2 :]
    if len(late) < 4:
        return None
    noise = statistics.stdev(b - a for a, b in pairwise(late))
    trend = abs(slope(late)) * (len(late) - 1)
    return {"noise": noise, "trend": trend} if noise > max(limit, t.noise * trend) else None


@rule(
    "periodic-loss",
    "during",
    "info",
    "TUNE",
)
def periodic_loss(e: Evidence, t: Thresholds) -> Numbers | None:
    ends = [int(epoch["step"]) for epoch in e.epochs]
    values = finite(e.values("train/loss"))
    if len(ends) < 4:
        return None
    period = ends[-1] - ends[-2]
    if period < 8 or len(values) < 3 * period or ends[-1] - ends[-3] != 2 * period:
        return None
    if e.config is not None and e.config.task == "generate":
        return None
    rows = [values[-period * k : len(values) - period * (k - 1)] for k in (3, 2, 1)]
    flat = [[v - statistics.fmean(row) for v in row] for row in rows]
    if any(max(row) == min(row) for row in flat):
        return None
    correlation = min(statistics.correlation(a, b) for a, b in pairwise(flat))
    if correlation <= t.period:
        return None
    return {"period": period, "correlation": correlation}


@rule(
    "suspiciously-good",
    "during",
    "warning",
    "UML",
    do=("carousel check {recipe}",),
)
def suspiciously_good(e: Evidence, t: Thresholds) -> Numbers | None:
    ours, theirs = accuracies(e)
    if not ours:
        return None
    numbers = {"train": ours[-1], "validation": theirs[-1], "epoch": len(ours)}
    if theirs[0] > t.too_good and e.epochs[0]["step"] < 100:
        return numbers | {"validation": theirs[0], "train": ours[0], "epoch": 1}
    c = e.config
    noisy = c is not None and (
        c.regularization != type(c.regularization)()
        or c.data.shift > 0
        or c.loss.label_smoothing > 0
    )
    examples = e.facts.get("validation_examples") or 0
    chance = 1 / examples**0.5 if examples else 0.0  # two standard errors
    limit = t.better_than_train + chance
    # Twice: in an epoch that learns much, training is the mean over what it was before and after.
    both = [held - own for own, held in zip(ours[-2:], theirs[-2:], strict=True)]
    if noisy or len(ours) < 3 or min(both) <= limit:
        return None
    return numbers


@rule(
    "pretraining-short",
    "during",
    "info",
    "HOWARD",
    do=("--set pretraining.epochs={longer}",),
    steady=True,
)
def pretraining_short(e: Evidence, t: Thresholds) -> Numbers | None:
    for event in e.of_kind("pretrained"):
        curve = [epoch["validation"]["perplexity"] for epoch in event["epochs"]]
        if len(curve) < 2 or event["kept"] < len(curve) or curve[-1] > 0.97 * curve[-2]:
            continue
        numbers = {"epochs": len(curve), "now": curve[-1], "before": curve[-2]}
        return {**numbers, "longer": 2 * len(curve), "seconds": event["seconds"]}
    return None


@rule(
    "coach-cost",
    "during",
    "info",
    "OWN",
    do=("--set coach.enabled=false",),
)
def coach_cost(e: Evidence, t: Thresholds) -> Numbers | None:
    shares = e.values("coach/share")
    budget = e.config.coach.budget if e.config else 0.03
    if len(shares) < 100 or shares[-1] <= 1.5 * budget:
        return None
    return {"share": shares[-1], "budget": budget}
