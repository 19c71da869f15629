"""ECharts options of a sweep: what matters, how it went, and its trials over their settings.

Trials that ran to their end are blue, those that were given up grey, the best one orange. Names
and values of settings are data: they are only ever names, values or literal labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from carousel.board.colours import FAINT, INK, PALETTE, axis_style, tooltip_style
from carousel.runs.sweeps import read_by, shown

_ENDED, _BEST = PALETTE[0], PALETTE[1]
_APART = 30.0  # the worst by the best, from which on a logarithm shows more
_ROOM = 0.04  # of a range, beside its ends
Trial = Mapping[str, Any]
Axis = Mapping[str, Any]
#: Words of a chart in the reader's language: "trial", and of each state.
Names = Mapping[str, str]


def measured(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that have a value."""
    return [one for one in trials if one["value"] is not None]


def is_far_apart(trials: Sequence[Trial]) -> bool:
    """True if the values are read better by their logarithm."""
    values = [one["value"] for one in measured(trials)]
    return bool(values) and min(values) > 0 and max(values) > _APART * min(values)


def importance_chart(shares: Mapping[str, float], *, dark: bool) -> dict[str, Any]:
    """A bar for each setting, the largest on top."""
    ordered = sorted(shares.items(), key=lambda pair: pair[1])
    style = axis_style(dark)
    bars = [
        {"name": name, "value": share, "label": {"formatter": f"{share:.0%}"}}
        for name, share in ordered
    ]
    return {
        "animation": False,
        "grid": {"left": 8, "right": 48, "top": 8, "bottom": 8, "containLabel": True},
        "tooltip": {"show": False},
        "xAxis": {**style, "type": "value", "min": 0, "show": False},
        "yAxis": {**style, "type": "category", "data": [name for name, _ in ordered],
                  "axisTick": {"show": False}},
        "series": [{
            "type": "bar", "data": bars, "barMaxWidth": 22, "itemStyle": {"color": _ENDED},
            "label": {"show": True, "position": "right", "color": INK[dark]},
        }],
    }  # fmt: skip


def history_chart(
    trials: Sequence[Trial], *, higher: bool, best: int | None, log: bool, dark: bool, names: Names
) -> dict[str, Any]:
    """Every trial's value in order of their numbers, and the best of those that had ended."""
    ordered = sorted(measured(trials), key=lambda one: int(one["number"]))
    choose = max if higher else min
    steps: list[list[float]] = []
    for one in ordered:
        if one["state"] == "ended":
            value = choose(steps[-1][1], one["value"]) if steps else one["value"]
            steps.append([one["number"], value])
    if steps:
        steps.append([ordered[-1]["number"], steps[-1][1]])
    dots = [_dot([one["number"], one["value"]], one, best, dark, names) for one in ordered]
    x = {**axis_style(dark), "type": "value", "minInterval": 1, "name": names["trial"],
         "nameLocation": "middle", "nameGap": 24}  # fmt: skip
    line = {"type": "line", "step": "end", "data": steps, "showSymbol": False, "silent": True,
            "lineStyle": {"color": _ENDED, "width": 2}, "itemStyle": {"color": _ENDED},
            "tooltip": {"show": False}}  # fmt: skip
    return _field(x, [line, _scatter(dots)], log=log, dark=dark)


def slice_chart(
    trials: Sequence[Trial],
    setting: str,
    axis: Axis,
    *,
    best: int | None,
    log: bool,
    dark: bool,
    names: Names,
) -> dict[str, Any]:
    """The value of each trial over one setting, all of what is searched in sight."""
    dots = []
    for one in measured(trials):
        value = read_by(one, setting)
        if value is not None:
            at = shown(value) if "values" in axis else value
            dots.append(_dot([at, one["value"]], one, best, dark, names, f"{setting} "))
    x: dict[str, Any] = {**axis_style(dark), **_along(axis)}
    if "values" not in axis and not axis["log"]:  # ends of the room are no round numbers
        x["axisLabel"] = {**x["axisLabel"], "showMinLabel": False, "showMaxLabel": False}
    return _field(x, [_scatter(dots)], log=log, dark=dark)


