"""Pictures of how a task went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from carousel.tasks.shared.fonts import lettering, shown

#: Letters of a class that fit below a cell of a confusion matrix; of longer ones, what gets room.
_BESIDE, _LONGEST_NAME = 6, 40


def draw_confusion(confusion: list[list[int]], classes: Sequence[str], path: Path) -> None:
    """A PNG of the confusion matrix: counts written out, mistakes shaded by share of their row.

    Names in letters that no installed font has are drawn as boxes, and the picture says so.
    """
    with lettering(classes) as missing:
        _draw_confusion(confusion, [shown(name, missing) for name in classes], missing, path)


def _draw_confusion(
    confusion: list[list[int]], classes: Sequence[str], missing: str, path: Path
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    counts = np.array(confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    mistakes = shares.copy()
    np.fill_diagonal(mistakes, np.nan)  # the diagonal would drown them
    side = 1.8 + 0.52 * len(classes)
    longest = max(map(len, classes), default=0)
    room = 0.08 * max(0, min(longest, _LONGEST_NAME) - _BESIDE)  # names need it on both axes
    figure = Figure(figsize=(side + room, side + room), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    worst = max(float(np.nanmax(mistakes)), 1e-9) if len(classes) > 1 else 1.0
    axes.set_facecolor("#e8f1e4")
    axes.imshow(mistakes, cmap="OrRd", vmin=0, vmax=worst)
    for i, j in np.ndindex(counts.shape):
        dark = i != j and mistakes[i, j] > 0.6 * worst
        if counts[i, j]:
            axes.text(
                j,
                i,
                f"{counts[i, j]}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "black",
                weight="bold" if i == j else "normal",
            )
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    break_ = "\n" if len(classes) < 4 else " "  # a narrow picture would cut one line off
    axes.set_title(f"Accuracy {accuracy:.2%}{break_}on {counts.sum():,} examples", fontsize=11)
    axes.set_xlabel("predicted class" + _without_font(missing))
    axes.set_ylabel("true class")
    axes.set_xticks(range(len(classes)), classes, rotation=90 if longest > _BESIDE else 0)
    axes.set_yticks(range(len(classes)), classes)
    axes.tick_params(length=0)
    figure.savefig(path)


def _without_font(missing: str) -> str:
    """A line for a picture in which letters are missing.

    >>> _without_font("긍정")
    '\\n□: one of 2 letters that no installed font has'
    """
    return f"\n□: one of {len(missing)} letters that no installed font has" if missing else ""


def draw_timelines(recordings: dict[str, Any], classes: Sequence[str], path: Path) -> None:
    """A PNG with two stripes per recording: true labels above, guessed ones below.

    recordings: by name, "labels" and "guess" per frame; labels below 0 are left white, and so is
    the guess there.
    """
    with lettering([*classes, *recordings]) as missing:
        rows = {shown(name, missing): row for name, row in recordings.items()}
        _draw_timelines(rows, [shown(name, missing) for name in classes], missing, path)


def _draw_timelines(
    recordings: dict[str, Any], classes: Sequence[str], missing: str, path: Path
) -> None:
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    colors = [colormaps["tab20"](i % 20) for i in range(len(classes))]
    count = len(recordings)
    figure = Figure(figsize=(10, 1.1 + 0.62 * count), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(count, 1, squeeze=False)[:, 0]
    for axes, (name, row) in zip(rows, recordings.items(), strict=True):
        truth, guess = np.array(row["labels"]), np.array(row["guess"])
        stripes = np.ma.masked_less(np.stack((truth, np.where(truth < 0, -1, guess))), 0)
        axes.imshow(
            stripes,
            cmap=ListedColormap(colors),
            vmin=-0.5,
            vmax=len(classes) - 0.5,
            aspect="auto",
            interpolation="nearest",
        )
        axes.set_yticks((0, 1), ("true", "found"), fontsize=7)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        axes.tick_params(length=0, labelsize=7)
    handles = [Patch(color=c, label=n) for c, n in zip(colors, classes, strict=True)]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=min(6, len(classes)), fontsize=8
    )
    if missing:
        figure.supxlabel(_without_font(missing).strip(), fontsize=8)
    figure.savefig(path)


def draw_forecasts(examples: list[dict[str, Any]], context: int, name: str, path: Path) -> None:
    """A PNG of some windows: what was read, what came, what was forecast, and the interval.

    examples: "start", "truth" (context and horizon), "low", "forecast", "high" (horizon).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.2 * len(examples)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(examples), 1, squeeze=False)[:, 0]
    for axes, example in zip(rows, examples, strict=True):
        truth, horizon = example["truth"], len(example["forecast"])
        ahead = range(1, horizon + 1)
        axes.plot(range(1 - context, horizon + 1), truth, color="#555", lw=1.2, label="measured")
        axes.plot(ahead, example["forecast"], color="#c0392b", lw=1.6, label="forecast")
        if example["low"] != example["high"]:
            axes.fill_between(
                ahead, example["low"], example["high"], color="#c0392b", alpha=0.2, label="80 %"
            )
        axes.axvline(0.5, color="#bbb", lw=0.8)
        axes.set_title(f"{name}, forecast from {example['start']} on", fontsize=9)
        axes.tick_params(labelsize=8)
    rows[0].legend(fontsize=8, loc="upper left")
    rows[-1].set_xlabel("steps from the first forecast", fontsize=8)
    figure.savefig(path)


def draw_numbers(pairs: list[list[float]], path: Path) -> None:
    """A PNG of (true, found) numbers, with the line where they agree."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    truth, guess = np.array(pairs).T
    figure = Figure(figsize=(5, 5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    ends = [min(truth.min(), guess.min()), max(truth.max(), guess.max())]
    axes.plot(ends, ends, color="#888", lw=1)
    axes.scatter(truth, guess, s=9, alpha=0.6, color="#c0392b", linewidths=0)
    axes.set_xlabel("true number")
    axes.set_ylabel("found number")
    figure.savefig(path)
