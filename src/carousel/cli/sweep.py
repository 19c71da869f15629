"""`carousel sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carousel.cli.completion import recipe_names, settings
from carousel.cli.exits import Exit
from carousel.cli.output import JsonOption, print_json, print_out
from carousel.cli.sweeps import show_sweep
from carousel.cli.talk import fail
from carousel.cli.train import recipe_of
from carousel.errors import command

if TYPE_CHECKING:
    from carousel.config import Config


def sweep(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|FILE",
            help="A recipe's name, a .toml file, or data of yours.",
            autocompletion=recipe_names,
        ),
    ],
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUES",
            help="a,b,c or low:high or low:high:log or low:high:step [default: what suits the "
            "task]; repeatable.",
            autocompletion=settings,
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Change a setting of every trial; repeatable.",
            autocompletion=settings,
        ),
    ] = None,
    runs: Annotated[
        int | None, typer.Option(help="Trials, on all machines [default: 20; all of a grid].")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Begin no trial after so many minutes.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes here.", show_default=True)] = 1,
    sampler: Annotated[
        str, typer.Option(metavar="tpe|random|grid", help="How settings are drawn.")
    ] = "tpe",
    pruner: Annotated[
        str,
        typer.Option(metavar="halving|hyperband|median|none", help="When a trial is given up."),
    ] = "halving",
    confirm: Annotated[
        int, typer.Option(help="Seeds of best and recipe before the test part is opened.")
    ] = 3,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL", help="Who works on what [default: journal.log in the folder]."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the draws and of every trial [default: 0].")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads of a worker [default: shared among them].")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Folder of the sweep [default: runs/RECIPE-sweep].")
    ] = None,
    as_json: JsonOption = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the folder, at the end.")
    ] = False,
) -> None:
    """Train a recipe with many settings, choose by validation, confirm with other seeds.

    The same command goes on with a sweep that was interrupted, and helps with one that goes on:
    from another machine, too, that sees the folder or the database. The test part is opened last,
    for what was chosen.

    Example: carousel sweep vowels-japanese --runs 40

    Example: carousel sweep names --over model.hidden_size=32,64 --runs 8 --workers 2
    """
    from carousel.errors import require_extra

    require_extra("carousel sweep", "sweep", "optuna")
    from carousel.sweep import sweep as run_sweep
    from carousel.sweep.worker import Stopped

    made = recipe_of(recipe, {}, {})
    if not over and not quiet:
        _show_suggested(made, assignments or [])
    try:
        found = run_sweep(
            made,
            over or (),
            assignments or (),
            runs=runs,
            minutes=minutes,
            workers=workers,
            sampler=sampler,
            pruner=pruner,
            confirm=confirm,
            storage=storage,
            seed=seed,
            threads=threads,
            run_dir=run_dir,
            quiet=quiet,
        )
    except Stopped:
        fail("interrupted: the same command goes on with the sweep")
        raise typer.Exit(Exit.INTERRUPTED) from None
    if as_json:
        print_json({"folder": str(found.path), **found.result})
    elif quiet:
        print(found.path)
    else:
        show_sweep(found.result, found.path)
        print_out(f"next: {command('compare', found.path)}, {command('board', found.path)}")


def _show_suggested(made: str | Config, assignments: list[str]) -> None:
    """Print what is searched where nothing was named, and why."""
    from carousel.cli.output import show
    from carousel.sweep.defaults import suggested
    from carousel.tasks.shared.task import Notice
    from carousel.training.preparation import Preparation

    for one, axis in suggested(Preparation.of(made, assignments).config):
        show(Notice(f"{one.setting}: {axis} ({one.source})"))
