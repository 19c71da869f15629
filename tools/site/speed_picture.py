"""The picture of speed on the front page, from the tables of docs/performance.md.

`python tools/site/speed_picture.py` writes docs/images/speed.png: for each cell and use, the time
of `torch.nn` over ours in every row and on every machine, and their geometric mean.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parent))
from performance import DOCS, PAGE

PICTURE = DOCS / "images" / "speed.png"
_ROW = re.compile(r"^\| (\S+) (LSTM|GRU|RNN) (training|inference|stream) \|(.*)\|$", re.M)
_RATIO = re.compile(r"\*\*([\d.]+)\*\*")
_SECTION = re.compile(r"<!-- (.+?): start -->\n(.*?)<!-- \1: end -->", re.S)
_USES = {
    "training": "training",
    "inference": "inference",
    "packed": "rows of unequal length",
    "stream": "one step of a stream",
}
_TICKS = (1, 2, 5, 10, 20, 50)


def ratios(page: str) -> dict[tuple[str, str], list[float]]:
    """Ratios of all rows and machines, by use and cell, as the tables of time print them.

    >>> rows = "| a LSTM training | 1×2×3×4 | **1.50** (2 ms) | **2.00** (1 ms) |\\n"
    >>> ratios(f"<!-- Dense: start -->\\n{rows}<!-- Dense: end -->")
    {('training', 'LSTM'): [1.5, 2.0]}
    """
    found: dict[tuple[str, str], list[float]] = {}
    tables = [rows for title, rows in _SECTION.findall(page) if not title.startswith("Memory")]
    for name, cell, use, cells in _ROW.findall("".join(tables)):
        group = "packed" if name == "tagger" else use
        found.setdefault((group, cell), []).extend(map(float, _RATIO.findall(cells)))
    return found


def draw(found: dict[tuple[str, str], list[float]], path: Path) -> None:
    """Write the picture: a dot per row and machine, a bar at the geometric mean."""
    figure = Figure(figsize=(7.2, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    y, marks = 0.0, []
    for use, title in _USES.items():
        axis.text(1.06, y, title, weight="bold", size=13, va="center")
        for cell, color in (("LSTM", "#c2410c"), ("GRU", "#0f766e"), ("RNN", "#4338ca")):
            y += 1
            values = found[use, cell]
            mean = math.exp(sum(map(math.log, values)) / len(values))
            axis.plot(values, [y] * len(values), "o", ms=7, color=color, alpha=0.3, mew=0)
            axis.plot([mean], [y], "|", ms=17, mew=3.5, color=color)
            axis.text(170, y, f"{mean:.1f} ×", size=13, va="center", ha="right", color=color)
            marks.append((y, cell))
        y += 1.25
    axis.axvline(1, color="black", lw=1.2)
    axis.set_xscale("log")
    axis.minorticks_off()
    axis.set_xlim(0.7, 175)
    axis.set_xticks(_TICKS, [f"{tick:g} ×" for tick in _TICKS], size=13)
    axis.set_yticks(*zip(*marks, strict=True), size=13)
    axis.set_ylim(y - 0.4, -0.8)
    axis.set_title("torch.nn's time over Carousel's, every row on three machines", size=13.5)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    figure.savefig(path, dpi=125)


if __name__ == "__main__":
    draw(ratios(PAGE.read_text(encoding="utf-8")), PICTURE)
