"""`carousel train`."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from carousel.cli.board import board_beside
from carousel.cli.completion import recipe_names, settings
from carousel.cli.exits import Exit
from carousel.cli.folds import show_folds
from carousel.cli.init import (
    Id,
    Target,
    Task,
    Test,
    Time,
    Validation,
    files_of,
    recipe_for,
)
from carousel.cli.output import JsonOption, LangOption, print_json, print_out, table_of
from carousel.config import Config
from carousel.errors import ConfigError, command
from carousel.run import layout


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE|FILE|DATA",
            help="A recipe's name, a .toml file, or data of yours.",
            autocompletion=recipe_names,
        ),
    ] = None,
    target: Target = None,
    id: Id = None,
    time: Time = None,
    task: Task = None,
    validation: Validation = None,
    test: Test = None,
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
        int | None, typer.Option(help="Seed of weights, order and dropout [default: 0].")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads [default: as many as torch would use].")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N [default: cpu].")] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Folder of the run [default: runs/RECIPE-TIME].")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Continue an interrupted run, exactly.")
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(metavar="K", min=2, help="Cross-validate: K folds of what split.by names."),
    ] = None,
    leave_one_out: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Cross-validate: each value of a column judges once."),
    ] = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
    board: Annotated[
        bool, typer.Option("--board", help="Show the run in a browser while it trains.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the run folder, at the end.")
    ] = False,
) -> None:
    """Train a recipe, judge it on the test data, compare it with baselines.

    Data in place of a recipe are read as `carousel init` reads them, and trained at once; so are
    files for --validation and --test. With --folds or --leave-one-out there is a run for each fold,
    a table with the spread, and one model at the end that is trained on everything.

    Example: carousel train mnist-rows --set training.epochs=5 --seed 1

    Example: carousel train pumps.csv --target state --folds 5
    """
    given = {"target": target, "id": id, "time": time, "task": task}
    roles = {name: value for name, value in given.items() if value}
    files = files_of(validation, test)
    if resume is not None:
        others = (recipe, assignments, seed, threads, device, run_dir, validation, test)
        cross = (folds, leave_one_out)
        if roles or any(value is not None for value in (*others, *cross)):
            raise ConfigError("--resume continues a run as it was: it takes no recipe or settings")
    elif recipe is None:
        raise ConfigError("name a recipe or a .toml file: carousel recipes lists them")

    if folds and leave_one_out:
        raise ConfigError("--folds and --leave-one-out are two ways to cross-validate: name one")
    from carousel import training
    from carousel.coach.words import speaking
    from carousel.run.fold_results import is_folds

    folder = resume or run_dir
    runs = folder.absolute().parent if folder else Path("runs")
    run: training.TrainedRun | training.TrainedFolds
    try:
        with speaking(lang), board_beside(runs) if board else nullcontext():
            if resume is not None:
                go_on = training.resume_folds if is_folds(resume) else training.resume
                run = go_on(resume, quiet=quiet)
            else:
                assert recipe is not None
                how: dict[str, Any] = {"seed": seed, "threads": threads, "run_dir": run_dir}
                how |= {"device": device or "cpu", "quiet": quiet}
                made = recipe_of(recipe, roles, files)
                settings = [*(assignments or ()), *(f"data.{k}={v}" for k, v in files.items())]
                if folds or leave_one_out:
                    how |= {"folds": folds or 0, "leave_one_out": leave_one_out or ""}
                    run = training.train_folds(made, settings, **how)
                else:
                    run = training.train(made, settings, **how)
    except training.Interrupted as stop:
        if training.Place.found().leads:
            again = command("train", "--resume", stop.run)
            print(f"\nInterrupted. Continue with: {again}", file=sys.stderr)
        raise typer.Exit(Exit.INTERRUPTED) from None
    except training.TeamEnded:
        if training.Place.found().leads:
            raise
        raise typer.Exit(Exit.REFUSED) from None  # the process that ended has said why
    if not training.Place.found().leads:
        return  # the first process of those that train together says it
    if as_json:
        print_json({"run": str(run.path), **run.result})
    elif quiet:
        print(run.path)
    elif isinstance(run, training.TrainedFolds):
        show_folds(run.result, run.path)
    else:
        _show_result(run.result, run.path)


def recipe_of(named: str, roles: dict[str, str], files: dict[str, str]) -> str | Config:
    """A recipe by its name or file, or the one that a table asks for. Raises `ConfigError`."""
    from carousel import recipes

    path = Path(named)
    known = {*recipes.names(), *recipes.own_names()}
    if named and named not in known and path.suffix != ".toml" and path.exists():
        proposed = recipe_for(path, roles, files)
        if proposed is not None:
            return proposed
    if roles:
        role = next(iter(roles))
        raise ConfigError(f"{role} names a column of a table, and {named} is none", role)
    return named


def _show_result(result: dict[str, Any], path: Path) -> None:
    from carousel import scores
    from carousel.report.verdicts import metric_of

    if "test" not in result:  # a trial of a sweep, resumed
        print_out(f"validation {scores.sentence(result['validation'])}")
        print_out(f"its test part stays closed: it is opened by {command('evaluate', path)}")
        return
    test, name = result["test"], metric_of(result)
    _show_table(result, name)
    for note in result.get("baseline_notes", ()):
        print_out(note)
    for line in _noteworthy(result.get("data", {})):
        print_out(line)
    for line in _beside_baselines(result, path):
        print_out(line)
    before = result.get("pretraining")
    spent = f", {before['seconds']:.0f} s of it pre-training" if before else ""
    print_out(f"test {scores.sentence(test)}; {result['seconds']:.0f} s of training{spent}")
    print_out(f"report: {path / layout.REPORT}")
    print_out(f"next: {command('evaluate', path)}")


def _show_table(result: dict[str, Any], metric: str) -> None:
    """The network, and its baselines, the best first, each with its seconds where they were
    measured."""
    from carousel import scores
    from carousel.report.verdicts import timed, verdicts

    seconds = timed(result)
    table = table_of("on the test data", scores.title(metric), *(["seconds"] if seconds else []))

    def add(name: str, values: dict[str, Any], took: float | None) -> None:
        shown = [] if not seconds else ["" if took is None else scores.show("seconds", took)]
        table.add_row(name, scores.show(metric, values[metric]), *shown)

    network = f"{result['recipe']} (epoch {result['kept_epoch']})"
    add(network, result["test"], result["seconds"])
    for member in result.get("members", ()):
        if metric in member["test"]:
            alone = f"seed {member['seed']} alone (epoch {member['kept_epoch']})"
            add(alone, member["test"], None)
    for verdict in verdicts(result, {}):
        values = result["baseline"][verdict.baseline]
        add(f"{scores.baseline(verdict.baseline)} (baseline)", values, values.get("seconds"))
    print_out(table)


def _beside_baselines(result: dict[str, Any], path: Path) -> list[str]:
    """Baselines that were not beaten, and whether that can be told from the test part."""
    from carousel import scores
    from carousel.report.facts import evaluation_in
    from carousel.report.verdicts import interval_of, metric_of, verdicts

    evaluation, metric = evaluation_in(path), metric_of(result)
    found = verdicts(result, evaluation)
    lines = []
    if ends := interval_of(evaluation, metric):
        low, high = (scores.show(metric, end) for end in ends)
        lines.append(f"{scores.title(metric)}, 95 % interval: {low} to {high}")
    if unsure := _named([verdict.baseline for verdict in found if verdict.sure is False]):
        lines.append(f"the interval includes {unsure}: no difference is shown")
    if better := _named([verdict.baseline for verdict in found if not verdict.better]):
        lines.append(f"the network does not beat {better}")
    return lines


def _named(baselines: list[str]) -> str:
    from carousel import scores

    *before, last = [scores.baseline(name) for name in baselines] or [""]
    return f"{', '.join(before)} and {last}" if before else last


_TREATED = {
    "also_in_training": "the training part has the same ones as well",
    "sources_in_training": "the training part has the same sentence to translate",
    "targets_in_training": "the training part has the same sentence as a translation",
    "too_long": "too long to train on, left out",
    "empty": "empty",
    "unreadable": "images that cannot be read, left out",
    "resized": "images of another size, made alike",
    "recoloured": "images in color, read as grey",
    "labels_not_in_training": "labels that the training part lacks",
    "unlabelled": "without a label, in no metric",
}


def _noteworthy(data: dict[str, Any]) -> list[str]:
    """Remarks on the data that a person should read, if there are any."""
    lines = []
    for key, meaning in _TREATED.items():
        counts = {part: n for part, n in data.get(key, {}).items() if n}
        if counts:
            shown = ", ".join(f"{n:,} of the {part} part" for part, n in counts.items())
            lines.append(f"{shown}: {meaning}")
    if data.get("missing_values_filled"):
        filled = f"{data['missing_values_filled']:,} missing values filled"
        lines.append(f"{filled} from before them, or where nothing is, at the start")
    return lines
