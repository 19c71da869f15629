"""`carousel board` and `carousel export-tensorboard`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from carousel.cli.output import JsonOption, print_json
from carousel.errors import require_extra


def board(
    runs: Annotated[
        Path, typer.Argument(metavar="RUNS", help="The folder of the runs, or a single run.")
    ] = Path("runs"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine's need a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="[default: 8765, or a free one if it is taken]"),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Show the streams of carousel serve at this address, too."
        ),
    ] = None,
    as_json: JsonOption = False,
    until_input_ends: Annotated[bool, typer.Option("--until-input-ends", hidden=True)] = False,
) -> None:
    """See runs in the browser, live or long finished: curves, gates, settings, comparison.

    It reads run folders and, with --server, asks a server of live streams. Needs the extra:
    pip install 'carousel-rnn[board]'.

    Example: carousel board runs --port 8800
    """
    require_extra("the board", "board", "nicegui", "psutil")
    from carousel.board.server import listen, serve
    from carousel.runs.store import Store

    store = Store(runs)
    address = listen(host, port)
    if as_json:
        print_json({"url": address.url, "runs": str(store.root)})
        sys.stdout.flush()
    else:
        print(f"the board of {store.root} is at {address.url} (Ctrl-C ends it)", flush=True)
    until = sys.stdin if until_input_ends else None
    serve(store, address, browser=browser, until=until, server=server)


def export_tensorboard(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="[default: RUN/tensorboard]")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a run's numbers as an event file that TensorBoard reads.

    Needs the extra: pip install 'carousel-rnn[tensorboard]'.

    Example: carousel export-tensorboard runs/mnist-rows-20260101-120000
    """
    require_extra("the export", "tensorboard", "tensorboardX")
    from carousel.board.tensorboard import export
    from carousel.runs.store import Store

    found = Store(run).run(".")
    folder = out or run / "tensorboard"
    count = export(found, folder)
    if as_json:
        print_json({"folder": str(folder), "numbers": count})
    else:
        print(f"{count:,} numbers are in {folder}: tensorboard --logdir {folder}")


@contextmanager
def board_beside(runs: Path) -> Iterator[None]:
    """A board of these runs in a process of its own, for as long as the block takes."""
    require_extra("the board", "board", "nicegui", "psutil")
    runs.mkdir(parents=True, exist_ok=True)
    code = "from carousel.cli import main; main()"
    command = [sys.executable, "-c", code, "board", str(runs), "--until-input-ends"]
    # Its input ends with this process, however that ends; what it prints is no result.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sys.stderr) as process:
        try:
            yield
        finally:
            process.terminate()
