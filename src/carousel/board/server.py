"""The board's web server: an address of its own, the pages, and series as CSV."""

from __future__ import annotations

import csv
import errno
import io
import os
import secrets
import socket
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import uvicorn
from fastapi import FastAPI, Query
from fastapi.responses import PlainTextResponse, StreamingResponse
from nicegui import ui

from carousel.board import pages, series
from carousel.board.guard import LOOPBACK, Guard
from carousel.errors import ConfigError, RunError
from carousel.run.reading import reading
from carousel.runs.store import Store

PORT = 8765
_ROWS = 50_000  # of a CSV file, read at a time


@dataclass(frozen=True)
class Address:
    """Host and port of the board. token: required from viewers on other machines."""

    listener: socket.socket
    host: str
    token: str | None

    @property
    def url(self) -> str:
        port = self.listener.getsockname()[1]
        named = f"[{self.host}]" if ":" in self.host else self.host
        shown = f"?token={self.token}" if self.token else ""
        return f"http://{named}:{port}/{shown}"


def listen(host: str = "127.0.0.1", port: int | None = None) -> Address:
    """Take an address: the port asked for, or `PORT`, or a free one where that is taken.

    Raises `ConfigError` if the host is none of this machine's, or the port asked for is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        try:
            listener.bind((host, PORT if port is None else port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port is not None:
                raise
            listener.bind((host, 0))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or error
        at = f"{host}:{PORT if port is None else port}"
        raise ConfigError(
            f"the board cannot listen on {at} ({why}): name another --host or --port; without "
            f"--port it finds a free one"
        ) from None
    return Address(listener, host, None if host in LOOPBACK else secrets.token_urlsafe(24))


def serve(store: Store, address: Address, *, browser: bool, until: TextIO | None = None) -> None:
    """Show the runs until Ctrl-C, or until this input ends. browser: open the address in one."""
    app = Guard(make_app(store), address.token)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, server_header=False
    )
    with suppress(OSError):
        os.nice(5)  # the training beside it goes first
    if browser:
        with suppress(webbrowser.Error):
            webbrowser.open(address.url)
    server = uvicorn.Server(config)
    if until is not None:
        threading.Thread(target=_end_with, args=(until, server), daemon=True).start()
    with suppress(KeyboardInterrupt):
        server.run(sockets=[address.listener])


def _end_with(source: TextIO, server: uvicorn.Server) -> None:
    """Not by a signal: one that comes while the server is being set up can be lost."""
    source.read()
    server.should_exit = True


def make_app(store: Store) -> FastAPI:
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

    pages.register(store, series.Reader())
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
