"""The command line: `carousel VERB`. torch is imported inside the commands only.

Results go to standard output, talk to standard error (`talk.py`); exit codes are in `exits.py`.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from carousel.cli import completion, data
from carousel.cli.backtest import backtest
from carousel.cli.bench import bench
from carousel.cli.board import board, export_tensorboard
from carousel.cli.check import check
from carousel.cli.coach import coach
from carousel.cli.compare import compare
from carousel.cli.doctor import doctor
from carousel.cli.evaluate import evaluate
from carousel.cli.exits import Exit
from carousel.cli.export import export
from carousel.cli.init import init
from carousel.cli.inspect import inspect
from carousel.cli.lr_range import lr_range
from carousel.cli.output import with_options
from carousel.cli.predict import predict
from carousel.cli.recipes import recipes
from carousel.cli.report import report
from carousel.cli.serve import serve
from carousel.cli.sweep import sweep
from carousel.cli.talk import fail, heard, verb
from carousel.cli.train import train
from carousel.errors import CarouselError, TrainingDiverged
from carousel.terminal import write_anything

app = typer.Typer(
    name="carousel",
    help="Recurrent networks that train properly, explain themselves and run fast on CPUs.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _verb in (
    recipes, init, check, train, sweep, evaluate, backtest, predict, export, inspect, report,
    lr_range, coach, compare, board, serve, export_tensorboard, doctor, bench,
    completion.completion,
):  # fmt: skip
    app.command(_verb.__name__.replace("_", "-"))(verb(_verb))
app.add_typer(data.app, name="data", no_args_is_help=True)


def _version(wanted: bool) -> None:
    if wanted:
        import carousel

        print(f"carousel {carousel.__version__}")
        raise typer.Exit(Exit.DONE)


@app.callback()
def _carousel(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point: one readable line for every error a person can mend."""
    write_anything(sys.stdout, sys.stderr)
    if sys.argv[1:2] != ["bench"]:  # it measures others as they are
        _wait_briefly()
    if completion.VARIABLE in os.environ:
        completion.prepare()
    given = sys.argv[1:]
    if given in ([], ["data"]):  # names of verbs alone
        given = [*given, "--help"]
    sys.exit(_run(given))


def _run(given: list[str]) -> int:
    try:
        with heard():
            return int(app(given, prog_name=completion.PROGRAM, standalone_mode=False) or 0)
    except TrainingDiverged as error:
        return _fail(str(error), Exit.FOUND)
    except CarouselError as error:
        return _fail(with_options(str(error), error.arguments), Exit.REFUSED)
    except typer.TyperException as error:
        message = " ".join(error.format_message().split())
        return _fail(f"{message} (see carousel --help)", Exit.REFUSED)
    except typer.Abort:
        return _fail("interrupted", Exit.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.FOUND
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _fail(f"the system refused: {error.strerror or error}{where}", Exit.REFUSED)


def _wait_briefly() -> None:
    # OpenMP's threads spin for milliseconds at the end of each parallel part. Where another
    # process wants the cores too, they spin while the thread they wait for has none, and training
    # is many times slower. OpenMP reads this when torch is imported.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def _fail(message: str, code: Exit) -> int:
    fail(message)
    return code
