"""Streams of a server (`carousel serve`): load, latencies, batches, and who stepped last."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from nicegui import run as threads
from nicegui import ui

from carousel.board.pages.frame import View, card, facts, text
from carousel.client import Client
from carousel.errors import CarouselError

_SECONDS = 1.0
_MOST = 12  # streams of a model

Status = dict[str, Any]


def show(view: View) -> None:
    """The page of the server that the board was told of."""
    t = view.words
    with view.frame(t("page_served")):
        text("h1", t("page_served"))
        assert view.server is not None
        _Served(view, view.server)


class _Served:
    def __init__(self, view: View, url: str) -> None:
        self._words, self._client = view.words, Client(url, patience=0)
        self._before: Status | None = None
        text("span", self._client.host).classes("soft")
        self._panels = ui.element("div").classes("panels")
        ui.timer(_SECONDS, self.refresh)

    async def refresh(self) -> None:
        """Ask the server, and show what it says; a page that is gone asks no more."""
        try:
            status = await threads.io_bound(self._ask)
        except (OSError, CarouselError) as error:
            self._panels.clear()
            with self._panels:
                text("p", f"{self._words('served_gone')}: {error}").props("role=alert")
            return
        if status is None:  # the board ends
            return
        self._panels.clear()
        with self._panels:
            for model in status["models"]:
                self._show(model, status)
        self._before = status

    def _ask(self) -> Status:
        status: Status = self._client.ask("GET", "/v1/status")
        for model in status["models"]:
            path = f"/v1/models/{quote(model['model'], safe='')}/streams?most={_MOST}"
            model["latest"] = self._client.ask("GET", path)["streams"]
        return {**status, "at": time.monotonic()}

    def _show(self, model: Status, status: Status) -> None:
        t = self._words
        steps, seconds = self._since(model, status)
        with card(f"{model['model']} · {model['task']}"):
            facts([
                (t("served_streams"), f"{model['streams']:,}"),
                (t("served_rate"), "–" if steps is None else f"{steps / seconds:,.0f}"),
                (t("served_latency"), f"{_number(model['p50_ms'])}, {_number(model['p99_ms'])}"),
                (t("served_waiting"), f"{model['waiting']:,}"),
                (t("served_refused"), f"{model['refused']:,}"),
                (t("served_batches"), _batches(model["batch_sizes"])),
            ])  # fmt: skip
        with card(f"{model['model']}: {t('served_latest')}"):
            head = [t(f"served_{name}") for name in ("stream", "steps", "idle")]
            facts(
                [(one["stream"], f"{one['steps']:,}", f"{one['idle']:.1f}")
                 for one in model["latest"]],
                head,
            )  # fmt: skip

    def _since(self, model: Status, status: Status) -> tuple[float | None, float]:
        """Steps since the last look, None at the first one, and the seconds."""
        before = self._before
        if before is None or before["process"] != status["process"]:
            return None, 1.0
        known = {one["model"]: one["steps"] for one in before["models"]}
        if model["model"] not in known:
            return None, 1.0
        return model["steps"] - known[model["model"]], status["at"] - before["at"]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _batches(sizes: dict[str, int]) -> str:
    return ", ".join(f"≤ {size}: {count:,}" for size, count in sizes.items()) or "–"
