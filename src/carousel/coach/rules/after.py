"""Rules about a run that has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carousel import scores
from carousel.coach.evidence import Evidence
from carousel.coach.finding import Numbers
from carousel.coach.rule import declare, rule
from carousel.coach.rules.curves import overfits
from carousel.coach.words import Said, in_every_language, said_in_every_language
from carousel.config import Thresholds
from carousel.config.columns import FORECASTS
from carousel.errors import command

_LEAKED = 0.01
_SHARES = ("accuracy", "macro_f1", "micro_f1", "span_f1")


@rule(
    "dumb-baseline",
    "after",
    "severe",
    "KARP, OWN",
    do=("carousel check {recipe}", "--set forecast.relative=true"),
    only={1: FORECASTS, 2: ("forecast",), 3: FORECASTS},
)
def dumb_baseline(e: Evidence, t: Thresholds) -> Mapping[str, Any] | None:
    sign = 1 if e.higher_is_better else -1
    best = e.best
    guess = e.facts.get("guess", {})
    if best is not None and e.monitor in guess:
        ours, theirs = best[1], guess[e.monitor]
        examples = e.facts.get("validation_examples") or 0
        chance = 0.5 / examples**0.5 if examples and e.monitor == "accuracy" else 0.0
        if sign * ours <= sign * theirs + chance:
            told = in_every_language("checks", "guess")
            said_so = {"baseline": told, "metric": _metric(e.monitor)}
            return {**said_so, "ours": ours, "theirs": theirs}
    metric = e.result.get("metric") or e.monitor  # another may have chosen the epoch
    sign = 1 if e.result.get("metric_higher_is_better", e.higher_is_better) else -1
    ours = e.result.get("test", {}).get(metric)
    if ours == (1.0 if metric in _SHARES else None):
        return None  # nothing is left to be better at
    baselines = e.result.get("baseline", {})
    known = {name: values[metric] for name, values in baselines.items() if metric in values}
    strongest = max(known, key=lambda name: sign * known[name], default=None)
    if ours is None or strongest is None or sign * ours > sign * known[strongest]:
        return None
    plain = scores.baseline(strongest)
    words = {
        "baseline": said_in_every_language(plain),
        "metric": _metric(metric),
        "severity": "warning",
    }
    return words | {"ours": ours, "theirs": known[strongest]}


def _metric(name: str) -> Said:
    """A metric's name in words, by language."""
    return said_in_every_language(scores.title(name))


def _epochs(e: Evidence) -> tuple[int, int, int] | None:
    """The best epoch, the last one, and how many there might have been."""
    best = e.best
    if best is None or len(e.epochs) < 4:
        return None
    timed = e.config is None or e.config.training.budget
    allowed = len(e.epochs) if timed or e.config is None else e.config.training.epochs
    return best[0], len(e.epochs), allowed


@rule(
    "best-epoch-early",
    "after",
    "info",
    "TUNE",
    do=("--set training.epochs={fewer_epochs}", "--set schedule.name=cosine"),
)
def best_epoch_early(e: Evidence, t: Thresholds) -> Numbers | None:
    found = _epochs(e)
    if found is None or found[0] > max(1, t.early_best * found[1]):
        return None
    return {"best": found[0], "epochs": found[1]}


@rule(
    "best-epoch-late",
    "after",
    "info",
    "TUNE",
    do=("--set training.epochs={more_epochs}",),
)
def best_epoch_late(e: Evidence, t: Thresholds) -> Numbers | None:
    found, rates = _epochs(e), e.values("learning_rate")
    if found is None or found[1] < found[2] or found[0] <= t.late_best * found[1]:
        return None
    if rates and rates[-1] < 0.05 * max(rates):
        return None
    return {"best": found[0], "epochs": found[1]}


@rule(
    "stop-verdict",
    "after",
    "info",
    "LI, K3",
    do=("carousel evaluate {run}",),
)
def stop_verdict(e: Evidence, t: Thresholds) -> Mapping[str, Any] | None:
    reason = e.result.get("stop_reason")
    best = e.best
    if not reason or best is None:
        return None
    uses = ", ".join(str(use.get("by", "?")) for use in e.of_kind("test_used"))
    words = {
        "reason": said_in_every_language(reason),
        "test_used_by": uses or in_every_language("checks", "nobody"),
    }
    return {"best_epoch": best[0], "epochs": len(e.epochs)} | words


@rule(
    "next-knob",
    "after",
    "info",
    "GREFF",
    do=("{try_this}",),
)
def next_knob(e: Evidence, t: Thresholds) -> Numbers | None:
    if not e.result or e.config is None:
        return None
    if e.run and not e.of_kind("lr_range"):
        line = command("lr-range", e.run, "--fresh")
        return {"knob": "optimizer.learning_rate", "try_this": line}
    if overfits(e, t):
        line = "--set regularization.dropout=0.5"
        return {"knob": "regularization.dropout", "try_this": line}
    line = f"--set model.hidden_size={2 * e.config.model.hidden_size}"
    return {"knob": "model.hidden_size", "try_this": line}


@rule(
    "test-used-again",
    "after",
    "info",
    "CS231, OWN",
    do=("carousel evaluate {run} --part validation",),
)
def test_used_again(e: Evidence, t: Thresholds) -> Numbers | None:
    uses = e.of_kind("test_used")
    if len(uses) < 2:
        return None
    return {"times": len(uses), "by": ", ".join(str(use.get("by", "?")) for use in uses)}


@rule(
    "seen-in-training",
    "after",
    "severe",
    "OWN",
    do=("carousel check {recipe}",),
)
def seen_in_training(e: Evidence, t: Thresholds) -> Numbers | None:
    data = e.result.get("data", {})
    sizes = data.get("sizes") or data.get("examples") or {}
    for part, count in data.get("also_in_training", {}).items():
        size = sizes.get(part) if isinstance(sizes, dict) else None
        if count and size and count > _LEAKED * size:
            return {"part": part, "count": count, "share": count / size}
    return None


declare(
    "rule-failed",
    "after",
    "info",
    "OWN",
)
