"""Pictures of how a task went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def draw_confusion(confusion: list[list[int]], classes: Sequence[str], path: Path) -> None:
    """A PNG of the confusion matrix: counts written out, mistakes shaded by share of their row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    counts = np.array(confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    mistakes = shares.copy()
    np.fill_diagonal(mistakes, np.nan)  # the diagonal would drown them
    side = 1.8 + 0.52 * len(classes)
    figure = Figure(figsize=(side, side), dpi=120, layout="constrained")
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
    axes.set_title(f"Accuracy {accuracy:.2%} on {counts.sum():,} examples", fontsize=11)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.tick_params(length=0)
    figure.savefig(path)
