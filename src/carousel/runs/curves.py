"""The curves of several runs in one picture."""

from __future__ import annotations

from pathlib import Path

from carousel import scores
from carousel.runs.comparison import Comparison, Group

# Okabe and Ito's colours, told apart by every kind of colour vision, then by dashes.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_DASHES = ("-", "--", ":", "-.")
_MOST_WORDS = 60


def draw(found: Comparison, path: Path) -> None:
    """A PNG: loss on the training data, and the metric that chooses the best epoch, by epoch.

    A line for every run, a colour for every group, a dot at each best epoch.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2)
    for axes, part in zip(panels, ("train", "validation"), strict=True):
        metric = "loss" if part == "train" else found.groups[0].monitor or "loss"
        for number, group in enumerate(found.groups):
            colour = _COLOURS[number % len(_COLOURS)]
            dash = _DASHES[number // len(_COLOURS) % len(_DASHES)]
            for index, run in enumerate(group.runs):
                points = [
                    (epoch["epoch"], epoch[part][metric])
                    for epoch in run.epochs
                    if metric in epoch.get(part, {})
                ]
                label = _label(group) if index == 0 else None
                axes.plot(*zip(*points, strict=True), dash, color=colour, lw=1.4, label=label)
                if part == "validation" and run.best is not None:
                    axes.plot(*run.best, "o", color=colour, ms=5)
        axes.set_xlabel("epoch")
        axes.set_title(f"{scores.title(metric)}, {'training' if part == 'train' else part}")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", fontsize=9, frameon=False)
    figure.savefig(path)


def _label(group: Group) -> str:
    said = ", ".join(f"{name}={value}" for name, value in group.settings.items()) or "seeds alone"
    cut = said if len(said) <= _MOST_WORDS else said[: _MOST_WORDS - 1] + "…"
    return f"{group.name}: {cut} ({len(group.runs)} run{'s' * (len(group.runs) > 1)})"
