"""Pictures of watched series: values with the true anomalies, scores with the threshold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.data.watched import Watched

Array = NDArray[np.float64]
_MOST = 12
_DRAWN = 2000  # steps of a picture


def draw_watches(series: dict[str, Any], column: str, path: Path) -> None:
    """A PNG of at most 12 series, two rows each: the first column, and the scores in thresholds.

    series: by name, as `picture_of` makes them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    shown = list(series.items())[:_MOST]
    figure = Figure(figsize=(10, 2.6 * len(shown)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(2 * len(shown), 1, squeeze=False)[:, 0]
    for number, (name, one) in enumerate(shown):
        above, below = rows[2 * number], rows[2 * number + 1]
        _draw(above, below, one)
        above.set_title(f"{name}: {column}, {' to '.join(one['times'])}", fontsize=8, loc="left")
    rows[-1].set_xlabel("step", fontsize=7)
    figure.savefig(path)


def _draw(above: Any, below: Any, one: dict[str, Any]) -> None:
    """Draw values above, and scores with the threshold, alarms and what is true below."""
    scores = np.array([np.nan if s is None else s for s in one["scores"]])
    steps = np.arange(len(scores)) * one["every"]
    above.plot(steps, one["values"], color="#555", lw=0.8)
    below.plot(steps, scores, color="#2c6fbb", lw=0.8)
    below.axhline(1, color="#c0392b", lw=0.9, ls="--")
    if (scores > 0).any():
        below.set_yscale("log")
    alarms = np.flatnonzero(one["alarms"])
    below.plot(steps[alarms], scores[alarms], ".", color="#c0392b", ms=3)
    below.set_ylabel("score", fontsize=7)
    for axes in (above, below):
        axes.tick_params(which="both", labelsize=6)
        axes.set_xlim(0, max(steps[-1], 1))
        if one["true"] is not None:
            axes.fill_between(
                steps,
                0,
                1,
                where=np.array(one["true"]),
                color="#f1c40f",
                alpha=0.35,
                lw=0,
                transform=axes.get_xaxis_transform(),
            )
    above.set_xticklabels([])


def picture_of(
    one: Watched,
    scores: Array,
    alarms: NDArray[np.bool_],
    rows: slice,
    labels: NDArray[np.bool_] | None,
) -> dict[str, Any]:
    """First column, scores, alarms and truth of the rows in at most 2,000 pieces: the highest score
    of each piece is kept. every: steps of a piece; times: of the first and the last row."""
    values, some = one.values[rows, 0], scores[rows]
    step = -(-len(values) // _DRAWN)
    cuts = [slice(i, i + step) for i in range(0, len(values), step)]
    peaks = [some[c][~np.isnan(some[c])].max(initial=-1.0) for c in cuts]
    return {
        "times": [one.times[rows][0], one.times[rows][-1]] if len(values) else [],
        "every": step,
        "values": values[::step].tolist(),
        "scores": [None if p < 0 else float(p) for p in peaks],
        "alarms": [bool(alarms[rows][c].any()) for c in cuts],
        "true": None if labels is None else [bool(labels[c].any()) for c in cuts],
    }
