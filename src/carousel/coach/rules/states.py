"""Rules about gates, states and outputs of a network while it trains."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from typing import Any

from carousel.cells.table import named
from carousel.coach.evidence import Evidence
from carousel.coach.finding import Numbers
from carousel.coach.rule import rule
from carousel.coach.words import in_every_language
from carousel.config import Thresholds


def _worst(e: Evidence, prefix: str, suffix: str) -> tuple[str, float, int] | None:
    """The series with the largest mean over its last two looks: its name, that, the step."""
    found = [
        (name, statistics.fmean(v for _, v in points[-2:]), points[-1][0])
        for name, points in e.named(prefix, suffix).items()
        if len(points) >= 2
    ]
    return max(found, key=lambda one: one[1], default=None)


@rule(
    "gate-saturation",
    "during",
    "warning",
    "KJL, TM",
    do=(
        "--set data.scaling=standard",
        "--set optimizer.learning_rate={lower_rate}",
        "--set model.layer_norm=true",
    ),
)
def gate_saturation(e: Evidence, t: Thresholds) -> Mapping[str, Any] | None:
    for name, points in e.named("gate/", "/low").items():
        layer, _, gate = name.rpartition("/")
        both = e.points(f"gate/{name}/high")
        if len(points) < 2 or gate not in "ifo" or e.is_done:
            continue
        low = statistics.fmean(v for _, v in points[-2:])
        high = statistics.fmean(v for _, v in both[-2:])
        if low > t.saturated or (low + high > 0.9 and low > 0.1):
            word = in_every_language("parts", gate)
            share = low if low > t.saturated else low + high
            return {"gate": word, "layer": layer, "share": share, "low": low, "high": high}
    return None


@rule(
    "state-saturation",
    "during",
    "warning",
    "CS231, TM",
    do=(
        "--set data.scaling=standard",
        "--set optimizer.learning_rate={lower_rate}",
        "--set model.activation=softsign",
        "--set model.layer_norm=true",
    ),
)
def state_saturation(e: Evidence, t: Thresholds) -> Mapping[str, Any] | None:
    unbounded = e.config is not None and (
        not named(e.config.model.cell).bounded
        or "relu" in (e.config.model.activation, e.config.model.nonlinearity)
    )
    if unbounded or e.is_done:
        return None
    for prefix, what in (("candidate/", "candidates"), ("state/", "states")):
        worst = _worst(e, prefix, "/saturated")
        if worst and worst[1] > t.state_saturated:
            said = in_every_language("parts", what)
            return {"what": said, "layer": worst[0], "share": worst[1], "at": worst[2]}
    return None


@rule(
    "dead-units",
    "during",
    "warning",
    "TM, AUTO",
    do=(
        "--set optimizer.learning_rate={lower_rate}",
        "--set model.hidden_size={smaller_hidden}",
        "--set model.nonlinearity=tanh",
    ),
)
def dead_units(e: Evidence, t: Thresholds) -> Numbers | None:
    worst = _worst(e, "state/", "/dead")
    if worst is None or worst[1] <= t.dead:
        return None
    return {"layer": worst[0], "share": worst[1], "at": worst[2]}


@rule(
    "activation-spread",
    "during",
    "warning",
    "DL4J",
    do=(
        "--set data.scaling=standard",
        "--set model.layer_norm=true",
        "--set initialization.name=orthogonal",
    ),
)
def activation_spread(e: Evidence, t: Thresholds) -> Numbers | None:
    if e.step < 0.2 * e.facts.get("total_steps", 0) or e.is_done:
        return None
    for layer, points in e.named("state/", "/std").items():
        values = [v for _, v in points[-3:]]
        if len(values) < 3:
            continue
        if max(values) < t.spread_low or min(values) > t.spread_high:
            low, high = t.spread_low, t.spread_high
            return {"layer": layer, "std": values[-1], "low": low, "high": high}
    return None


@rule(
    "output-bias",
    "during",
    "info",
    "DL4J",
    do=("--set loss.class_weights=balanced", "--set regularization.l2.bias=1e-4"),
)
def output_bias(e: Evidence, t: Thresholds) -> Numbers | None:
    for name, points in e.named("weight_largest/", "").items():
        outside = name.endswith("bias") or (".bias" in name and not re.search(r"bias_[ih]h", name))
        if outside and points[-1][1] > t.huge_weight:
            return {"parameter": name, "value": points[-1][1], "at": points[-1][0]}
    return None


@rule(
    "constant-output",
    "during",
    "severe",
    "OWN",
    do=(
        "--set optimizer.learning_rate={much_lower_rate}",
        "",
        "carousel lr-range {recipe}",
        "--set loss.class_weights=balanced",
    ),
)
def constant_output(e: Evidence, t: Thresholds) -> Numbers | None:
    if e.step < 0.2 * e.facts.get("total_steps", 0):
        return None
    spread = e.values("output/variance_share")[-2:]
    if spread and max(spread) < t.constant:
        return {"what": f"variance {spread[-1]:.3g} of the truth's", "variance_share": spread[-1]}
    top, truth = e.values("output/top_share")[-2:], e.values("output/truth_top_share")[-2:]
    if top and truth and min(top) >= 1 - t.constant / 2 and min(top) > max(truth) + t.constant / 2:
        return {"what": f"{top[-1]:.0%} one class", "top": top[-1], "in_truth": truth[-1]}
    return None


@rule(
    "lag-copy",
    "during",
    "warning",
    "OWN",
    do=("--set forecast.relative=true", "--set forecast.context={wider_context}"),
)
def lag_copy(e: Evidence, t: Thresholds) -> Numbers | None:
    lagged, true = e.last("output/lag_correlation"), e.last("output/truth_correlation")
    ratio = e.last("output/naive_ratio")
    if lagged is None or true is None or ratio is None or lagged <= true or ratio < 0.98:
        return None
    return {"lagged": lagged, "true": true, "error_to_naive": ratio}
