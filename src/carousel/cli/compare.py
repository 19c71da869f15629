"""`carousel compare`."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carousel.cli.output import JsonOption, print_json, print_out, table_of
from carousel.errors import ConfigError, RunError

if TYPE_CHECKING:
    from carousel.runs.comparison import Comparison, Group
    from carousel.runs.verdict import Spread

_MOST = 8  # settings that are shown of a group


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders, or folders of runs.")
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Judge this metric; repeatable [default: the one that chose the best epochs]."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The picture of the curves.", show_default=True)] = Path(
        "comparison.png"
    ),
    as_json: JsonOption = False,
) -> None:
    """Tell whether one setting is better than another, or no more than another seed would be.

    Runs that differ in their seeds alone form a group; each group is judged beside the first.
    Best epochs are chosen on validation data: choose by that, and keep the test for the report.
    The folder of one sweep is shown as one: its trials, what matters, and slices as the picture;
    that of one backtest by its tables.

    Example: carousel compare runs/lstm-0 runs/lstm-1 runs/gru-0 runs/gru-1
    """
    from carousel.run.backtest_results import is_backtest
    from carousel.run.sweep_results import is_sweep
    from carousel.runs import comparison, curves

    if len(runs) == 1 and is_backtest(runs[0]):
        if metric:
            raise ConfigError("all metrics of a backtest are in its backtest.json: leave it out")
        _show_backtest(runs[0], as_json)
        return
    if len(runs) == 1 and is_sweep(runs[0]):
        if metric:
            raise ConfigError("the trials of a sweep are judged by the metric that chose them")
        _show_sweep(runs[0], out, as_json)
        return
    found = comparison.compare(comparison.read(runs))
    chosen = _chosen(found, metric or [])
    out.parent.mkdir(parents=True, exist_ok=True)
    curves.draw(found, out)
    if as_json:
        print_json({**found.to_dict(), "picture": str(out)})
    else:
        _show(found, chosen)
        print_out(f"curves: {out}")


def _show_backtest(folder: Path, as_json: bool) -> None:
    from carousel.cli.backtests import show_backtest
    from carousel.run.backtest_results import read_backtest

    result = read_backtest(folder)
    if not result["finished"]:
        raise RunError(f"the backtest {folder} has not ended: the same carousel backtest goes on")
    if as_json:
        print_json({"folder": str(folder), **result})
    else:
        show_backtest(result, folder)


def _show_sweep(folder: Path, out: Path, as_json: bool) -> None:
    from carousel.cli.sweeps import show_sweep
    from carousel.run.sweep_results import read_sweep
    from carousel.runs import slices

    result = read_sweep(folder)
    out.parent.mkdir(parents=True, exist_ok=True)
    slices.draw(result, out)
    if as_json:
        print_json({"folder": str(folder), **result, "picture": str(out)})
    else:
        show_sweep(result, folder)
        print_out(f"slices: {out}")


def _chosen(found: Comparison, wanted: list[str]) -> list[tuple[str, str]]:
    """(part, metric) to judge. Raises `ConfigError` for a metric that not all groups have."""
    known = dict.fromkeys(metric for _, metric in found.metrics)
    for name in wanted:
        if name not in known:
            raise ConfigError(f"--metric must be one of {', '.join(known)}; got '{name}'")
    names = wanted or [next(iter(known))]
    return [(part, metric) for metric in names for part, m in found.metrics if m == metric]


def _show(found: Comparison, chosen: list[tuple[str, str]]) -> None:
    from carousel import scores

    for group in found.groups:
        print_out(_folded(f"{group.name}: {_settings(group)}"))
    table = table_of(
        "",
        "runs",
        *(f"{part} {scores.title(metric)}" for part, metric in chosen),
        "parameters",
        "best epoch",
        "seconds",
    )
    for group in found.groups:
        values = [_spread(metric, group.of(part)[metric]) for part, metric in chosen]
        for column, value in zip(table.columns[2:], values, strict=False):
            column.min_width = max(column.min_width or 0, len(value))
        table.add_row(group.name, str(len(group.runs)), *values, *_facts(group))
    print_out(table)
    print_out("±: standard deviation over seeds (n - 1)")
    comparisons = len(found.groups) - 1
    if comparisons:
        print_out(
            "In brackets: 95 % interval of the difference of the means (Welch)"
            + (f", for all {comparisons} comparisons at once" if comparisons > 1 else "")
        )
    for verdict in found.verdicts:
        if (verdict.part, verdict.metric) in chosen:
            print_out(_folded(str(verdict)))
    if any(verdict.interval is None for verdict in found.verdicts):
        print_out("To know more, train each setting again with --seed 1, --seed 2, …")
    for note in found.notes:
        print_out(_folded(f"Note: {note}"))


def _folded(line: str) -> str:
    return textwrap.fill(
        line, 80, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False
    )


def _settings(group: Group) -> str:
    said = [f"{name}={value}" for name, value in group.settings.items()]
    rest = [f"{len(said) - _MOST} more (--json names all)"] if len(said) > _MOST else []
    return ", ".join([*said[:_MOST], *rest]) or "the same settings, other seeds"


def _spread(metric: str, spread: Spread) -> str:
    from carousel import scores

    mean = scores.show(metric, spread.mean)
    return mean if len(spread.values) == 1 else f"{mean} ± {scores.show(metric, spread.std)}"


def _facts(group: Group) -> list[str]:
    """Facts to weigh a metric against: model size, best epoch, time."""
    sizes = [run.result.get("parameters") for run in group.runs if run.result]
    epochs = [run.best[0] for run in group.runs if run.best]
    seconds = [run.seconds for run in group.runs if run.seconds]
    return [
        f"{sizes[0]:,}" if sizes and sizes[0] else "-",
        _range([f"{epoch}" for epoch in (min(epochs), max(epochs))]) if epochs else "-",
        _range([f"{s:.0f}" for s in (min(seconds), max(seconds))]) if seconds else "-",
    ]


def _range(ends: list[str]) -> str:
    return "–".join(dict.fromkeys(ends))
