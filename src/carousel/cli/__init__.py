"""The command line: `carousel VERB`. torch is imported inside the commands only.

Exit codes: 0 the command did what it was asked; 1 training diverged, a finding is severe, or some
of several inputs have no answer; 2 bad arguments, bad data or a folder that cannot be used, with
the reason in one line on standard error; 130 interrupted.
"""

from __future__ import annotations

import os
import sys

import typer

from carousel.cli import data
from carousel.cli.bench import bench
from carousel.cli.board import board, export_tensorboard
from carousel.cli.check import check
from carousel.cli.coach import coach
from carousel.cli.compare import compare
from carousel.cli.doctor import doctor
from carousel.cli.evaluate import evaluate
from carousel.cli.init import init
from carousel.cli.inspect import inspect
from carousel.cli.lr_range import lr_range
from carousel.cli.output import with_options
from carousel.cli.predict import predict
from carousel.cli.recipes import recipes
from carousel.cli.report import report
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
app.command()(recipes)
app.command()(init)
app.command()(check)
app.command()(train)
app.command()(evaluate)
app.command()(predict)
app.command()(inspect)
app.command()(report)
app.command("lr-range")(lr_range)
app.command()(coach)
app.command()(compare)
app.command()(board)
app.command(name="export-tensorboard")(export_tensorboard)
app.add_typer(data.app, name="data", no_args_is_help=True)
app.command()(doctor)
app.command()(bench)


def main() -> None:
    """Entry point: one readable line for every error a person can mend."""
    write_anything(sys.stdout, sys.stderr)
    if sys.argv[1:2] != ["bench"]:  # it measures others as they are
        _wait_briefly()
    given = sys.argv[1:]
    if given in ([], ["data"]):  # names of verbs alone
        given = [*given, "--help"]
    try:
        sys.exit(app(given, standalone_mode=False) or 0)
    except TrainingDiverged as error:
        _fail(str(error), 1)
    except CarouselError as error:
        _fail(with_options(str(error), error.arguments), 2)
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
