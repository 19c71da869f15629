"""Curves as SVG, in the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from carousel.html import Child, Html, tag

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 460, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 14, 42
_MOST = 400  # points of a curve


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from low to high, about so many.

    >>> ticks(0.0, 1.0), ticks(3, 11, 4)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [4.0, 6.0, 8.0, 10.0])
    """
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def curves(
    title: str, across: str, series: Mapping[str, Points], best: tuple[float, float] | None = None
) -> Html | None:
    """A figure of curves by their names, with a dot at `best`; None if there is no point."""
    kept = {name: _thin(points) for name, points in series.items()}
    kept = {name: points for name, points in kept.items() if points}
    if not kept:
        return None
    xs = [x for points in kept.values() for x, _ in points]
    ys = [y for points in kept.values() for _, y in points]
    x0, x1 = _wide(min(xs), max(xs))
    y0, y1 = _wide(min(ys), max(ys))

    def place(x: float, y: float) -> tuple[float, float]:
        right = _LEFT + (x - x0) / (x1 - x0) * (_WIDTH - _LEFT - _RIGHT)
        down = _HEIGHT - _BOTTOM - (y - y0) / (y1 - y0) * (_HEIGHT - _TOP - _BOTTOM)
        return round(right, 1), round(down, 1)

    drawn: list[Child] = []
    for y in ticks(y0, y1):
        _, down = place(x0, y)
        drawn.append(tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=down, y2=down, class_="grid"))
        drawn.append(tag("text", f"{y:g}", x=_LEFT - 6, y=down + 5, class_="tick right"))
    for x in ticks(x0, x1):
        if x == int(x):
            right, _ = place(x, y0)
            drawn.append(tag("text", f"{x:g}", x=right, y=_HEIGHT - 22, class_="tick middle"))
    drawn.append(tag("text", across, x=_WIDTH - _RIGHT, y=_HEIGHT - 4, class_="tick right"))
    for number, points in enumerate(kept.values(), 1):
        line = " ".join(f"{a},{b}" for a, b in (place(x, y) for x, y in points))
        drawn.append(tag("polyline", points=line, class_=f"line c{number}"))
        if len(points) == 1:
            a, b = place(*points[0])
            drawn.append(tag("circle", cx=a, cy=b, r=3, class_=f"dot c{number}"))
    if best is not None and y0 <= best[1] <= y1:
        a, b = place(*best)
        drawn.append(tag("circle", cx=a, cy=b, r=4.5, class_="best"))
    picture = tag(
        "svg",
        tag("title", title),
        *drawn,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
    )
    keys = [tag("span", tag("i", class_=f"key k{n}"), name) for n, name in enumerate(kept, 1)]
    return tag("figure", tag("figcaption", tag("b", title), *keys), picture)


def bar(share: float) -> Html:
    """A bar of a share of the width, 0 to 1."""
    width = max(0.0, min(1.0, share)) * 100
    return tag("span", tag("i", style=f"width:{width:.1f}%"), class_="bar")


def _thin(points: Points) -> list[tuple[float, float]]:
    finite = [(x, y) for x, y in points if y is not None and math.isfinite(y)]
    step = max(1, math.ceil(len(finite) / _MOST))
    return finite[::step] + ([finite[-1]] if finite and (len(finite) - 1) % step else [])


def _wide(low: float, high: float) -> tuple[float, float]:
    if low == high:
        room = abs(low) * 0.1 or 1.0
        return low - room, high + room
    return low, high