def trials_chart(
    trials: Sequence[Trial],
    over: Mapping[str, Axis],
    *,
    metric: str,
    best: int | None,
    log: bool,
    dark: bool,
) -> dict[str, Any]:
    """Parallel coordinates: a line per trial over its settings, ending at its value."""
    style = axis_style(dark)
    ends: dict[str, Any] = {"type": "log"} if log else {"type": "value", "scale": True}
    axes = [*((name, _along(axis, room=0)) for name, axis in over.items()), (metric, ends)]
    # Those drawn last are on top: the best one.
    rank = {"pruned": 0, "ended": 1}
    ordered = sorted(
        measured(trials), key=lambda one: (one["number"] == best, rank.get(one["state"], 0))
    )
    return {
        "animation": False,
        "tooltip": {"show": False},
        "parallel": {"left": "7%", "right": "9%", "top": 40, "bottom": 20},
        "parallelAxis": [
            {"dim": index, "name": name, **kind, "axisLine": style["axisLine"],
             "axisLabel": {"color": INK[dark]}, "nameTextStyle": {"color": INK[dark]}}
            for index, (name, kind) in enumerate(axes)
        ],
        "series": [{
            "type": "parallel",
            "smooth": False,
            "data": [
                {"value": [*(_place(one, name, axis) for name, axis in over.items()),
                           one["value"]],
                 "lineStyle": _line(one, best, dark)}
                for one in ordered
            ],
        }],
    }  # fmt: skip


def _place(one: Trial, name: str, axis: Axis) -> Any:
    value = read_by(one, name)
    return None if value is None else shown(value) if "values" in axis else value


def _along(axis: Axis, room: float = _ROOM) -> dict[str, Any]:
    """Kind and ends of the axis of a setting. room: beside its ends, as a share of the range."""
    if "values" in axis:
        return {"type": "category", "data": [shown(value) for value in axis["values"]]}
    low, high = axis["low"], axis["high"]
    if axis["log"] and low > 0:
        return {"type": "log", "min": low, "max": high}
    beside = room * (high - low)
    return {"type": "value", "min": low - beside, "max": high + beside}


def _line(one: Trial, best: int | None, dark: bool) -> dict[str, Any]:
    if one["number"] == best:
        return {"color": _BEST, "width": 3, "opacity": 1}
    if one["state"] == "ended":
        return {"color": _ENDED, "width": 1.5, "opacity": 0.8}
    return {"color": FAINT[dark], "width": 1, "opacity": 0.45}


def _dot(
    at: list[Any], one: Trial, best: int | None, dark: bool, names: Names, before: str = ""
) -> dict[str, Any]:
    is_best, has_ended = one["number"] == best, one["state"] == "ended"
    state = names.get(one["state"], one["state"])
    where = f"{before}{shown(at[0])}: " if before else ""
    return {
        "name": f"{names['trial']} {one['number']} ({state}), {where}{one['value']:.4g}",
        "value": at,
        "symbolSize": 13 if is_best else 8,
        "itemStyle": {
            "color": _BEST if is_best else _ENDED if has_ended else FAINT[dark],
            "opacity": 1 if has_ended else 0.7,
        },
    }


def _scatter(dots: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "scatter", "data": dots, "z": 3}


def _field(
    x: dict[str, Any], series: list[dict[str, Any]], *, log: bool, dark: bool
) -> dict[str, Any]:
    y = {**axis_style(dark), "type": "log" if log else "value", "scale": True}
    return {
        "animation": False,
        "grid": {"left": 8, "right": 24, "top": 12, "bottom": 24 if "name" in x else 8,
                 "containLabel": True},
        "tooltip": {"trigger": "item", "formatter": "{b}", **tooltip_style(dark)},
        "xAxis": x,
        "yAxis": y,
        "series": series,
    }  # fmt: skip
