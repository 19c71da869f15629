"""Pictures of attention: what a decoder looked at when it wrote each token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from carousel.tasks.shared.fonts import lettering, shown

_COLUMNS = 2
_CELL = 0.3  # inches


@dataclass(frozen=True)
class AttentionPanel:
    """read, said: a label per token. weights: a row of len(read) numbers per token said."""

    read: Sequence[str]
    said: Sequence[str]
    weights: Sequence[Sequence[float]]


def draw_attention(panels: Sequence[AttentionPanel], path: Path) -> str:
    """A PNG with a grid per sentence: what was read from left to right, what was said downwards.

    Returns the characters that no installed font has, each once; they are drawn as empty boxes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    width = max(len(panel.read) for panel in panels) * _CELL + 1.6
    height = max(len(panel.said) for panel in panels) * _CELL + 1.2
    with lettering(label for panel in panels for label in (*panel.read, *panel.said)) as missing:
        figure = Figure(figsize=(columns * width, rows * height), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        for number, panel in enumerate(panels, 1):
            axes = figure.add_subplot(rows, columns, number)
            axes.imshow(panel.weights, cmap="Blues", vmin=0, vmax=1, aspect="equal")
            labels = [shown(label, missing) for label in panel.read]
            axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=8)
            labels = [shown(label, missing) for label in panel.said]
            axes.set_yticks(range(len(labels)), labels, fontsize=8)
            axes.xaxis.tick_top()
            axes.tick_params(length=0)
            axes.set_xticks([i - 0.5 for i in range(1, len(panel.read))], minor=True)
            axes.set_yticks([i - 0.5 for i in range(1, len(panel.said))], minor=True)
            axes.grid(which="minor", color="#ddd", lw=0.5)
            axes.tick_params(which="minor", length=0)
        figure.savefig(path)
    return missing
