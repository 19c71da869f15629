"""`carousel inspect`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carousel.cli.output import JsonOption, RunArgument, print_json, print_out, show, table_of
from carousel.errors import ConfigError
from carousel.terminal import notice

if TYPE_CHECKING:
    from carousel.coach.inspection import Inspection
    from carousel.tasks.shared.example import Example
    from carousel.tasks.shared.task import TrainedModel


def inspect(
    run: RunArgument,
    source: Annotated[
        Path | None,
        typer.Argument(metavar="[INPUT]", help="An input of your own, as predict takes it."),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=0, help="Which example of the part or the input, from 0 on.")
    ] = 0,
    part: Annotated[
        str | None, typer.Option(help="validation, test or train [default: validation].")
    ] = None,
    text: Annotated[str | None, typer.Option(help="A sentence or text of your own.")] = None,
    invert: Annotated[
        bool, typer.Option("--invert", help="Images: the digits are dark on light, turn them.")
    ] = False,
    layer: Annotated[
        int | None, typer.Option(min=0, help="Only this level of stacked layers, from 0 on.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pictures [default: RUN/inspect/…].")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look inside the cells while a trained model reads one example.

    Maps of every gate, candidate and state over time, what was let into memory and how long it
    stayed, and which steps moved the output: .png pictures and one page, inside.html.
    The board shows the same under Memory, from inside.json. RUN may be an epoch that the run kept
    (training.keep_epochs): runs/mnist-rows-20261124-090000/epochs/3.

    Example: carousel inspect runs/mnist-rows-20261124-090000 --sample 7
    """
    from carousel.bundle import load
    from carousel.coach.inspection import inspect as look_inside
    from carousel.data.record import UNVERIFIED
    from carousel.run import layout
    from carousel.run.writing import note_use_of_test
    from carousel.tasks.shared.task import Notice

    trained = load(run)
    own = source is not None or text is not None
    if own and part is not None:
        raise ConfigError("give an input of your own or a --part of the data, not both")
    part = part or "validation"
    if part not in ("train", "validation", "test"):
        raise ConfigError(f"--part must be train, validation or test, got '{part}'")
    if not own and trained.record is None:
        show(Notice(UNVERIFIED.format(run=run)))
    example = _example(trained, None if own else part, sample, source, text, invert)
    folder, epoch = layout.home(run)
    name = f"{'own' if own else part}-{sample}{epoch}"
    found = look_inside(
        trained.model,
        example.output,
        out or layout.look_of(folder, name),
        title=example.title,
        measured=example.measured,
        steps=example.steps,
        image=example.image,
        level=layer,
    )
    if not own and part == "test":
        note_use_of_test(run, "inspect")
    if as_json:
        print_json({**asdict(found), "files": list(map(str, found.files))})
    else:
        _show(found)


def _example(
    trained: TrainedModel,
    part: str | None,
    sample: int,
    source: Path | None,
    text: str | None,
    invert: bool,
) -> Example:
    from carousel import tasks
    from carousel.cli.given import ReadsTexts, Request, given_of, refuse_others
    from carousel.tasks.shared.example import of_training

    if part == "train":
        task = tasks.find(trained.config.task)(trained.config, 0)
        trained.as_trained(task.parted, part)
        return of_training(task, trained.model, sample)
    if part is not None:
        return trained.example(part, sample)
    options = {"text": text, "invert": invert or None}
    given = {name: value for name, value in options.items() if value is not None}
    request = Request(source, given)
    refuse_others(trained, request, {"text"} if isinstance(trained, ReadsTexts) else set())
    return trained.example(given_of(trained, request), sample)


def _show(found: Inspection) -> None:
    print_out(f"{found.title}\ngradient of {found.measured} (here {found.value:.4g})")
    table = table_of("layer", "half-life", "let in most at", "kept a step", "influence most at")
    for row in found.layers:
        table.add_row(
            f"{row['name']} {row['layer']}{' back' if row['direction'] == 'backward' else ''}",
            _lives(row["half_life"]),
            _places(row["let_in_most"]),
            "-" if row["kept_per_step"] is None else f"{row['kept_per_step']:.2f}",
            _places(row["influence_most"]),
        )
    print_out(table)
    print_out(
        "Half-life: steps until half of a unit's memory is gone, of the middle unit (and of those\n"
        "at 10 and 90 %); a cell without a gate for it, as the vanilla RNN, has none."
    )
    for note in found.notes:
        notice(note)
    folder = found.files[0].parent
    print_out(f"in {folder}: {', '.join(path.name for path in found.files)}")


def _lives(lives: dict[str, float | None] | None) -> str:
    if lives is None:
        return "none"
    tenth, half, most = ("never" if v is None else f"{v:.2g}" for v in lives.values())
    return f"{half} ({tenth} to {most})"


def _places(places: list[dict[str, Any]] | None) -> str:
    if places is None:
        return "-"
    return ", ".join(f"{p['step']}" + (f" {p['name']}" if "name" in p else "") for p in places[:3])
