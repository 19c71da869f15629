"""The table of folds that `carousel train` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from carousel.cli.output import print_out, table_of
from carousel.errors import command
from carousel.run.fold_results import FINAL, FOLDS


def show_folds(result: dict[str, Any], path: Path) -> None:
    """Print the metric of each fold beside the baselines, mean and spread, and the last model."""
    from carousel import scores

    metric = result["metric"]
    baselines = [name for name in result["baseline"] if metric in result["baseline"][name]["mean"]]
    titles = [f"{scores.baseline(name)} (baseline)" for name in baselines]
    table = table_of("judged by", "test part", scores.title(metric), *titles)
    for one in result["folds"]:
        size = next(iter(one["parts"].get("test", {}).items()), ("", 0))
        cells = [one["test"][metric], *(one["baseline"][name][metric] for name in baselines)]
        shown = (scores.show(metric, value) for value in cells)
        table.add_row(one["judges"], f"{size[1]:,} {size[0]}", *shown)
    pairs = [(result["mean"], result["spread"])]
    pairs += [(result["baseline"][n]["mean"], result["baseline"][n]["spread"]) for n in baselines]
    for place, name in enumerate(("mean", "spread")):
        table.add_row(name, "", *(scores.show(metric, pair[place][metric]) for pair in pairs))
    print_out(result["how"])
    print_out(table)
    count = len(result["folds"])
    for name, wins in result["beats"].items():
        print_out(f"better than {scores.baseline(name)} in {wins} of {count} folds")
    print_out(f"{path / FINAL}: {result['final']['how']}")
    print_out(f"all metrics: {path / FOLDS}")
    print_out(f"next: {command('predict', path)} DATA")
