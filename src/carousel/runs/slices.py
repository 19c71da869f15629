"""The picture of a sweep: a panel for each setting, and how much it matters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from carousel import scores
from carousel.runs.sweeps import read_by

_COLOURS = {"ended": "#0072b2", "pruned": "#999999"}
_ACROSS = 3


def draw(result: dict[str, Any], path: Path) -> None:
    """Write slices of a sweep, the metric over each setting that was searched, as a picture.

    Trials that were given up are grey, at the best that they had reached; the best one has a ring.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    names = [*result["over"]]
    across = min(len(names), _ACROSS)
    down = -(-len(names) // across)
    figure = Figure(figsize=(4 * across, 3 * down), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(down, across, squeeze=False)
    for place, name in enumerate(names):
        _slice(axes[place // across][place % across], result, name)
    for place in range(len(names), down * across):
        axes[place // across][place % across].set_axis_off()
    figure.savefig(path)


def points(result: dict[str, Any], name: str) -> list[tuple[Any, float, str, int]]:
    """(value of a setting, metric, state, number) of the trials that read it and measured."""
    return [
        (read_by(one, name), one["value"], one["state"], one["number"])
        for one in result["trials"]
        if one["value"] is not None and read_by(one, name) is not None
    ]


def _slice(axis: Any, result: dict[str, Any], name: str) -> None:
    found = points(result, name)
    over = result["over"][name]
    is_range = "values" not in over
    labels = [] if is_range else [str(value) for value in over["values"]]
    for state, colour in _COLOURS.items():
        some = [one for one in found if one[2] == state]
        xs = [one[0] if is_range else labels.index(str(one[0])) for one in some]
        axis.scatter(xs, [one[1] for one in some], s=18, c=colour, label=state)
    for value, metric, _, number in found:
        if number == result["best"]:
            x = value if is_range else labels.index(str(value))
            axis.scatter([x], [metric], s=90, facecolors="none", edgecolors="#d55e00")
    if is_range:  # all that is searched, however few trials there are yet
        if over["log"]:
            axis.set_xscale("log")
        axis.set_xlim(*_around(over["low"], over["high"], over["log"]))
    else:
        axis.set_xticks(range(len(labels)), labels)
    share = result["importance"].get(name)
    axis.set_title(name if share is None else f"{name}  {share:.0%}", fontsize=9)
    axis.set_ylabel(f"validation {scores.title(result['metric'])}", fontsize=8)


def _around(low: float, high: float, log: bool) -> tuple[float, float]:
    """A range with room for the points at its ends."""
    if log:
        return low / 1.2, high * 1.2
    room = 0.04 * (high - low) or 1.0
    return low - room, high + room
