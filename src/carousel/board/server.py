"""The board's web server: an address of its own, the pages, and series as CSV."""

from __future__ import annotations

import csv
import io
import os
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import uvicorn
from fastapi import FastAPI, Query
from fastapi.responses import PlainTextResponse, StreamingResponse
from nicegui import ui

from carousel.board import pages, series
from carousel.errors import RunError
from carousel.run.reading import reading
from carousel.runs.store import Store
from carousel.web import address
from carousel.web.address import Address
from carousel.web.guard import Guard

PORT = 8765
_ROWS = 50_000  # of a CSV file, read at a time


def listen(host: str = "127.0.0.1", port: int | None = None) -> Address:
    """Take an address for the board; see `carousel.web.address.listen`."""
    return address.listen("the board", PORT, host, port)


def serve(
    store: Store,
    at: Address,
    *,
    browser: bool,
    until: TextIO | None = None,
    server: str | None = None,
) -> None:
    """Show the runs until Ctrl-C, or until this input ends. browser: open the address in one.
    server: address of `carousel serve`, whose streams are shown, too."""
    app = Guard(make_app(store, server), at.token)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, server_header=False
    )
    with suppress(OSError):
        os.nice(5)  # the training beside it goes first
    if browser:
        with suppress(webbrowser.Error):
            webbrowser.open(at.url)
    process = uvicorn.Server(config)
    if until is not None:
        threading.Thread(target=_end_with, args=(until, process), daemon=True).start()
    with suppress(KeyboardInterrupt):
        process.run(sockets=[at.listener])


def _end_with(source: TextIO, server: uvicorn.Server) -> None:
    """Not by a signal: one that comes while the server is being set up can be lost."""
    source.read()
    server.should_exit = True


def make_app(store: Store, server: str | None = None) -> FastAPI:
    """The pages and the CSV files of a folder of runs. One to a process: NiceGUI has one app."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/series.csv", response_model=None)
    def series_csv(
        run: str,
        signal: list[str] = Query(default=[]),  # noqa: B008  # FastAPI's way
    ) -> StreamingResponse | PlainTextResponse:
        try:
            path = store.events_of(run)
            rows = _csv(path, signal)
            first = next(rows)
        except RunError as error:
            return PlainTextResponse(f"{error}\n", status_code=404)
        headers = {"content-disposition": 'attachment; filename="series.csv"'}
        return StreamingResponse(_then(first, rows), media_type="text/csv", headers=headers)

    pages.register(store, series.Reader(), server)
    ui.run_with(
        app,
        title="Carousel",
        favicon="🎠",
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=10,
        binding_refresh_interval=None,  # nothing here needs to be polled
    )
    return app


def _csv(path: Path, signals: list[str]) -> Iterator[str]:
    """Every recorded point of these series: signal, step, value."""
    yield _line("signal", "step", "value")
    for name in signals:
        last = -1
        while True:
            # A connection to a page: the server hands each page to a thread of its choice.
            with reading(path) as store:
                signal = store.signals().get(name)
                rows = [] if signal is None else list(store.points(signal, last, _ROWS))
            yield "".join(_line(name, step, "nan" if v is None else v) for step, v in rows)
            if len(rows) < _ROWS:
                break
            last = rows[-1][0]


def _line(*cells: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _then(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
