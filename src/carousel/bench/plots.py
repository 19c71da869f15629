"""The results as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from carousel.bench.results import OURS, SGEMM, Results, Row

_AXES = {
    "T": "steps T (B = 32, H = 128)",
    "H": "hidden units H = I (T = 50, B = 32)",
    "B": "rows B (T = 50, H = 128)",
    "threads": "threads (T = 50, B = 64, H = 128)",
}


_RATIOS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def write_plots(results: Results, folder: Path) -> list[Path]:
    """bench-ratios.png and bench-scaling.png, as far as there are rows for them."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    rows = results.suite("dense", "odd", "ragged", "stream")
    if rows:
        written.append(_ratios(rows, folder / "bench-ratios.png"))
    if results.suite("scaling"):
        written.append(_scaling(results.suite("scaling"), folder / "bench-scaling.png"))
    return written


def _figure(columns: int, width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _ratios(rows: tuple[Row, ...], path: Path) -> Path:
    """Time of every peer over ours, with quartiles, one panel per mode."""
    modes = [mode for mode in ("training", "inference", "stream") if _of(rows, mode)]
    tallest = max(len(_of(rows, mode)) for mode in modes)
    figure, axes = _figure(len(modes), 5 * len(modes), 1.5 + 0.22 * tallest)
    peers = list(dict.fromkeys(peer for row in rows for peer in row.peers))
    for axis, mode in zip(axes, modes, strict=True):
        chosen = _of(rows, mode)
        for color, peer in enumerate(peers):
            points = [
                (spread.median, y, spread.median - spread.low, spread.high - spread.median)
                for y, row in enumerate(chosen)
                if (spread := row.ratio(peer))
            ]
            if points:
                x, y, low, high = zip(*points, strict=True)
                axis.errorbar(x, y, xerr=(low, high), fmt="o", ms=4, color=f"C{color}", label=peer)
        axis.axvline(1, color="black", lw=1)
        axis.set_xscale("log")
        axis.minorticks_off()
        low, high = axis.get_xlim()
        axis.set_xticks(*zip(*((x, f"{x:g}") for x in _RATIOS if low <= x <= high), strict=True))
        axis.set_yticks(range(len(chosen)), [f"{r.case.name} {r.case.cell}" for r in chosen])
        axis.set_ylim(len(chosen) - 0.5, -0.5)
        axis.set_xlabel(f"time of the peer / time of {OURS}")
        axis.set_title(mode)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.grid(axis="x", alpha=0.3)
    labels = {label: dot for axis in axes for dot, label in zip(*_legend(axis), strict=True)}
    figure.legend(labels.values(), labels.keys(), loc="outside upper center", ncols=len(labels))
    figure.savefig(path, dpi=120)
    return path


def _legend(axis: Any) -> tuple[list[Any], list[str]]:
    handles, labels = axis.get_legend_handles_labels()
    return handles, labels


def _of(rows: tuple[Row, ...], mode: str) -> list[Row]:
    return [row for row in rows if row.case.mode == mode]


def _scaling(rows: tuple[Row, ...], path: Path) -> Path:
    """Seconds per training step against T, H, B and threads, on logarithmic axes."""
    axes_of = {row.case.name.split("=")[0] for row in rows}
    names = [name for name in _AXES if name in axes_of]
    figure, axes = _figure(len(names), 4 * len(names), 4)
    for axis, name in zip(axes, names, strict=True):
        chosen = [row for row in rows if row.case.name.split("=")[0] == name]
        for color, cell in enumerate(dict.fromkeys(row.case.cell for row in chosen)):
            for peer, style in zip(_contestants(chosen), ("-o", "--s", ":^", "-.v"), strict=False):
                points = sorted(
                    (int(row.case.name.split("=")[1]), row.seconds(peer) * 1e3)
                    for row in chosen
                    if row.case.cell == cell and peer in row.samples
                )
                x, y = np.array(points).T
                axis.plot(x, y, style, ms=4, color=f"C{color}", label=f"{cell}, {peer}")
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xlabel(_AXES[name])
        axis.set_ylabel("ms per training step")
        axis.grid(alpha=0.3, which="both")
        axis.legend(fontsize="small")
    figure.savefig(path, dpi=120)
    return path


def _contestants(rows: list[Row]) -> list[str]:
    return [n for n in dict.fromkeys(n for row in rows for n in row.samples) if n not in SGEMM]
