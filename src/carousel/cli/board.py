"""`carousel board`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from carousel.errors import ConfigError


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
) -> None:
    """See runs in the browser, live or long finished: curves, settings, comparison.

    It reads run folders and nothing else. Needs the extra: pip install 'carousel-rnn[board]'.

    Example: carousel board runs --port 8800
    """
    for package in ("nicegui", "psutil"):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"the board needs {package}, which is not installed: "
                f"pip install 'carousel-rnn[board]'"
            )
    from carousel.board.server import listen, serve
    from carousel.board.store import Store

    store = Store(runs)
    address = listen(host, port)
    print(f"the board of {store.root} is at {address.url} (Ctrl-C ends it)", flush=True)
    serve(store, address, browser=browser)
