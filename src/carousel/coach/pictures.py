"""Pictures of what went on inside a layer, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.coach.inside import Reading, left_at_the_end, order_of_units
from carousel.coach.traces import Trace

# Blue and orange, told apart by every kind of colour vision.
NEGATIVE, MIDDLE, POSITIVE = "#2b6cb0", "#f7f7f7", "#dd7a12"
_MOST_NAMES = 60
_AS_MAP: dict[str, Any] = {"aspect": "auto", "interpolation": "nearest"}
_TICKS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


def draw(
    reading: Reading,
    found: Trace,
    title: str,
    measured: str,
    steps: Sequence[str],
    path: Path,
    image: NDArray[np.generic] | None = None,
) -> None:
    """One layer in one direction, all its maps over the same steps, one below the other.

    title: of the example. measured: whose gradient it is. steps: their names, or none.
    image (T, F): the input itself, drawn above the maps.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    T, H = len(reading.influence), found.output.shape[2]
    names = list(steps) if len(steps) == T else []
    heights = ([1.2, 1.2] if image is not None else []) + [0.8, 0.9] + [1.25] * len(found.parts)
    width = float(np.clip(3.2 + 0.2 * T, 8.5, 15))
    figure = Figure(figsize=(width, 1.3 + sum(heights)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(
        len(heights),
        2,
        sharex="col",
        gridspec_kw={"height_ratios": heights, "width_ratios": (9, 1)},
    )
    for axes in grid[:, 1]:
        axes.set_axis_off()
    rows = iter(grid)
    if image is not None:
        _draw_image(next(rows)[0], image)
        axes = next(rows)[0]
        _draw_signed(figure, axes, reading.gradient.T)
        _label(axes, "its gradient")
    _draw_influence(next(rows)[0], reading.influence, measured)
    _draw_lines(next(rows)[0], found)
    order = order_of_units(found)
    for name, part in found.parts.items():
        axes, side = next(rows)
        _draw_map(figure, axes, name, part[:, 0].cpu().numpy().T, order, found)
        if name == found.spec.keeps.removeprefix("1-"):
            _draw_half_lives(side, found, order)
    last = grid[-1, 0]
    last.set_xlim(-0.5, T - 0.5)
    _name_steps(last, names)
    where = f"{reading.name}, {found}, {found.cell}({H})"
    figure.suptitle(_plain(f"{title}\n{where}"), fontsize=10)
    figure.savefig(path)


def _draw_image(axes: Any, image: NDArray[np.generic]) -> None:
    axes.imshow(image.T, cmap="gray", aspect="auto", interpolation="nearest")
    axes.set_yticks(())
    _label(axes, "the input")


def _draw_influence(axes: Any, influence: NDArray[np.float32], measured: str) -> None:
    axes.bar(range(len(influence)), influence, color="#555", width=0.85)
    _label(axes, "influence")
    axes.set_title(f"size of the gradient of {_plain(measured)}", fontsize=7.5, loc="left", pad=2)
    axes.tick_params(labelsize=6.5)


def _draw_lines(axes: Any, found: Trace) -> None:
    """Draw the opening of the input gate, and the share of each step's memory left at the end."""
    steps = range(found.x.shape[0])
    opened, left = opening(found), left_at_the_end(found)
    if opened is None and left is None:
        axes.text(0.01, 0.5, "no gates", transform=axes.transAxes, fontsize=8, va="center")
        axes.set_yticks(())
        return
    if opened is not None:
        axes.plot(steps, opened, color=POSITIVE, marker="o", ms=2.5, lw=1.3, label=_opened(found))
    if left is not None:
        axes.plot(
            steps, left, color=NEGATIVE, ls="--", lw=1.5, label="of its memory left at the end"
        )
    axes.set_ylim(-0.03, 1.03)
    axes.tick_params(labelsize=6.5)
    _label(axes, "mean of units")
    axes.legend(fontsize=7, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 0.97), frameon=False)


def opening(found: Trace) -> NDArray[np.float32] | None:
    """Share of each step let into memory, averaged over units (T,); None without a gate."""
    let_in = found.let_in
    if let_in is None:
        return None
    mean: NDArray[np.float32] = let_in[:, 0].detach().mean(1).cpu().numpy()
    return mean


def _opened(found: Trace) -> str:
    words = found.spec.words[found.spec.admits.removeprefix("1-")]
    return words if words.startswith("input") else f"let in ({words})"


def _draw_map(figure: Any, axes: Any, name: str, values: Any, order: Any, found: Trace) -> None:
    ordered = values[order] if len(order) == len(values) else values  # projected: P rows
    if name in found.gates:
        drawn = axes.imshow(ordered, cmap="viridis", vmin=0, vmax=1, **_AS_MAP)
        figure.colorbar(drawn, ax=axes, pad=0.01, aspect=8).ax.tick_params(labelsize=6)
    else:
        _draw_signed(figure, axes, ordered)
    _label(axes, f"{found.spec.words[name]} {name}")
    axes.set_yticks(())
    equation = next(part.equation for part in found.spec.parts if part.name == name)
    if equation:
        axes.set_title(equation, fontsize=7, loc="left", pad=2)


def _draw_signed(figure: Any, axes: Any, values: Any) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    colors = LinearSegmentedColormap.from_list("both", (NEGATIVE, MIDDLE, POSITIVE))
    end = limit(values)
    drawn = axes.imshow(values, cmap=colors, vmin=-end, vmax=end, **_AS_MAP)
    figure.colorbar(drawn, ax=axes, pad=0.01, aspect=8).ax.tick_params(labelsize=6)
    axes.set_yticks(())


def limit(values: Any) -> float:
    """The end of a scale on both sides of zero: the largest magnitude, a rare outlier cut off."""
    return float(max(np.quantile(np.abs(values), 0.995), 1e-6))


def _draw_half_lives(axes: Any, found: Trace, order: NDArray[np.int64]) -> None:
    half_life = found.half_life
    if half_life is None:
        return
    lives = half_life.cpu().numpy()[order].clip(0.1, 1e4)
    axes.set_axis_on()
    axes.barh(range(len(lives)), lives, height=1.0, color=NEGATIVE)
    axes.set_ylim(len(lives) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_yticks(())
    low, high = lives.min() / 2, lives.max() * 1.2
    ticks = [t for t in _TICKS if low <= t <= high][-4:]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xticks((), minor=True)
    axes.set_xlim(low, high)
    axes.tick_params(labelsize=6.5, labelbottom=True)
    axes.set_title("half-life, steps", fontsize=7)


def _label(axes: Any, text: str) -> None:
    axes.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8)


def _name_steps(axes: Any, names: Sequence[str]) -> None:
    if not names or len(names) > _MOST_NAMES or not drawable("".join(names)):
        axes.set_xlabel("step" if not names else "step (their names are in the page)", fontsize=8)
        axes.tick_params(axis="x", labelsize=7)
        return
    axes.set_xticks(range(len(names)), [_plain(name[:16]) for name in names])
    axes.tick_params(axis="x", labelsize=7.5, rotation=60 if max(map(len, names)) > 2 else 0)


def drawable(text: str) -> bool:
    """True if the font of the pictures has a glyph for every character of a text."""
    return all(ord(c) in _glyphs() for c in text if not c.isspace())


def _plain(text: str) -> str:
    """A text as matplotlib draws it: no formulas in it, and boxes in place of missing glyphs."""
    text = text.replace("$", r"\$")
    return "".join(c if c.isspace() or ord(c) in _glyphs() else "□" for c in text)


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib import font_manager

    path = font_manager.findfont("DejaVu Sans")
    return frozenset(font_manager.get_font(path).get_charmap())
