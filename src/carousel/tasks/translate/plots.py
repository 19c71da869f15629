"""Pictures of attention: what a decoder looked at when it wrote each token."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_BOX = "□"
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
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    fonts, missing = fonts_for(
        {c for panel in panels for label in (*panel.read, *panel.said) for c in label}
    )
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    width = max(len(panel.read) for panel in panels) * _CELL + 1.6
    height = max(len(panel.said) for panel in panels) * _CELL + 1.2
    with rc_context({"font.family": fonts}):
        figure = Figure(figsize=(columns * width, rows * height), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        for number, panel in enumerate(panels, 1):
            axes = figure.add_subplot(rows, columns, number)
            axes.imshow(panel.weights, cmap="Blues", vmin=0, vmax=1, aspect="equal")
            labels = [_shown(label, missing) for label in panel.read]
            axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=8)
            labels = [_shown(label, missing) for label in panel.said]
            axes.set_yticks(range(len(labels)), labels, fontsize=8)
            axes.xaxis.tick_top()
            axes.tick_params(length=0)
            axes.set_xticks([i - 0.5 for i in range(1, len(panel.read))], minor=True)
            axes.set_yticks([i - 0.5 for i in range(1, len(panel.said))], minor=True)
            axes.grid(which="minor", color="#ddd", lw=0.5)
            axes.tick_params(which="minor", length=0)
        figure.savefig(path)
    return missing


def fonts_for(characters: Iterable[str]) -> tuple[list[str], str]:
    """Fonts that have these characters among them, and the characters that no font has, sorted."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager
    from matplotlib.ft2font import FT2Font

    missing = {c for c in characters if not c.isspace()}
    fonts = ["DejaVu Sans"]  # it comes with Matplotlib
    missing -= set(map(chr, FT2Font(findfont(FontProperties(family=fonts))).get_charmap()))
    if missing:
        for entry in sorted(fontManager.ttflist, key=lambda entry: entry.name):
            found = missing & set(map(chr, FT2Font(entry.fname).get_charmap()))
            # "Last Resort" has a placeholder for every character there is.
            if found and "Last Resort" not in entry.name and entry.name not in fonts:
                fonts.append(entry.name)
                missing -= found
    return fonts, "".join(sorted(missing))


def _shown(label: str, missing: str) -> str:
    text = "".join(_BOX if c in missing else c for c in label)
    return text.replace("$", r"\$")  # else Matplotlib reads mathematics
