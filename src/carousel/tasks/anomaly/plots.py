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

    series: by name, "times" (first and last), "values", "scores" (None where there is none),
    "alarms" and "true" (None where nobody said).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    shown = list(series.items())[:_MOST]
    figure = Figure(figsize=(10, 2.6 * len(shown)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(2 * len(shown), 1, squeeze=False)[:, 0]
    for number, (name, one) in enumerate(shown):
        above, below = rows[2 * number], rows[2 * number + 1]
        scores = np.array([np.nan if s is None else s for s in one["scores"]])
        above.plot(one["values"], color="#555", lw=0.8)
        below.plot(scores, color="#2c6fbb", lw=0.8)
        below.axhline(1, color="#c0392b", lw=0.9, ls="--")
        below.set_yscale("log")
        alarms = np.flatnonzero(one["alarms"])
        below.plot(alarms, scores[alarms], ".", color="#c0392b", ms=3)
        if one["true"] is not None:
            true = np.array(one["true"])
            for axes in (above, below):
                axes.fill_between(
                    np.arange(len(true)),
                    0,
                    1,
                    where=true,
                    color="#f1c40f",
                    alpha=0.35,
                    lw=0,
                    transform=axes.get_xaxis_transform(),
                )
        span = " to ".join(one["times"])
        above.set_title(f"{name}: {column}, {span}", fontsize=8, loc="left")
        below.set_ylabel("score", fontsize=7)
        for axes in (above, below):
            axes.tick_params(labelsize=7)
            axes.set_xlim(0, max(len(scores) - 1, 1))
        above.set_xticklabels([])
    figure.savefig(path)


def picture_of(
    one: Watched,
    scores: Array,
    alarms: NDArray[np.bool_],
    rows: slice,
    labels: NDArray[np.bool_] | None,
) -> dict[str, Any]:
    """First column, scores, alarms and truth of the rows in at most 2,000 pieces: the highest score
    of each piece is kept."""
    values, some = one.values[rows, 0], scores[rows]
    step = -(-len(values) // _DRAWN)
    cuts = [slice(i, i + step) for i in range(0, len(values), step)]
    peaks = [some[c][~np.isnan(some[c])].max(initial=-1.0) for c in cuts]
    return {
        "times": [one.times[rows][0], one.times[rows][-1]] if len(values) else [],
        "values": values[::step].tolist(),
        "scores": [None if p < 0 else float(p) for p in peaks],
        "alarms": [bool(alarms[rows][c].any()) for c in cuts],
        "true": None if labels is None else [bool(labels[c].any()) for c in cuts],
    }
