"""Differences between the settings of runs."""

from __future__ import annotations

from typing import Any

from carousel import scores
from carousel.runs.store import Run

_NOT_SETTINGS = ("run.created", "run.format", "recipe.")
_MOST_AXES = 10


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by their dotted names.

    >>> flat({"model": {"cell": "gru"}, "task": "classify"})
    {'model.cell': 'gru', 'task': 'classify'}
    """
    values: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            values |= flat(value, f"{prefix}{name}.")
        else:
            values[f"{prefix}{name}"] = value
    return values


def differing(settings: dict[str, dict[str, Any]]) -> dict[str, dict[str, str]]:
    """{setting: {run: its value, "—" where it has none}} of every setting that is not the same.

    >>> differing({"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}})
    {'y': {'a': '2', 'b': '3'}}
    """
    names = dict.fromkeys(name for values in settings.values() for name in values)
    rows = {}
    for name in names:
        row = {run: str(values.get(name, "—")) for run, values in settings.items()}
        if not name.startswith(_NOT_SETTINGS) and len(set(row.values())) > 1:
            rows[name] = row
    return rows


def parallel_coordinates(
    runs: list[Run], keys: list[str]
) -> tuple[list[tuple[str, list[Any] | None]], list[tuple[str, list[Any]]]] | None:
    """Axes and lines of a parallel-coordinates chart of three runs or more with the same metric.

    The last axis is the metric that chose the best epoch. None where there is nothing to draw.
    """
    judged = [(run, run.best[1]) for run in runs if run.best is not None]
    metrics = {run.monitor for run, _ in judged}
    if len(judged) < 3 or len(metrics) != 1:
        return None
    settings = [flat(run.config) for run, _ in judged]
    keys = [key for key in keys if all(key in values for values in settings)][:_MOST_AXES]
    if not keys:
        return None
    columns = [[values[key] for values in settings] for key in keys]
    axes: list[tuple[str, list[Any] | None]] = []
    for key, column in zip(keys, columns, strict=True):
        numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in column)
        axes.append((key, None if numeric else list(dict.fromkeys(map(str, column)))))
    values = [
        [v if axis[1] is None else str(v) for v in column]
        for axis, column in zip(axes, columns, strict=True)
    ]
    axes.append((scores.title(metrics.pop()), None))
    lines = [
        (run.id, [*(column[i] for column in values), best]) for i, (run, best) in enumerate(judged)
    ]
    return axes, lines
