"""`carousel backtest`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carousel.cli.backtests import show_backtest
from carousel.cli.completion import recipe_names, settings
from carousel.cli.exits import Exit
from carousel.cli.output import JsonOption, print_json, print_out
from carousel.cli.talk import fail
from carousel.cli.train import recipe_of

if TYPE_CHECKING:
    from carousel.config import Config


def backtest(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|FILE|RUN",
            help="A recipe's name, a .toml file, data of yours, or the folder of a trained model.",
            autocompletion=recipe_names,
        ),
    ],
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Change a setting of every training; repeatable.",
            autocompletion=settings,
        ),
    ] = None,
    windows: Annotated[
        int, typer.Option(help="Origins; the last window ends with the data.", show_default=True)
    ] = 8,
    step: Annotated[
        int | None, typer.Option(help="Steps between origins [default: the horizon].")
    ] = None,
    refit: Annotated[
        str | None,
        typer.Option(
            metavar="once|every|N",
            help="Train before the first origin, before every, or every N-th [default: once].",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every training [default: 0].")] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads [default: as many as torch would use].")
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Folder [default: runs/RECIPE-backtest, or backtest in the RUN]."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Every forecast: .csv or .parquet.")
    ] = None,
    as_json: JsonOption = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the folder, at the end.")
    ] = False,
) -> None:
    """Judge forecasts from many origins in the past by what came then, beside the baselines.

    A recipe is trained on what comes before the first origin, or anew before each; a trained model
    forecasts as it is, from origins behind what it was trained and validated on. The same command
    goes on with a backtest that was interrupted.

    Example: carousel backtest forecast-sunspots --windows 8 --refit every

    Example: carousel backtest runs/forecast-bike-20261124-090000 --step 24 --out forecasts.csv
    """
    from carousel.backtest import backtest as run_backtest
    from carousel.backtest.of_run import is_model
    from carousel.backtest.table import check, write
    from carousel.training import Interrupted

    if out is not None:
        check(out)
    try:
        found = run_backtest(
            recipe if is_model(Path(recipe)) else _recipe_of(recipe),
            assignments or (),
            windows=windows,
            step=step,
            refit=refit,
            seed=seed,
            threads=threads,
            run_dir=run_dir,
            quiet=quiet,
        )
    except Interrupted:
        fail("interrupted: the same command goes on with the backtest")
        raise typer.Exit(Exit.INTERRUPTED) from None
    if out is not None:
        write(found.forecasts(), out)
    if as_json:
        print_json({"folder": str(found.path), **found.result})
    elif quiet:
        print(found.path)
    else:
        show_backtest(found.result, found.path)
        if out is not None:
            print_out(f"forecasts: {out}")


def _recipe_of(named: str) -> str | Config:
    """A recipe by its name or file, or the one that data ask for: of a table with times that for a
    forecast, whatever else could be learnt of it."""
    from carousel.config.columns import FORECASTS

    found = recipe_of(named, {}, {})
    if isinstance(found, str) or found.task in FORECASTS or not found.columns.time:
        return found
    return recipe_of(named, {"task": "forecast"}, {})
