"""`carousel lr-range`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from carousel.cli.completion import recipe_names, settings
from carousel.cli.output import JsonOption, print_json, print_out, table_of
from carousel.errors import RunError
from carousel.terminal import notice

_ROWS = 16


def lr_range(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|RUN",
            help="A recipe, a .toml file or a run folder.",
            autocompletion=recipe_names,
        ),
    ],
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Change a setting; repeatable.",
            autocompletion=settings,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Seed of weights and order [default: 0, or the run's]."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads [default: as many as torch would use].")
    ] = None,
    low: Annotated[float, typer.Option(help="The rate to begin with.")] = 1e-6,
    high: Annotated[float, typer.Option(help="The rate to end with.")] = 10.0,
    steps: Annotated[int, typer.Option(help="Optimiser steps, one batch each.")] = 150,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Of a run: from fresh weights, as it began.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="The picture [default: lr-range.png in the run, or here].")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find a learning rate: train while the rate rises, and see where the loss falls and rises.

    Of a recipe from fresh weights; of a run from a copy of its best ones, or as it began (--fresh):
    its weights stay as they are, and carousel coach knows what was suggested.

    Example: carousel lr-range mnist-rows
    """
    import torch

    from carousel.run.layout import RANGE_PICTURE
    from carousel.training import lr_range as lr
    from carousel.training.preparation import using_threads

    with using_threads(threads), torch.random.fork_rng(devices=()):
        begin = lr.start(source, assignments or (), seed=seed, fresh=fresh)
        test = lr.range_test(begin.task, begin.model, low=low, high=high, steps=steps)
    if begin.notice:
        notice(begin.notice)
    picture = out or (
        begin.run / RANGE_PICTURE if begin.run else Path(f"lr-range-{begin.name}.png")
    )
    picture.parent.mkdir(parents=True, exist_ok=True)
    lr.draw(test, f"Learning rate range test: {begin.name}, {begin.origin}", picture)
    try:
        lr.remember(test, begin, assignments or ())
    except RunError as error:  # a copy that cannot be written to: what was found is shown
        notice(f"not on record in the run: {error}")
    now = begin.task.config.optimizer.learning_rate
    if as_json:
        content = {**asdict(test), "origin": begin.origin, "setting": test.setting}
        print_json({**content, "learning_rate_now": now, "picture": str(picture)})
        return
    table = table_of("learning rate", "loss", "smoothed")
    last = len(test.rates) - 1
    for k in sorted({round(i * last / (_ROWS - 1)) for i in range(_ROWS)}):
        table.add_row(f"{test.rates[k]:.1e}", f"{test.losses[k]:.4g}", f"{test.smoothed[k]:.4g}")
    for line in begin.task.config.notices():
        print_out(line)
    print_out(table)
    print_out(f"{len(test.rates)} steps from {begin.origin}; {test.stopped}")
    print_out(
        f"steepest at {test.steepest:.1e}, half-way down at {test.half_way:.1e}, lowest at "
        f"{test.lowest:.1e}; the setting now is {now:.1e}"
    )
    print_out(f"suggested: {test.rule}")
    print_out(f"picture: {picture}")
    print_out(test.setting)
