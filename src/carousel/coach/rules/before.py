"""Rules about what can be wrong before the first step. Those without a judge get their numbers from
checks."""

from __future__ import annotations

from typing import Any

from carousel.coach.evidence import Evidence
from carousel.coach.finding import Numbers
from carousel.coach.rule import declare, rule
from carousel.coach.words import Said, said_in_every_language, sentence
from carousel.config import Thresholds

declare(
    "loss-at-start",
    "before",
    "warning",
    "CS231, KARP",
    do=("", "--set initialization.name=orthogonal"),
)

declare(
    "overfit-one-batch",
    "before",
    "severe",
    "CS231, KARP",
    do=("", "--set model.hidden_size={larger_hidden}", "carousel lr-range {recipe}"),
)

declare(
    "gradient-check",
    "before",
    "severe",
    "CS231",
)

declare(
    "input-baseline",
    "before",
    "warning",
    "KARP",
)

declare(
    "causality",
    "before",
    "severe",
    "KARP",
    do=("", "--set model.bidirectional=false"),
)

declare(
    "padding-invariance",
    "before",
    "severe",
    "OWN",
)


@rule(
    "loss-output-mismatch",
    "before",
    "severe",
    "UML",
)
def loss_output_mismatch(e: Evidence, t: Thresholds) -> dict[str, Any] | None:
    if not e.facts.get("output_sums_to_one"):
        return None
    return {"what": sentence("probabilities")}


declare(
    "split-leak",
    "before",
    "severe",
    "OWN",
)

declare(
    "target-leak",
    "before",
    "severe",
    "OWN",
)

declare(
    "unshuffled-classes",
    "before",
    "warning",
    "DL4J",
)


@rule(
    "input-scale",
    "before",
    "warning",
    "DL4J, UML",
    do=("--set data.scaling=standard",),
)
def input_scale(e: Evidence, t: Thresholds) -> Numbers | None:
    largest, ratio = e.facts.get("input_largest"), e.facts.get("input_spread_ratio", 1.0)
    if largest is None or (largest <= t.input_scale and ratio <= t.feature_ratio):
        return None
    return {"largest": largest, "spread_ratio": ratio}


@rule(
    "target-scale",
    "before",
    "warning",
    "DL4J, KARP",
    do=("", "--set regress.output=sigmoid"),
)
def target_scale(e: Evidence, t: Thresholds) -> Numbers | None:
    mean, std = e.facts.get("target_mean"), e.facts.get("target_std")
    if mean is None or std is None:
        return None
    if t.target_low <= std <= t.target_high and abs(mean) <= 10 * std:
        return None
    return {"mean": mean, "std": std}


@rule(
    "class-balance",
    "before",
    "warning",
    "DL4J, SMD, KARP",
    do=("--set loss.class_weights=balanced", "--set training.monitor=macro_f1"),
)
def class_balance(e: Evidence, t: Thresholds) -> Numbers | None:
    counts = [n for n in e.facts.get("class_counts", []) if n > 0]
    if len(counts) < 2 or min(counts) >= t.class_ratio * max(counts):
        return None
    return {
        "smallest": min(counts),
        "largest": max(counts),
        "ratio": min(counts) / max(counts),
        "classes": len(counts),
    }


@rule(
    "parameters-per-step",
    "before",
    "warning",
    "CHAR",
    do=(
        "--set model.hidden_size={smaller_hidden}",
        "--set regularization.dropout={more_dropout}",
    ),
)
def parameters_per_step(e: Evidence, t: Thresholds) -> Numbers | None:
    parameters, steps = e.facts.get("parameters"), e.facts.get("training_steps")
    if not parameters or not steps or parameters <= t.parameters_per_step * steps:
        return None
    return {"parameters": parameters, "training_steps": steps, "ratio": parameters / steps}


