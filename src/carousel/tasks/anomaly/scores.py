"""Judgement of alarms: by window, by point, and by the rule of the Numenta benchmark (NAB)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.data.watched import runs
from carousel.tasks.anomaly.alarms import merged

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Window = tuple[int, int]


@dataclass(frozen=True)
class Profile:
    """Weights of a false alarm and of a missed window; a window that is found weighs 1."""

    false_alarm: float
    missed: float


PROFILES = {
    "nab_standard": Profile(0.11, 1.0),
    "nab_low_fp": Profile(0.22, 1.0),
    "nab_low_fn": Profile(0.11, 2.0),
}
"""Application profiles of NAB, by the names of their metrics."""


def weight(position: float) -> float:
    """Weight of an alarm by its place: -1 where the window begins, 0 where it ends, beyond that
    behind it: 2 / (1 + e^(5 y)) - 1, and -1 from 3 windows behind on.

    >>> round(weight(-1.0), 5), weight(0.0), round(weight(1.0), 5), weight(3.1)
    (0.98661, 0.0, -0.98661, -1.0)
    """
    return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1


def nab_raw(alarms: Flags, windows: Sequence[Window], profile: Profile) -> float:
    """Raw score of one series: of each window the earliest alarm, of others each that is false.

    alarms (T,); windows: (first, last) rows, in order, apart from each other. An alarm in a window
    of n rows that ends at row e counts weight(-(e - t + 1) / n) / weight(-1), only the earliest of
    each window; a window without one -`missed`; an alarm outside `false_alarm` times
    weight((t - e) / (n - 1)) of the window before it, or -1 where there is none. Sources: Lavin
    and Ahmad 2015 (arXiv:1510.03336), with the details of the benchmark's scorer.
    """
    total, best = 0.0, weight(-1.0)
    inside = np.zeros(len(alarms), np.bool_)
    for first, last in windows:
        inside[first : last + 1] = True
        found = alarms[first : last + 1].nonzero()[0]
        size = last - first + 1
        place = -(size - int(found[0])) / size if len(found) else 0.0
        total += weight(place) / best if len(found) else -profile.missed
    lasts = np.array([last for _, last in windows], np.int64)
    for step in (alarms & ~inside).nonzero()[0].tolist():
        before = int(np.searchsorted(lasts, step)) - 1
        if before < 0:
            total -= profile.false_alarm
        else:
            first, last = windows[before]
            # A window of one row has no width to measure by: one behind it is far off.
            place = (step - last) / (last - first) if last > first else math.inf
            total += profile.false_alarm * weight(place)
    return total


def nab_score(
    alarms: Sequence[Flags], windows: Sequence[Sequence[Window]], profile: Profile
) -> float:
    """NAB score of several series: 0 for a detector that never says anything, 100 for one that
    finds each window at its first row and nothing else; it may be negative. At least one window.

    >>> quiet, perfect = np.zeros(9, bool), np.arange(9) == 4
    >>> [nab_score([a], [[(4, 6)]], PROFILES["nab_standard"]) for a in (quiet, perfect)]
    [0.0, 100.0]
    """
    count = sum(map(len, windows))
    raw = sum(nab_raw(a, w, profile) for a, w in zip(alarms, windows, strict=True))
    null = -profile.missed * count
    return 100 * (raw - null) / (count - null)


@dataclass(frozen=True)
class Watch:
    """Scores of a part of one series (T,) in thresholds, NaN where there is none; which are
    alarms (T,); and what is true: labels (T,), or None where nobody said."""

    name: str
    scores: Array
    alarms: Flags
    labels: Flags | None


def measures(watches: Sequence[Watch], merge: int) -> dict[str, float]:
    """Metrics over the series that have labels.

    precision: the share of windows of alarms that overlap a true window; recall: of the true
    windows that overlap one of alarms; window_f1: of these two. pr_auc: average precision of the
    scores by point. nab_…: see `nab_score`. false_alarms_per_1000: alarms per 1,000 steps outside
    the true windows. What is undefined is left out: all but the last without a true window;
    precision without an alarm.
    """
    known = [w for w in watches if w.labels is not None]
    if not known:
        return {}
    alarms = [w.alarms for w in known]
    labels = [w.labels for w in known if w.labels is not None]
    true = [runs(some) for some in labels]
    values: dict[str, float] = {}
    if sum(map(len, true)):
        values = _by_window([merged(a, merge) for a in alarms], true)
        ranked = np.concatenate([w.scores for w in known])
        values["pr_auc"] = _pr_auc(ranked, np.concatenate(labels))
        for name, profile in PROFILES.items():
            values[name] = nab_score(alarms, true, profile)
    truth, said = np.concatenate(labels), np.concatenate(alarms)
    scored = ~np.isnan(np.concatenate([w.scores for w in known]))
    normal, false = int((~truth & scored).sum()), int((said & ~truth).sum())
    if normal:
        values["false_alarms_per_1000"] = 1000 * false / normal
    return values


def overlapping(some: Sequence[Window], others: Sequence[Window]) -> int:
    """Number of `some` windows that have a row in common with any of `others`.

    >>> overlapping([(0, 2), (5, 9)], [(2, 3)])
    1
    """
    return sum(any(a <= d and c <= b for c, d in others) for a, b in some)


def _by_window(
    found: Sequence[Sequence[Window]], true: Sequence[Sequence[Window]]
) -> dict[str, float]:
    pairs = list(zip(found, true, strict=True))
    count, wanted = sum(map(len, found)), sum(map(len, true))
    right = sum(overlapping(f, t) for f, t in pairs)
    caught = sum(overlapping(t, f) for f, t in pairs)
    recall = caught / wanted
    if not count:
        return {"recall": recall, "window_f1": 0.0}
    precision = right / count
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return {"precision": precision, "recall": recall, "window_f1": f1}


def _pr_auc(scores: Array, labels: Flags) -> float:
    from sklearn.metrics import average_precision_score

    known = ~np.isnan(scores)
    if not labels[known].any():
        return 0.0
    return float(average_precision_score(labels[known], scores[known]))


def detail(watches: Sequence[Watch], merge: int) -> dict[str, Any]:
    """Details of each series: steps, windows of alarms, and, of those with labels, true windows,
    how many of them were found, and windows of alarms that overlap none."""
    rows: dict[str, Any] = {}
    for watch in watches:
        found = merged(watch.alarms, merge)
        row: dict[str, Any] = {
            "steps": len(watch.scores),
            "unscored": int(np.isnan(watch.scores).sum()),
            "windows": len(found),
        }
        if watch.labels is not None:
            true = runs(watch.labels)
            row |= {
                "true": len(true),
                "found": overlapping(true, found),
                "false": len(found) - overlapping(found, true),
            }
        rows[watch.name] = row
    return rows
