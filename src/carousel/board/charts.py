"""ECharts options from series: plain dictionaries, of text and numbers alone.

Text from data (names of runs, titles of findings) is only ever a name, a value or a literal label,
never a template: ECharts writes names as text, in tooltips too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from carousel.board.colours import INK, PALETTE, PAPER, RULE, axis_style, tooltip_style
from carousel.board.points import Point

_FEW = 3  # points that no line shows
_SHARES = {False: ("#a9cfe8", "#0f6ca0"), True: ("#2f5f80", "#0f6ca0")}
_SEVERITY = {"severe": "#d2493a", "warning": "#e07b00", "info": "#0f8fd0"}


@dataclass(frozen=True)
class Line:
    """A named curve. faint: in the background, without a legend; dashed: as validation curves."""

    name: str
    points: list[Point]
    color: str = ""
    faint: bool = False
    dashed: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Level:
    """A horizontal guide, such as the clipping level."""

    value: float
    name: str


@dataclass(frozen=True)
class Mark:
    """A step at which something happened. severity: of a finding, or empty."""

    step: float
    name: str
    severity: str = ""


def line_chart(
    lines: Iterable[Line],
    *,
    dark: bool,
    levels: Iterable[Level] = (),
    marks: Iterable[Mark] = (),
    log: bool = False,
    zoom: bool = True,
    legend: bool = False,
    x_name: str = "",
) -> dict[str, Any]:
    """Curves over steps, with a toolbox that saves a PNG, and a zoom that reads on finer.

    legend: also of a single curve, where the title does not name it.
    """
    lines = list(lines)
    series = [_series(line, index, dark) for index, line in enumerate(lines)]
    if series:
        series[0]["markLine"] = _guides(levels, marks, dark)
    ink = INK[dark]
    named = [line.name for line in lines if not line.faint]
    axis = axis_style(dark)
    # A finger that scrolls the page may pass over a chart.
    inside = {
        "type": "inside",
        "filterMode": "none",
        "zoomOnMouseWheel": "ctrl",
        "preventDefaultMouseMove": False,
    }
    slider = {"type": "slider", "filterMode": "none", "height": 16, "bottom": 6}
    return {
        "animation": False,
        "color": list(PALETTE),
        "textStyle": {"color": ink},
        "grid": {
            "left": 8,
            "right": 44,
            "top": 34,
            "bottom": 34 if zoom else 8,
            "containLabel": True,
        },
        "legend": {
            "show": legend or len(named) > 1,
            "type": "scroll",
            "top": 2,
            "left": 8,
            "right": 72,
            "data": named,
            "textStyle": {"color": ink},
            "pageTextStyle": {"color": ink},
            "pageIconColor": ink,
        },
        "tooltip": {"trigger": "axis", **tooltip_style(dark)},
        "toolbox": {
            "right": 0,
            # Beside the slider; where there is none, the name of the axis stands there.
            **({"bottom": 2} if zoom else {"top": 2}),
            "itemSize": 13,
            "feature": {
                "saveAsImage": {"title": "PNG", "backgroundColor": PAPER[dark]},
            },
            "iconStyle": {"borderColor": ink},
        },
        "xAxis": {**axis, "type": "value", "min": "dataMin", "max": "dataMax", "name": x_name,
                  "nameLocation": "end", "nameGap": 6},
        "yAxis": {**axis, "type": "log" if log else "value", "scale": True},
        "dataZoom": [inside, slider] if zoom else [],
        "series": series,
    }  # fmt: skip


def parallel_chart(
    axes: list[tuple[str, list[Any] | None]],
    rows: list[tuple[str, list[Any]]],
    *,
    dark: bool,
) -> dict[str, Any]:
    """Parallel coordinates: a line per run over its settings and its metric.

    axes: name, and the categories where the values are no numbers.
    """
    ink = INK[dark]
    return {
        "animation": False,
        "color": list(PALETTE),
        "tooltip": {"confine": True},
        "parallel": {"left": 48, "right": 80, "top": 64, "bottom": 24},
        "parallelAxis": [
            {
                "dim": index,
                "name": name,
                "nameRotate": 12,
                "nameTextStyle": {"color": ink},
                "axisLabel": {"color": ink},
                "axisLine": {"lineStyle": {"color": RULE[dark]}},
                **({"type": "category", "data": kinds} if kinds is not None else {"scale": True}),
            }
            for index, (name, kinds) in enumerate(axes)
        ],
        "series": [
            {
                "type": "parallel",
                "name": name,
                "lineStyle": {"width": 2.5, "color": PALETTE[index % len(PALETTE)]},
                "data": [values],
            }
            for index, (name, values) in enumerate(rows)
        ],
    }


def confusion_chart(
    classes: Sequence[str],
    counts: Sequence[Sequence[int]],
    *,
    dark: bool,
    x_name: str,
    y_name: str,
) -> dict[str, Any]:
    """A heat map of counts by true (up) and found (across) class, shaded by share of the row."""
    ink = INK[dark]
    cells = [
        {
            "value": [j, len(counts) - 1 - i, count / max(sum(row), 1)],
            "name": f"{classes[i]} → {classes[j]}: {count}",
            "label": {
                "show": len(counts) <= 12 and count > 0,
                "formatter": f"{count}",
                # White only where the cell is dark.
                "color": ink if count < 0.6 * sum(row) else "#ffffff",
            },
        }
        for i, row in enumerate(counts)
        for j, count in enumerate(row)
    ]
    axis = {"type": "category", "axisLabel": {"color": ink}, "nameTextStyle": {"color": ink}}
    return {
        "animation": False,
        "grid": {"left": 12, "right": 24, "top": 28, "bottom": 28, "containLabel": True},
        "tooltip": {"confine": True, "formatter": "{b}"},
        "visualMap": {
            "show": False,
            "min": 0,
            "max": 1,
            "inRange": {"color": [PAPER[dark], *_SHARES[dark]]},
        },
        "xAxis": {**axis, "data": list(classes), "name": x_name, "nameLocation": "middle",
                  "nameGap": 26},
        "yAxis": {**axis, "data": list(reversed(classes)), "name": y_name},
        "series": [{"type": "heatmap", "data": cells, "label": {"color": ink}}],
    }  # fmt: skip


_MAPS = {
    "gate": ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"),  # viridis
    "state": ("#2b6cb0", "#f7f7f7", "#dd7a12"),
    "image": ("#000000", "#ffffff"),
}


def map_chart(
    cells: Sequence[tuple[int, int, float]],
    names: Sequence[str],
    rows: int,
    low: float,
    high: float,
    *,
    kind: str,
    dark: bool,
) -> dict[str, Any]:
    """A heat map over steps: cells of (column, row from the top, value). kind: gate, state, image.

    names: of the columns. The colours are told apart by every kind of colour vision.
    """
    ink = INK[dark]
    return {
        "animation": False,
        "grid": {"left": 8, "right": 96, "top": 8, "bottom": 8, "containLabel": True},
        "tooltip": {"confine": True},
        "xAxis": {"type": "category", "data": list(names), "axisLabel": {"color": ink}},
        "yAxis": {"type": "category", "data": [f"{i}" for i in range(rows)], "inverse": True,
                  "show": False},
        "visualMap": {
            "min": low, "max": high, "calculable": True, "right": 0, "top": "middle",
            "itemHeight": 110, "precision": 2, "textStyle": {"color": ink},
            "inRange": {"color": list(_MAPS[kind])},
        },
        "series": [{"type": "heatmap", "data": [list(cell) for cell in cells], "progressive": 0}],
    }  # fmt: skip


def histogram_chart(
    low: float, high: float, counts: Sequence[float], *, dark: bool, color: str = PALETTE[0]
) -> dict[str, Any]:
    """Equal bins between the least and the greatest value."""
    width = (high - low) / max(len(counts), 1)
    ink, rule = INK[dark], RULE[dark]
    return {
        "animation": False,
        "grid": {"left": 8, "right": 12, "top": 10, "bottom": 6, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": {
            "type": "category",
            "data": [f"{low + (i + 0.5) * width:.3g}" for i in range(len(counts))],
            "axisLabel": {"color": ink},
            "axisLine": {"lineStyle": {"color": rule}},
        },
        "yAxis": {
            "type": "value",
            "axisLabel": {"color": ink},
            "splitLine": {"lineStyle": {"color": rule}},
        },
        "series": [
            {"type": "bar", "barCategoryGap": "5%", "itemStyle": {"color": color},
             "data": list(counts)}
        ],
    }  # fmt: skip


def _series(line: Line, index: int, dark: bool) -> dict[str, Any]:
    color = line.color or PALETTE[index % len(PALETTE)]
    return {
        "id": f"{index}",
        "type": "line",
        "name": line.name,
        "data": line.points,
        "showSymbol": line.dots or len(line.points) <= _FEW,
        "symbolSize": 5,
        "connectNulls": False,
        "lineStyle": {
            "color": color,
            "width": 1 if line.faint else 2,
            "opacity": 0.4 if line.faint else 1,
            "type": "dashed" if line.dashed else "solid",
        },
        "itemStyle": {"color": color},
        "emphasis": {"disabled": True},
    }


def _guides(levels: Iterable[Level], marks: Iterable[Mark], dark: bool) -> dict[str, Any]:
    ink = INK[dark]
    across = [
        {
            "yAxis": level.value,
            "name": level.name,
            "label": {"formatter": "{b}", "position": "insideEndTop", "color": ink},
            "lineStyle": {"color": ink, "type": "dashed"},
        }
        for level in levels
    ]
    upright = [
        {
            "xAxis": mark.step,
            "name": mark.name,
            "label": {"show": False},
            "lineStyle": {"color": _SEVERITY.get(mark.severity, ink), "type": "dotted", "width": 2},
        }
        for mark in marks
    ]
    return {
        "symbol": ["none", "none"],
        "animation": False,
        "data": across + upright,
    }