@rule(
    "validation-too-small",
    "before",
    "warning",
    "CHAR, TUNE",
    do=("--set data.validation={validation_wanted}",),
)
def validation_too_small(e: Evidence, t: Thresholds) -> dict[str, Any] | None:
    count = e.facts.get("validation_units") or e.facts.get("validation_examples")
    limit = t.smallest_validation * (2 if e.facts.get("validation_many") else 1)
    if not count or 0.5 / count**0.5 <= limit:
        return None
    wanted = int(0.25 / limit**2) + 1
    share = "class_counts" in e.facts  # else it measures a mean of losses or errors
    error = (0.5 if share else 1.0) / count**0.5
    return {
        "examples": count,
        "unit": said_in_every_language(str(e.facts.get("validation_unit", "examples"))),
        "what": _uncertainty(e, count, share, error),
        "error": error,
        "validation_wanted": wanted,
    }


def _uncertainty(e: Evidence, count: int, share: bool, error: float) -> Said:
    """Words for the error: of units with many answers each, it lies between that of answers that
    know nothing of each other and that of units whose answers are all alike."""
    kind = "share" if share else "mean"
    answers = e.facts.get("validation_examples") or 0
    if not e.facts.get("validation_many") or answers <= count:
        return sentence(f"uncertain_{kind}", error=error)
    least = (0.5 if share else 1.0) / answers**0.5
    if count == 1:
        return sentence(f"uncertain_{kind}_of_one", answers=answers, least=least)
    return sentence(f"uncertain_{kind}_of_many", answers=answers, least=least, error=error)


@rule(
    "window-too-short",
    "before",
    "warning",
    "DL4J, DANI",
    do=("--set text.bptt={wanted}", "--set forecast.context={wanted}"),
)
def window_too_short(e: Evidence, t: Thresholds) -> Numbers | None:
    window, lag = e.facts.get("window"), e.config.coach.lag if e.config else 0
    if not window:
        return None
    wanted = max(2 * window, lag + lag // 4)
    return {"lag": lag, "window": window, "wanted": wanted} if lag > window else None


@rule(
    "window-too-long",
    "before",
    "info",
    "DANI, OWN",
    do=("--set text.bptt={wanted}", "--set forecast.context={wanted}"),
)
def window_too_long(e: Evidence, t: Thresholds) -> Numbers | None:
    window, lag = e.facts.get("window"), e.config.coach.lag if e.config else 0
    if window and window > t.longest_untruncated and 0 < lag < window / 4:
        return {"lag": lag, "window": window, "wanted": 2 * lag}
    return None


@rule(
    "forget-bias",
    "before",
    "warning",
    "JOZ, DANI",
    do=("--set initialization.name=chrono", "--set model.forget_bias=1.0"),
)
def forget_bias(e: Evidence, t: Thresholds) -> Numbers | None:
    bias, length = e.facts.get("forget_bias"), e.facts.get("length_median", 0)
    if bias is None or bias >= t.forget_bias or length < t.long_sequence:
        return None
    return {"bias": bias, "length": length}


@rule(
    "dropout-no-op",
    "before",
    "warning",
    "OWN",
    do=("", "--set model.num_layers=2"),
)
def dropout_no_op(e: Evidence, t: Thresholds) -> Numbers | None:
    vain = e.facts.get("vain_dropout", 0.0)
    return {"dropout": vain} if vain else None


@rule(
    "dropout-too-large",
    "before",
    "warning",
    "UML",
    do=("--set regularization.dropout={less_dropout}",),
)
def dropout_too_large(e: Evidence, t: Thresholds) -> Numbers | None:
    if e.config is None or e.config.regularization.dropout <= t.largest_dropout:
        return None
    return {"dropout": e.config.regularization.dropout}


@rule(
    "learning-rate-range",
    "before",
    "warning",
    "UML",
    do=("carousel lr-range {recipe}", "--set optimizer.learning_rate=1e-3"),
)
def learning_rate_range(e: Evidence, t: Thresholds) -> Numbers | None:
    if e.config is None:
        return None
    name, rate = e.config.optimizer.name, e.config.optimizer.learning_rate
    high = name in ("adam", "adamw", "rmsprop") and rate > t.largest_rate
    return {"rate": rate, "optimizer": name} if high or rate < t.smallest_rate else None


@rule(
    "padding-share",
    "before",
    "info",
    "SMD",
)
def padding_share(e: Evidence, t: Thresholds) -> Numbers | None:
    share = e.facts.get("padding_share", 0.0)
    return {"share": share} if share > t.padding else None
