"""The tables of a backtest that `carousel backtest` and `carousel compare` print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from carousel.cli.output import print_out, table_of
from carousel.run.backtest_results import BACKTEST, PICTURE

_MOST = 12  # windows, and series
_STEPS = 8
_BESIDE = ("mae", "rmse", "smape", "coverage", "pinball")


def show_backtest(result: dict[str, Any], path: Path) -> None:
    """Print the leaderboard, then network and best baseline by window, step ahead and series."""
    _show_plan(result)
    _show_leaders(result)
    windows = {
        f"{one['number']}: {one['first']} to {one['last']}": one["scores"]
        for one in result["windows"]
    }
    _show_slices("window", windows, result)
    steps = len(result["per_step"]["network"])
    shown = sorted({round(n * (steps - 1) / max(1, _STEPS - 1)) for n in range(_STEPS)})
    names = [*result["per_step"]]
    _show_slices(
        "step ahead",
        {str(k + 1): {n: result["per_step"][n][k] for n in names} for k in shown},
        result,
    )
    if len(result["series"]) > 1:
        listed = result["per_series"]["network"]
        series = {s: {n: result["per_series"][n][s] for n in names} for s in listed}
        _show_slices("series", series, result)
    print_out(f"all metrics: {path / BACKTEST}; picture: {path / PICTURE}")


def _show_plan(result: dict[str, Any]) -> None:
    from carousel.data.counting import unit_of

    plan, trainings = result["plan"], len(result["trainings"])
    how = "by the model as it is"
    if result["of"] == "recipe":
        how = f"after {trainings} {unit_of(trainings, 'trainings')}"
    count = plan["windows"]
    size = f"{plan['horizon']} steps, {plan['step']} apart"
    print_out(f"{count} {unit_of(count, 'windows')} of {size}, {how}")
    if lost := [one["number"] for one in result["windows"] if not one["measured"]]:
        print_out(f"nothing was measured in {len(lost)} of them, which count in no metric: {lost}")
    for note in result["notes"]:
        print_out(note)


def ranked(result: dict[str, Any]) -> list[str]:
    """Names of network and baselines, the best first; those without the metric last."""
    metric, sign = result["metric"], -1 if result["metric_higher_is_better"] else 1

    def place(name: str) -> tuple[bool, float]:
        value = result["overall"][name].get(metric)
        return value is None, sign * (value or 0.0)

    return sorted(result["overall"], key=place)


def _show_leaders(result: dict[str, Any]) -> None:
    from carousel import scores

    metric, overall, windows = result["metric"], result["overall"], len(result["windows"])
    table = table_of(
        f"{scores.title(metric)} of", "all windows", "their median", "and quartiles", "beaten in"
    )
    for name in ranked(result):
        beats = result["beats"].get(name)
        table.add_row(
            _named(name, result),
            _shown(metric, overall[name]),
            *_quartiles(metric, result["spread"][name].get(metric)),
            "" if beats is None else f"{beats} of {windows}",
        )
    print_out(table)
    beside = [n for n in _BESIDE if n != metric and any(n in one for one in overall.values())]
    table = table_of("over all windows", *map(scores.title, beside))
    for name in ranked(result):
        table.add_row(_named(name, result), *(_shown(other, overall[name]) for other in beside))
    print_out(table)


def _show_slices(along: str, found: dict[str, dict[str, Any]], result: dict[str, Any]) -> None:
    """Print the metric of the network and of the best baseline, as they are over all windows."""
    from carousel import scores

    metric = result["metric"]
    best = next((name for name in ranked(result) if name != "network"), None)
    names = ["network", *([best] if best else [])]
    table = table_of(along, *(f"{scores.title(metric)} of {_named(n, result)}" for n in names))
    for said, each in [*found.items()][:_MOST]:
        table.add_row(said, *(_shown(metric, each[name]) for name in names))
    print_out(table)
    if len(found) > _MOST:
        print_out(f"and {len(found) - _MOST} more, all in {BACKTEST}")


def _named(name: str, result: dict[str, Any]) -> str:
    from carousel import scores

    return str(result["recipe"]) if name == "network" else scores.baseline(name)


def _shown(metric: str, values: dict[str, float]) -> str:
    from carousel import scores

    return scores.show(metric, values[metric]) if metric in values else "–"


def _quartiles(metric: str, spread: dict[str, float] | None) -> tuple[str, str]:
    from carousel import scores

    if spread is None:
        return "–", "–"
    words = ("median", "lower_quartile", "upper_quartile")
    median, low, high = (scores.show(metric, spread[word]) for word in words)
    return median, f"{low} to {high}"
