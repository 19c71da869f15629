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
    settings = [flat(run.config) for run, _ in judged]
    keys = [key for key in keys if all(key in values for values in settings)][:_MOST_AXES]
    if len(judged) < 3 or len(metrics) != 1 or not keys:
        return None
    drawn = [_axis([values[key] for values in settings]) for key in keys]
    axes = [(key, labels) for key, (labels, _) in zip(keys, drawn, strict=True)]
    axes.append((scores.title(metrics.pop()), None))
    lines = [
        (run.id, [*(values[i] for _, values in drawn), best])
        for i, (run, best) in enumerate(judged)
    ]
    return axes, lines


def _axis(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
    """Labels of an axis, None where it has numbers, and the values as they stand on it.

    >>> _axis([1, 2.5]), _axis(["gru", 3, "gru"])
    ((None, [1, 2.5]), (['gru', '3'], ['gru', '3', 'gru']))
    """
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return None, values
    words: list[Any] = [str(value) for value in values]
    return list(dict.fromkeys(words)), words
