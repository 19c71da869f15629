"""The tables of a sweep that `carousel sweep` and `carousel compare` print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from carousel.cli.output import print_out, table_of
from carousel.data.counting import unit_of
from carousel.run.sweep_results import BEST, SWEEP

_MOST = 15  # trials


def show_sweep(result: dict[str, Any], path: Path) -> None:
    """Print the trials, the best first, what matters, and what was confirmed."""
    from carousel import scores
    from carousel.runs import sweeps

    metric, names = result["metric"], [*result["over"]]
    trials = sweeps.ranked(result)
    heads = [name.replace(".", ".\n") for name in names]  # where a narrow terminal may break them
    table = table_of("trial", *heads, f"validation {scores.title(metric)}", "epochs", "")
    for one in trials[:_MOST]:
        settings = [sweeps.shown(sweeps.read_by(one, name)) for name in names]
        shown = "–" if one["value"] is None else scores.show(metric, one["value"])
        table.add_row(str(one["number"]), *settings, shown, str(one["epochs"]), one["state"])
    print_out(table)
    if len(trials) > _MOST:
        print_out(f"and {len(trials) - _MOST} more trials, all in {path / SWEEP}")
    _show_importance(result)
    full = result["epochs"] * len(trials)
    print_out(f"{result['epochs_trained']:,} epochs trained, of {full:,} without giving trials up")
    if result["best"] is None:
        print_out("no trial has ended well")
        return
    if "confirmed" in result:
        _show_confirmed(result)
    print_out(f"settings: {path / BEST}")


def _show_importance(result: dict[str, Any]) -> None:
    if shares := result["importance"]:
        said = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        print_out(f"what makes the best trials (PED-ANOVA): {said}")


def _show_confirmed(result: dict[str, Any]) -> None:
    from carousel import scores

    found, metric = result["confirmed"], result["metric"]
    words = {"best": f"trial {found['trial']}", "recipe": "the recipe"}
    seeds = f"with {found['seeds']} other {unit_of(found['seeds'], 'seeds')}"
    table = table_of(seeds, f"validation {scores.title(metric)}", "")
    for name, spread in found["validation"].items():
        chosen = "chosen" if name == found["chosen"] else ""
        table.add_row(words[name], _spread(metric, spread), chosen)
    print_out(table)
    for name, spread in found.get("test", {}).items():
        print_out(f"test {scores.title(name)}: {_spread(name, spread)}")


def _spread(metric: str, spread: dict[str, Any]) -> str:
    from carousel import scores

    mean = scores.show(metric, spread["mean"])
    return mean if spread["std"] is None else f"{mean} ± {scores.show(metric, spread['std'])}"
