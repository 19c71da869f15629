"""The command line: `carousel VERB`. torch is imported inside the commands only.

Exit codes: 0 the command did what it was asked; 1 training diverged; 2 bad arguments, bad data or
a folder that cannot be used, with the reason in one line on standard error; 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carousel.errors import CarouselError, ConfigError, DataError, TrainingDiverged

if TYPE_CHECKING:
    from rich.table import Table

    from carousel.tasks.task import Shown

app = typer.Typer(
    name="carousel",
    help="Recurrent networks that train properly, explain themselves and run fast on CPUs.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a bundle.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def main() -> None:
    """Entry point: one readable line for every error a person can mend."""
    if sys.argv[1:2] != ["bench"]:  # it measures others as they are
        _wait_briefly()
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0)
    except TrainingDiverged as error:
        _fail(str(error), 1)
    except CarouselError as error:
        _fail(str(error), 2)
    except typer.TyperException as error:
        _fail(f"{' '.join(error.format_message().split())} (see carousel --help)", 2)
    except typer.Abort:
        _fail("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _fail(f"the system refused: {error.strerror or error}{where}", 2)


def _wait_briefly() -> None:
    # OpenMP's threads spin for milliseconds at the end of each parallel part. Where another
    # process wants the cores too, they spin while the thread they wait for has none, and training
    # is many times slower. OpenMP reads this when torch is imported.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def _fail(message: str, code: int) -> None:
    print(f"carousel: {' '.join(message.splitlines())}", file=sys.stderr)
    sys.exit(code)


@app.command()
def recipes(as_json: JsonOption = False) -> None:
    """List the recipes: what each does, on what data, with what result, in what time.

    Example: carousel recipes
    """
    from carousel import recipes as library

    rows = []
    for name in library.names():
        config, _ = library.load(name)
        rows.append({**asdict(config.recipe), "data": config.data.name})
    if as_json:
        _print_json(rows)
        return
    table = _table("recipe", "mapping", "expected", "minutes")
    for row in rows:
        columns = ("name", "mapping", "expected", "minutes")
        table.add_row(*(str(row[column]) for column in columns))
    _print(table)
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        _print(f" {row['name']:<{width}}   {row['summary']}")
    _print(
        "\nMinutes are of training on two CPU cores. A recipe with a target in place of a"
        "\nscore has not been run to its end, and its minutes are an estimate."
        "\nTrain one: carousel train mnist-rows"
    )


@app.command()
def train(
    recipe: Annotated[
        str | None, typer.Argument(metavar="RECIPE|FILE", help="A recipe's name or a .toml file.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting; repeatable."),
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
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the run folder, at the end.")
    ] = False,
) -> None:
    """Train a recipe, judge it on the test data, compare it with baselines.

    Example: carousel train mnist-rows --set training.epochs=5 --seed 1
    """
    if resume is not None:
        given = (recipe, assignments, seed, threads, device, run_dir)
        if any(value is not None for value in given):
            raise ConfigError("--resume continues a run as it was: it takes no recipe or settings")
    elif recipe is None:
        raise ConfigError("name a recipe or a .toml file: carousel recipes lists them")

    from carousel import training

    path = resume
    try:
        if resume is not None:
            run = training.resume(resume, quiet=quiet)
        else:
            assert recipe is not None
            run = training.train(
                recipe,
                assignments or (),
                seed=seed,
                threads=threads,
                device=device or "cpu",
                run_dir=run_dir,
                quiet=quiet,
            )
    except training.Interrupted as stop:
        path = stop.run
        print(f"\nInterrupted. Continue with: carousel train --resume {path}", file=sys.stderr)
        raise typer.Exit(130) from None
    if quiet:
        print(run.path)
    else:
        _show_result(run.result, run.path)


def _show_result(result: dict[str, Any], path: Path) -> None:
    from carousel.tasks import scores

    test, name = result["test"], result["monitor"]
    table = _table("on the test data", scores.title(name))
    table.add_row(
        f"{result['recipe']} (epoch {result['kept_epoch']})", scores.show(name, test[name])
    )
    for baseline, values in result["baseline"].items():
        if name in values:
            shown = scores.show(name, values[name])
            table.add_row(f"{baseline.replace('_', ' ')} (baseline)", shown)
    _print(table)
    _print(f"test {scores.sentence(test)}; {result['seconds']:.0f} s of training")
    _print(f"next: carousel evaluate {path}")


@app.command()
def evaluate(
    run: RunArgument,
    part: Annotated[str, typer.Option(help="test or validation.")] = "test",
    as_json: JsonOption = False,
) -> None:
    """Judge a trained model on data it was not trained on, in detail.

    Writes evaluation.json and the task's pictures into the folder.

    Example: carousel evaluate runs/mnist-rows-20261124-090000
    """
    from carousel.bundle import evaluate_run
    from carousel.tasks import scores

    evaluation = evaluate_run(run, part)
    report = evaluation.report
    if as_json:
        _print_json(report)
        return
    for shown in evaluation.trained.present(report):
        _show(shown)
    metrics = {name: value for name, value in report.items() if isinstance(value, float)}
    _print(f"{part} {scores.sentence(metrics)}")
    _print(f"in {run}: {', '.join(path.name for path in evaluation.files)}")


@app.command()
def predict(
    run: RunArgument,
    source: Annotated[
        Path | None,
        typer.Argument(metavar="[INPUT]", help="Images (.png, .npz, IDX), or a text to score."),
    ] = None,
    invert: Annotated[
        bool, typer.Option("--invert", help="Images: the digits are dark on light, turn them.")
    ] = False,
    prompt: Annotated[
        str | None, typer.Option(help="Text: write on from here; of names, the language.")
    ] = None,
    length: Annotated[
        int | None, typer.Option(min=1, help="Text: tokens to write at most [default: 200].")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Text: how many to write [default: 1].")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Text: below 1 bolder, 0 the likeliest [default: 1].")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(help="Text: only the k likeliest tokens [default: 0, all].")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Text: only the likeliest, up to p [default: 1].")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Text: of the draw [default: 0].")] = None,
    as_json: JsonOption = False,
) -> None:
    """What a trained model says of new input: classes of images, or text that follows a prompt.

    Example: carousel predict runs/mnist-rows-20261124-090000 digit.png

    Example: carousel predict runs/ptb-small-20261124-090000 --prompt "the company said" --top-p 0.9
    """
    from carousel.bundle import load
    from carousel.tasks.task import Request

    options = {
        "invert": invert or None,
        "prompt": prompt,
        "length": length,
        "samples": samples,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "seed": seed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    for shown in load(run).answer(Request(source, given, as_json)):
        _show(shown)


data_app = typer.Typer(help="Published data sets: what there is, where it lies, get it.")
app.add_typer(data_app, name="data", no_args_is_help=True)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Of a set in carousel data list.")
]


@data_app.command("list")
def data_list(as_json: JsonOption = False) -> None:
    """The data sets, their terms, and where they lie here.

    Example: carousel data list
    """
    from carousel.data import sources

    rows = [
        {"name": name, "what": source.title, "terms": source.terms, "where": sources.where(name)}
        for name, source in sources.SOURCES.items()
    ]
    if as_json:
        _print_json([{**row, "where": str(row["where"] or "")} for row in rows])
        return
    table = _table("data set", "what it is", "terms", "where")
    for row in rows:
        table.add_row(*(str(row[c]) for c in ("name", "what", "terms")), str(row["where"] or "-"))
    _print(table)
    _print("Get one: carousel data fetch NAME. MNIST needs no download.")


@data_app.command("fetch")
def data_fetch(name: NameArgument) -> None:
    """Download a data set unless it is here, and check it.

    Example: carousel data fetch penn-treebank
    """
    from carousel.data import sources

    print(sources.fetch(name))


@data_app.command("path")
def data_path(name: NameArgument) -> None:
    """The folder that holds a data set.

    Example: carousel data path tiny-shakespeare
    """
    from carousel.data import sources

    sources.find(name)
    folder = sources.where(name)
    if folder is None:
        raise DataError(f"{name} is not here: carousel data fetch {name}")
    print(folder)


@app.command()
def doctor() -> None:
    """What Carousel runs on here: versions, instruction set, threads, paths, folders.

    Example: carousel doctor
    """
    from carousel.doctor import examine

    for title, rows in examine().items():
        table = _table(title, "", title=None)
        for name, value in rows.items():
            table.add_row(name, value)
        _print(table)


@app.command()
def bench(
    suites: Annotated[
        list[str] | None,
        typer.Option(
            "--suite", help="dense, odd, ragged, stream, scaling; or options. Repeatable."
        ),
    ] = None,
    only: Annotated[
        str, typer.Option(metavar="WORDS", help="Rows whose title has all of these words.")
    ] = "",
    peers: Annotated[
        list[str] | None,
        typer.Option("--peer", help="Compare with this one only, in every row; repeatable."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few rows, in about a minute.")] = False,
    seconds: Annotated[
        float | None, typer.Option(help="Per row [default: 2.5, or 1 with --quick].")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of each contestant [default: torch's number].")
    ] = None,
    memory: Annotated[
        bool, typer.Option("--memory/--no-memory", help="Measure memory of training, too.")
    ] = True,
    read: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Show results; measure nothing.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the results.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tables into a Markdown file.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write pictures (PNG).")
    ] = None,
) -> None:
    """Measure speed and memory against torch.nn, ONNX Runtime, Keras and TensorFlow.

    Everyone takes turns in one run; peers that are not installed are left out, and so are, in most
    rows, those that compile for seconds.

    Example: carousel bench --suite stream --only LSTM --json stream.json
    """
    from carousel.bench import console

    for path in (json_file, markdown):
        if path is not None and path.is_dir():
            raise ConfigError(f"{path} is a folder: give a file")
    results = console.get(
        read,
        suites=tuple(suites or ()),
        only=only,
        quick=quick,
        peers=tuple(peers or ()),
        threads=threads,
        seconds=seconds,
        memory=memory,
    )
    console.write(results, json_file, markdown, plots)
    for content in console.tables(results, narrow=True):
        table = _table(*content.columns, title=content.title)
        for row in content.rows:
            table.add_row(*row)
        _print(table)
    for line in console.notes(results):
        _print(line)
    if not results.complete:
        raise typer.Exit(130)
    if results.failures:
        raise typer.Exit(1)


def _show(what: Shown) -> None:
    from carousel.tasks import task

    match what:
        case task.Notice(text):
            print(f"carousel: {text}", file=sys.stderr)
        case task.Json(content):
            _print_json(content)
        case task.Table(columns, rows):
            table = _table(*columns)
            for row in rows:
                table.add_row(*row)
            _print(table)
        case str():
            print(what, end="", flush=True)


def _table(*columns: str, title: str | None = None) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(*columns, title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.overflow = "fold"
    return table


def _print(what: Table | str) -> None:
    from rich.console import Console

    # Text is printed as it is: no markup, no wrapping; tables fold to the terminal's width.
    console = Console(highlight=False, markup=False, soft_wrap=isinstance(what, str))
    console.print(what)


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False))
