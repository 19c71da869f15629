"""Looks inside at one step or another: histograms of a block, profiles along time and lag."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nicegui import ui

from carousel.board import charts, histograms, signals
from carousel.board.charts import Line
from carousel.board.colours import PALETTE
from carousel.board.pages.frame import View, text
from carousel.run import events
from carousel.run.events import Event


class Looks:
    """A slider over the looks of one kind, at the newest until it is moved, and what it shows."""

    def __init__(self, view: View, kind: type[Event], path: Path, steps: list[int]) -> None:
        self.view, self.path, self._steps = view, path, steps
        self._newest = True
        t = view.words
        text("h2", t(f"looks_{kind.kind}"))
        with ui.element("div").classes("line"):
            text("span", t("look_at")).classes("soft")
            self._slider = ui.slider(min=0, max=len(steps) - 1, step=1, value=len(steps) - 1)
            self._slider.style("width: 240px").props["aria-label"] = t("look_at")
            self._label = text("span", "")
            self.controls = ui.element("div").classes("line").style("width: auto")
        self.grid = ui.element("div").classes("panels")
        self._slider.on_value_change(self._moved)

    @property
    def step(self) -> int:
        return self._steps[int(self._slider.value)]

    def grow(self, steps: list[int]) -> None:
        """Take in looks that are new."""
        if steps != self._steps:
            self._steps = steps
            self._slider.props["max"] = len(steps) - 1
            self._slider.update()
            if self._newest:
                self._slider.value = len(steps) - 1

    def _moved(self) -> None:
        self._newest = self._slider.value == len(self._steps) - 1
        self.draw()

    def draw(self) -> None:
        self._label.set_text(self.view.words("at_step", n=f"{self.step:,}"))


class Histograms(Looks):
    """Weights and updates of the block that is chosen."""

    def __init__(self, view: View, path: Path, steps: list[int]) -> None:
        super().__init__(view, events.Histogram, path, steps)
        t = view.words
        blocks = list(histograms.histograms(path, self.step))
        with self.controls:
            self._block = ui.select(blocks, value=blocks[0] if blocks else None, label=t("block"))
            self._block.props("dense outlined").style("min-width: 220px")
        self._charts = {}
        for what in ("weights", "updates"):
            with self.grid, ui.element("section").classes("panel"):
                text("h2", t(what))
                chart = ui.echart({}).classes("chart").props("role=img")
                chart.props["aria-label"] = t(what)
                self._charts[what] = chart
        self._block.on_value_change(self.draw)
        self.draw()

    def draw(self) -> None:
        super().draw()
        found = histograms.histograms(self.path, self.step).get(str(self._block.value), {})
        for color, (what, chart) in zip(PALETTE, self._charts.items(), strict=False):
            shown = found.get(what)
            if shown is not None:
                options = charts.histogram_chart(
                    shown.low, shown.high, shown.counts, dark=self.view.dark, color=color
                )
                _put(chart, options)


class Profiles(Looks):
    """Shares of open and closed gates over time, and the gradient against lag."""

    def __init__(self, view: View, path: Path, steps: list[int]) -> None:
        super().__init__(view, events.Profiles, path, steps)
        self._charts: dict[tuple[str, str], Any] = {}
        self.draw()

    def draw(self) -> None:
        super().draw()
        found = {
            (entry.axis, entry.name): entry for entry in histograms.profiles(self.path, self.step)
        }
        for axis in dict.fromkeys(axis for axis, _ in found):
            panels = signals.panels(name for other, name in found if other == axis)
            for title, lines in panels.items():
                drawn = [
                    Line(label, [[x, y] for x, y in found[axis, name].points])
                    for label, name in lines.items()
                ]
                chart = self._chart(axis, title)
                x_name = axis if axis not in ("time", "lag") else self.view.words(f"axis_{axis}")
                # Gradients fade by powers of ten.
                log = axis == "lag" and all(y > 0 for line in drawn for _, y in line.points if y)
                options = charts.line_chart(
                    drawn, dark=self.view.dark, zoom=False, x_name=x_name, log=log, legend=True
                )
                _put(chart, options)

    def _chart(self, axis: str, title: str) -> Any:
        if (axis, title) not in self._charts:
            with self.grid, ui.element("section").classes("panel"):
                text("h2", title)
                chart = ui.echart({}).classes("chart").props("role=img")
                chart.props["aria-label"] = title
                self._charts[axis, title] = chart
        return self._charts[axis, title]


MAKERS: dict[type[Event], Callable[[View, Path, list[int]], Looks]] = {
    events.Profiles: Profiles,
    events.Histogram: Histograms,
}


def _put(chart: Any, options: dict[str, Any]) -> None:
    chart.options.clear()
    chart.options.update(options)
    chart.update()
