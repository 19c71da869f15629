"""Inside the cells while they read one example: what `carousel inspect` found, to be touched."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from nicegui import ui

from carousel.board import charts, inspections
from carousel.board.charts import Line
from carousel.board.colours import PALETTE
from carousel.board.pages.frame import View, badge, card, text
from carousel.board.pages.live import Live, save_as_svg
from carousel.errors import RunError, command
from carousel.run import layout
from carousel.runs.store import Run


def show(view: View) -> None:
    """The page of the run that the address names."""
    t = view.words
    with view.frame(f"{view.ids[0] if view.ids else ''} {t('page_memory')}"):
        run = view.run()
        if run is not None:
            _Memory(view, run)


class _Memory:
    def __init__(self, view: View, run: Run) -> None:
        self.view, self.run = view, run
        self._names: list[str] = []
        self.live = Live()
        t = view.words
        with ui.element("div").classes("line"):
            text("h1", run.path.name if run.id == "." else run.id)
            badge(run.status, t)
        with ui.element("div").classes("line"):
            self._select = ui.select([], label=t("look_of")).style("min-width: 240px")
            self._select.on_value_change(self._draw)
            self._select.set_visibility(False)
        text("p", t("how_to_look")).classes("soft")
        text("code", command("inspect", run.path, "--sample", "0")).classes("text")
        self._kept = text("p", "").classes("soft")
        self._place = ui.element("div").classes("page-part")
        self.live.also(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Offer the looks that are new."""
        with suppress(RunError, OSError):  # gone: what is shown stays
            path = self.view.store.path(self.run.id)
            self._kept.set_text(self._epochs(path))
            found = layout.looks(path)
            if found == self._names:
                return
            new = [name for name in found if name not in self._names]
            self._names = found
            self._select.set_visibility(bool(found))
            self._select.set_options(found, value=new[0] if new else self._select.value)

    def _epochs(self, run: Path) -> str:
        """Epochs whose weights can be looked into, besides the final ones."""
        epochs = layout.kept_epochs(run)
        if not epochs:
            return self.view.words("no_kept_epochs")
        return self.view.words("kept_epochs", epochs=", ".join(map(str, epochs)))

    def _draw(self) -> None:
        name = str(self._select.value or "")
        self._place.clear()
        if not name:
            return
        with self._place:
            try:
                content = inspections.read(self.view.store.path(self.run.id), name)
                self._content(content)
            except (RunError, KeyError, TypeError, ValueError) as error:
                said = str(error) if isinstance(error, RunError) else self.view.words("damaged")
                text("p", said).classes("soft")

    def _content(self, content: dict[str, Any]) -> None:
        t = self.view.words
        text("h2", str(content["title"]))
        about = t("influence_of", what=str(content["measured"]), value=f"{content['value']:.4g}")
        text("p", about).classes("soft")
        if content.get("image"):
            self._map(inspections.unpack(t("the_input"), content["image"]), content, "image")
        for layer in content["layers"]:
            with card(str(layer["name"]), wide=True):
                self._layer(layer, content)

    def _layer(self, layer: dict[str, Any], content: dict[str, Any]) -> None:
        t = self.view.words
        lines = [("influence", t("influence"), PALETTE[7], False)]
        self._lines(layer, lines, t("influence"))
        lines = [("opened", t("let_in"), PALETTE[1], False), ("left", t("left"), PALETTE[0], True)]
        self._lines(layer, lines, t("mean_of_units"))
        if lives := layer.get("halfLives"):
            tenth, half, most = (t("never") if v is None else f"{v:.2g}" for v in lives)
            text("p", t("half_lives", tenth=tenth, half=half, most=most))
        for packed in layer["maps"]:
            kind = "gate" if packed.get("gate") else "state"
            self._map(inspections.unpack(str(packed["name"]), packed), content, kind)

    def _lines(
        self, layer: dict[str, Any], wanted: list[tuple[str, str, str, bool]], title: str
    ) -> None:
        lines = [
            Line(name, [[float(i), v] for i, v in enumerate(layer[key])], color, dashed=dashed)
            for key, name, color, dashed in wanted
            if layer.get(key)
        ]
        if lines:
            x_name = self.view.words("step")
            options = charts.line_chart(
                lines, dark=self.view.dark, zoom=False, legend=True, x_name=x_name
            )
            chart = ui.echart(options).classes("chart low").props("role=img")
            chart.props["aria-label"] = title

    def _map(self, found: inspections.Map, content: dict[str, Any], kind: str) -> None:
        text("span", found.name).classes("soft")
        names = inspections.labels(content["steps"], found.columns, found.each)
        options = charts.map_chart(
            found.cells, names, found.rows, found.low, found.high, kind=kind, dark=self.view.dark
        )
        chart = ui.echart(options).classes("chart low").props("role=img")
        chart.props["aria-label"] = found.name
        save_as_svg(chart, found.name)
