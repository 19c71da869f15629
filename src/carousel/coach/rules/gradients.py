"""Learning rates, updates and gradients while a network trains."""

from __future__ import annotations

import math
import re
import statistics
from collections import defaultdict
from itertools import pairwise

from carousel.coach.evidence import Evidence, finite, scatter, smoothed
from carousel.coach.finding import Numbers
from carousel.coach.rule import rule
from carousel.config import Thresholds

_FEW = 40  # steps, before which a curve says nothing
_WINDOW = 200


def ratios(e: Evidence) -> dict[str, list[float]]:
    """log10 update:parameter ratios by block; of recurrent layers where there are any."""
    found = {name: [v for _, v in points] for name, points in e.named("update_ratio/", "").items()}
    recurrent = {name: v for name, v in found.items() if "weight_ih" in name or "weight_hh" in name}
    return recurrent or found


def middle_ratio(e: Evidence, looks: int = 3) -> float | None:
    """The median over blocks of their mean over the last looks; None before the third look."""
    found = [v[-looks:] for v in ratios(e).values() if len(v) >= looks]
    return statistics.median(statistics.fmean(v) for v in found) if found else None


@rule(
    "not-finite",
    "during",
    "severe",
    "K3, SRNN",
    do=("--set optimizer.clip_norm=1", "--set optimizer.learning_rate={lower_rate}"),
    steady=True,
)
def not_finite(e: Evidence, t: Thresholds) -> Numbers | None:
    for event in e.of_kind("diverged")[-1:]:
        return {"what": event["what"], "tensor": event.get("tensor", "?"), "at": event["step"]}
    bad = [step for step, v in e.points("train/loss")[-_WINDOW:] if not abs(v) < float("inf")]
    return {"what": "the loss is not finite", "tensor": "?", "at": bad[0]} if bad else None


@rule(
    "huge-values",
    "during",
    "warning",
    "AUTO",
    do=(
        "",
        "--set optimizer.clip_norm=1",
        "--set optimizer.learning_rate={lower_rate}",
        "--set regularization.l2.recurrent=1e-4",
    ),
)
def huge_values(e: Evidence, t: Thresholds) -> Numbers | None:
    loss = statistics.median(e.values("train/loss")[-20:] or [0.0])
    if abs(loss) >= t.huge_loss:
        return {"what": "train/loss", "value": loss, "severity": "severe"}
    for prefix, suffix, limit in (
        ("weight_largest/", "", t.huge_weight),
        ("state/", "/mean", t.huge_output),
    ):
        for name, points in e.named(prefix, suffix).items():
            recurrent = prefix == "state/" or "weight_ih" in name or "weight_hh" in name
            if recurrent and points[-1][1] > limit:
                return {"what": name, "value": points[-1][1], "at": points[-1][0]}
    return None


@rule(
    "learning-rate-too-high",
    "during",
    "severe",
    "DL4J, CS231",
    do=(
        "--set optimizer.learning_rate={much_lower_rate}",
        "carousel lr-range {recipe}",
        "--set schedule.name=one-cycle",
    ),
)
def learning_rate_too_high(e: Evidence, t: Thresholds) -> Numbers | None:
    losses = finite(e.values("train/loss"))
    if len(losses) < _FEW:
        return None
    parts = smoothed(losses, 8)
    low, now = min(parts[:-1]), parts[-1]
    ratio, chance = middle_ratio(e), 4 * scatter(losses, 8)
    if ratio is not None and ratio < t.ratio_high - 1:
        return None  # such steps jump over nothing
    wide = abs(low) + 0.05 * abs(losses[0])  # a loss near zero may triple and mean nothing
    rises = min(parts[-2:]) > low + max(10 * t.rise * wide, chance) and parts.index(low) < 6
    stuck = ratio is not None and ratio > t.ratio_high and now > 0.9 * parts[0]
    thrown = max(parts) > 1.1 * losses[0] + chance and now > 0.8 * losses[0]
    if e.began_fitted:  # it need not fall below its first value, which is one batch's
        stuck = thrown = False
    if not (rises or stuck or thrown):
        return None
    numbers: dict[str, float | str] = {"rate": max(e.values("learning_rate"), default=0.0)}
    numbers |= {"low": low, "now": now, "first": losses[0]}
    if not (rises or thrown):  # it may be the task that is hard
        numbers["severity"] = "warning"
    return numbers if ratio is None else numbers | {"update_ratio": ratio}


@rule(
    "learning-rate-too-low",
    "during",
    "warning",
    "DL4J, CS231",
    do=("--set optimizer.learning_rate={much_higher_rate}", "carousel lr-range {recipe}"),
)
def learning_rate_too_low(e: Evidence, t: Thresholds) -> Numbers | None:
    ratio, rates, losses = middle_ratio(e), e.values("learning_rate"), e.values("train/loss")
    if ratio is None or not rates or rates[-1] < 0.5 * max(rates) or len(losses) < _FEW:
        return None
    crawls = ratio < t.ratio_low + 1 and _falls_in_a_line(e.curve("train", "loss"))
    if ratio >= t.ratio_low and not crawls:
        return None
    if e.began_fitted or statistics.fmean(losses[-20:]) < 0.3 * losses[0]:
        return None
    return {"rate": rates[-1], "update_ratio": ratio, "loss": statistics.fmean(losses[-20:])}


