"""The picture of a backtest: forecasts beside what came, and errors by step and by window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from carousel import scores
from carousel.backtest.windows import NETWORK, Forecast

_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#f0e442", "#999999")
_DASHES = ("-", "--", ":")
_NETWORK = "#c0392b"
#: A legend beside its panel, where it hides no line.
_BESIDE: dict[str, Any] = {
    **{"fontsize": 8, "loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0}
}


def draw(windows: Forecast, result: dict[str, Any], path: Path) -> None:
    """Write a PNG of three panels: a series with every window's forecast and interval; the
    metric by steps ahead, over all windows; and the metric of each window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 9), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    upper, middle, lower = figure.subplots(3, 1)
    _series(upper, windows, result)
    _errors(middle, result, result["per_step"], "steps ahead")
    each = [one["scores"] for one in result["windows"]]
    by_window = {name: [one[name] for one in each] for name in windows.found}
    _errors(lower, result, by_window, "window")
    middle.legend(**_BESIDE)
    figure.savefig(path)


def title_of(name: str, result: dict[str, Any]) -> str:
    """A forecaster's name in words: the network is called by its recipe."""
    return str(result["recipe"]) if name == NETWORK else scores.baseline(name)


def _series(axes: Any, windows: Forecast, result: dict[str, Any]) -> None:
    count, horizon, _ = windows.truth.values.shape
    origins = result["plan"]["origins"]
    found = windows.found[NETWORK]
    place = _shown(windows)
    for n in range(count):
        steps = origins[0] - origins[n] + np.arange(1, horizon + 1)
        label = dict.fromkeys(("truth", "forecast", "interval"), "")
        if n == 0:
            label = {"truth": "measured", "forecast": title_of(NETWORK, result), "interval": "80 %"}
        axes.plot(steps, windows.truth.values[n, :, place], c="#555", lw=1.2, label=label["truth"])
        axes.plot(steps, found.forecast[n, :, place], c=_NETWORK, lw=1.4, label=label["forecast"])
        if found.low is not None and found.high is not None:
            ends = found.low[n, :, place], found.high[n, :, place]
            said = label["interval"]
            axes.fill_between(steps, *ends, color=_NETWORK, alpha=0.2, lw=0, label=said)
        axes.axvline(steps[0] - 0.5, color="#bbb", lw=0.8)
    axes.set_title(f"{result['series'][place]}, forecast from {count} origins", fontsize=9)
    axes.set_xlabel(f"steps from {result['windows'][0]['first']}", fontsize=8)
    axes.legend(**_BESIDE)


def _shown(windows: Forecast) -> int:
    """Number of the first series of which something was measured in every window."""
    measured = (~np.isnan(windows.truth.values)).any(1).all(0)
    return int(measured.argmax())


def stroke(place: int) -> tuple[str, str]:
    """Colour and dash of the line of a baseline: no two of them are alike.

    >>> stroke(0), stroke(7)
    (('#0072b2', '-'), ('#0072b2', '--'))
    """
    round_, colour = divmod(place, len(_COLOURS))
    return _COLOURS[colour], _DASHES[round_ % len(_DASHES)]


def _errors(axes: Any, result: dict[str, Any], found: dict[str, Any], along: str) -> None:
    """Lines of the metric; gaps where nothing was measured, or the metric is undefined."""
    from matplotlib.ticker import MaxNLocator

    metric = result["metric"]
    for place, (name, some) in enumerate(found.items()):
        colour, dash = (_NETWORK, "-") if name == NETWORK else stroke(place - 1)
        values = [one.get(metric, np.nan) for one in some]
        width, zorder = (2, 3) if name == NETWORK else (1.2, 2)
        said = title_of(name, result)
        axes.plot(
            range(1, len(values) + 1), values, "o", ms=3, c=colour, ls=dash, lw=width, label=said,
            zorder=zorder,
        )  # fmt: skip
    axes.set_ylabel(scores.title(metric), fontsize=8)
    axes.set_xlabel(along, fontsize=8)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
