"""Pages of the board, a file each. Everything from data goes in as text."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from carousel.board.pages import (
    compare,
    memory,
    model,
    overview,
    predictions,
    runs,
    served,
    sweep,
    system,
)
from carousel.board.pages.frame import View
from carousel.board.series import Reader
from carousel.runs.store import Store


def register(store: Store, reader: Reader, server: str | None = None) -> None:
    """Put every page on its address. A run is named in the query: its id is a path. server: address
    of `carousel serve`, whose streams are shown, too."""
    View.server = server
    if server is not None:

        @ui.page("/served")
        def of_server(request: Request) -> None:
            served.show(View(store, reader, request, "served"))

    @ui.page("/")
    def _(request: Request) -> None:
        runs.show(View(store, reader, request, "runs"))

    @ui.page("/overview")
    def _(request: Request) -> None:
        overview.show(View(store, reader, request, "overview"))

    @ui.page("/model")
    def _(request: Request) -> None:
        model.show(View(store, reader, request, "model"))

    @ui.page("/memory")
    def _(request: Request) -> None:
        memory.show(View(store, reader, request, "memory"))

    @ui.page("/predictions")
    def _(request: Request) -> None:
        predictions.show(View(store, reader, request, "predictions"))

    @ui.page("/system")
    def _(request: Request) -> None:
        system.show(View(store, reader, request, "system"))

    @ui.page("/compare")
    def _(request: Request) -> None:
        compare.show(View(store, reader, request, "compare"))

    @ui.page("/sweep")
    def _(request: Request) -> None:
        sweep.show(View(store, reader, request, "sweep"))