def _falls_in_a_line(epochs: list[float]) -> bool:
    """Every epoch a little lower, by less than 5 % in all, the later half as fast as the first."""
    if len(epochs) < 5 or any(b >= a for a, b in pairwise(epochs)):
        return False
    middle = epochs[len(epochs) // 2]
    slow = epochs[0] - epochs[-1] < 0.05 * abs(epochs[0])
    return slow and middle - epochs[-1] > 0.6 * (epochs[0] - middle)


@rule(
    "update-ratio-critical",
    "during",
    "warning",
    "DL4J, CS231, TM",
    do=("carousel lr-range {recipe}", "--set optimizer.clip_norm=1"),
)
def update_ratio_critical(e: Evidence, t: Thresholds) -> Numbers | None:
    rates = e.values("learning_rate")
    peak = bool(rates) and rates[-1] >= 0.5 * max(rates) and not e.is_done
    for block, values in ratios(e).items():
        if len(values) < 3:
            continue
        low, high = max(values[-3:]), min(values[-3:])
        if high > t.ratio_critical_high or (low < t.ratio_critical_low and peak):
            return {"block": block, "update_ratio": values[-1]}
    return None


@rule(
    "learning-rate-range-test",
    "during",
    "info",
    "SMITH, LI",
    do=("--set optimizer.learning_rate={suggested:.3g}",),
    steady=True,
)
def learning_rate_range_test(e: Evidence, t: Thresholds) -> Numbers | None:
    rates = e.values("learning_rate")
    tests = [event for event in e.of_kind("lr_range") if event["fresh"]]
    for event in tests[-1:]:
        suggested = float(event["suggested"])
        if rates and not 0.1 <= max(rates) / suggested <= 10:
            return {"suggested": suggested, "rate": max(rates)}
    return None


@rule(
    "exploding-gradient",
    "during",
    "severe",
    "PASC, TUNE, AUTO, TM",
    do=(
        "--set optimizer.clip_norm={norm_p90:.2g}",
        "--set optimizer.learning_rate={lower_rate}",
        "--set model.cell=lstm",
    ),
)
def exploding_gradient(e: Evidence, t: Thresholds) -> Numbers | None:
    points = e.points("gradient_norm")[-_WINDOW:]
    if len(points) < _FEW:
        return None
    norms = finite([norm for _, norm in points])
    median, p90 = statistics.median(norms), statistics.quantiles(norms, n=10)[-1]
    spikes = [(s, n) for s, n in points if n > max(t.spike * median, 1.0) or n > t.huge_norm]
    step, norm = max(points, key=lambda point: point[1])
    numbers = {"norm": norm, "median": median, "norm_p90": p90, "spikes": len(spikes), "at": step}
    if len(spikes) >= 3:
        clipped = clipped_share(e) is not None
        return numbers | ({"severity": "info"} if clipped and norm < t.huge_norm else {})
    by_layer = layer_norms(e)
    if len(by_layer) > 1 and by_layer[0] > t.layer_ratio * max(by_layer[-1], 1e-12):
        return numbers | {"lowest_layer": by_layer[0], "top_layer": by_layer[-1]}
    return None


def layer_norms(e: Evidence) -> list[float]:
    """Gradient norms of the recurrent layers of the first stack, lowest first, at the last look."""
    squares: dict[tuple[str, int], float] = defaultdict(float)
    for name, points in e.named("gradient_norm/", "").items():
        found = re.match(r"(.*)weight_[ih]h_l(\d+)", name)
        if found:
            squares[found[1], int(found[2])] += points[-1][1] ** 2
    stacks = sorted({prefix for prefix, _ in squares})
    if not stacks:
        return []
    return [squares[key] ** 0.5 for key in sorted(squares) if key[0] == stacks[0]]


def clipped_share(e: Evidence) -> float | None:
    """The share of the last 200 steps that were clipped; None where nothing clips."""
    after = dict(e.points("gradient_norm_after")[-_WINDOW:])
    pairs = [(n, after[s]) for s, n in e.points("gradient_norm")[-_WINDOW:] if s in after]
    if not pairs:
        return None
    return sum(kept < 0.999 * norm for norm, kept in pairs) / len(pairs)


@rule(
    "clipping-too-often",
    "during",
    "info",
    "TUNE",
    do=(
        "--set optimizer.clip_norm={norm_p90:.2g}",
        "--set optimizer.learning_rate={lower_rate}",
    ),
)
def clipping_too_often(e: Evidence, t: Thresholds) -> Numbers | None:
    share, norms = clipped_share(e), finite(e.values("gradient_norm")[-_WINDOW:])
    if share is None or len(norms) < _FEW or share <= t.clipped:
        return None
    return {"share": share, "norm_p90": statistics.quantiles(norms, n=10)[-1]}


@rule(
    "vanishing-by-layer",
    "during",
    "warning",
    "AUTO",
    do=(
        "--set model.num_layers={fewer_layers}",
        "--set model.layer_norm=true",
        "--set initialization.name=orthogonal",
    ),
)
def vanishing_by_layer(e: Evidence, t: Thresholds) -> Numbers | None:
    norms = layer_norms(e)
    if len(norms) < 2 or norms[0] >= t.vanishing_norm:
        return None
    if norms[0] >= t.vanishing_layer * norms[-1]:
        return None
    return {"lowest": norms[0], "top": norms[-1]}


@rule(
    "vanishing-by-lag",
    "during",
    "warning",
    "PASC, SRNN",
    do=(
        "--set model.cell=lstm --set initialization.name=chrono",
        "--set model.forget_bias=2.0",
        "--set model.bidirectional=true",
    ),
)
def vanishing_by_lag(e: Evidence, t: Thresholds) -> Numbers | None:
    for layer, points in e.named("lag/", "/ratio").items():
        if len(points) < 3 or e.is_done:
            continue
        ratio = statistics.median(value for _, value in points[-3:])
        needed = e.last(f"lag/{layer}/needed") or 0.0
        if ratio < math.log10(t.vanishing_lag):
            reach = e.last(f"lag/{layer}/reach") or 0.0
            return {"layer": layer, "ratio": ratio, "needed": needed, "reach": reach}
    return None
