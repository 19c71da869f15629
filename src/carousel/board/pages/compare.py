"""Runs side by side: their curves in one chart, and where their settings differ."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from nicegui import ui

from carousel.board import charts, signals
from carousel.board.charts import Line
from carousel.board.colours import PALETTE
from carousel.board.pages.frame import View, address, badge, card, link, score, text
from carousel.board.pages.live import Data, Live, LiveChart
from carousel.board.points import Point, means, smoothed
from carousel.errors import RunError
from carousel.run import reading
from carousel.runs.differences import differing, flat, parallel_coordinates
from carousel.runs.store import Run

AXES = ("step", "epoch", "second")
MOST = 20


def show(view: View) -> None:
    """The page of the runs that the address names."""
    t = view.words
    with view.frame(t("page_compare")):
        text("h1", t("page_compare"))
        runs = []
        for id in dict.fromkeys(view.ids[:MOST]):
            try:
                runs.append(view.store.run(id))
            except RunError as error:
                text("p", str(error)).classes("soft")
        if len(view.ids) > MOST:
            text("p", t("compare_most", n=MOST)).classes("soft")
        if runs:
            _Compare(view, runs)
        else:
            link(t("page_runs"), "/")


class _Compare:
    def __init__(self, view: View, runs: list[Run]) -> None:
        self.view, self.ids = view, [run.id for run in runs]
        self.live = Live()
        self._axis, self._smoothing = "step", 0.9
        self._charts: set[str] = set()
        t = view.words
        with card():
            self._table(runs)
        with ui.element("div").classes("line"):
            text("span", t("x_axis")).classes("soft")
            names = {name: t(f"axis_{name}") for name in AXES}
            axis = ui.toggle(names, value="step").props("no-caps dense unelevated")
            axis.on_value_change(lambda: self._set_axis(str(axis.value)))
        self._grid = ui.element("div").classes("panels")
        self._differences(runs)
        self.live.also(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """A chart for every metric that one of the runs has."""
        t = self.view.words
        names: set[str] = set()
        for id in self.ids:
            try:
                names |= set(reading.names(self.view.store.events_of(id)))
            except RunError:
                continue
        for metric in signals.metrics(names):
            title = t("validation_of", metric=t.metric(metric))
            self._add(f"epoch/validation_{metric}", title, self._draw_metric)
        if "train/loss" in names:
            self._add("train/loss", t("loss_per_step_smoothed"), self._draw_loss)

    def _add(self, name: str, title: str, draw: Any) -> None:
        if name not in self._charts:
            self._charts.add(name)
            with self._grid:
                wanted = [(id, name) for id in self.ids]
                self.live.add(LiveChart(self.view, title, wanted, draw))

    def _set_axis(self, axis: str) -> None:
        self._axis = axis
        for chart in self.live.charts:
            chart.invalidate()

    def _draw_metric(self, data: Data) -> dict[str, Any]:
        return self._draw({id: means(b) for (id, _), b in data.items()}, dots=True)

    def _draw_loss(self, data: Data) -> dict[str, Any]:
        return self._draw(
            {id: smoothed(b, self._smoothing) for (id, _), b in data.items()}, dots=False
        )

    def _draw(self, curves: dict[str, list[Point]], *, dots: bool) -> dict[str, Any]:
        lines = [
            Line(
                id, self._placed(id, points), PALETTE[self.ids.index(id) % len(PALETTE)], dots=dots
            )
            for id, points in curves.items()
        ]
        name = self.view.words(f"axis_{self._axis}")
        # The zoom reads on by steps, so it is there for steps alone.
        return charts.line_chart(lines, dark=self.view.dark, x_name=name, zoom=self._axis == "step")

    def _placed(self, id: str, points: list[Point]) -> list[Point]:
        """The points with steps turned into epochs or seconds, by what the epochs say."""
        if self._axis == "step":
            return points
        clock = [(0.0, 0.0)]
        for epoch in self.view.store.run(id).epochs:
            at = epoch["epoch"] if self._axis == "epoch" else epoch.get("seconds", 0)
            clock.append((float(epoch["step"]), float(at)))
        placed = ([_between(clock, x), y] for x, y in points if x is not None)
        return [[x, y] for x, y in placed if x is not None]

    def _table(self, runs: list[Run]) -> None:
        t = self.view.words
        scroll = ui.element("div").classes("scroll").props("tabindex=0")
        with scroll, ui.element("table").classes("facts"):
            for index, run in enumerate(runs):
                with ui.element("tr"):
                    with ui.element("th").props("scope=row"):
                        mark = text("span", "●")
                        mark.style(f"color: {PALETTE[index % len(PALETTE)]}").props(
                            "aria-hidden=true"
                        )
                        link(
                            run.path.name if run.id == "." else run.id,
                            address("/overview", [run.id]),
                        )
                    with ui.element("td"):
                        badge(run.status, t)
                    best = run.best
                    text("td", score(run.monitor, best[1], t) if best else "")
                    text(
                        "td",
                        f"{run.setting('model.cell', '')} {run.setting('model.hidden_size', '')}",
                    )

    def _differences(self, runs: list[Run]) -> None:
        t = self.view.words
        settings = {run.id: flat(run.config) for run in runs}
        rows = differing(settings)
        with card(t("differences")):
            if not rows:
                text("p", t("no_differences")).classes("soft")
                return
            scroll = ui.element("div").classes("scroll").props("tabindex=0")
            with scroll, ui.element("table").classes("facts"):
                with ui.element("thead"), ui.element("tr"):
                    for name in (t("setting"), *self.ids):
                        text("th", name).props("scope=col")
                for key, values in rows.items():
                    with ui.element("tr"):
                        text("th", key).props("scope=row")
                        for id in self.ids:
                            text("td", values[id])
        self._parallel(runs, list(rows))

    def _parallel(self, runs: list[Run], keys: list[str]) -> None:
        """Many runs at once: a line per run over what differs, ending at its metric."""
        drawn = parallel_coordinates(runs, keys)
        if drawn is None:
            return
        with card(self.view.words("parallel")):
            chart = ui.echart(charts.parallel_chart(*drawn, dark=self.view.dark)).classes("chart")
            chart.props["aria-label"] = self.view.words("parallel")
            chart.props("role=img")


def _between(clock: list[tuple[float, float]], step: float) -> float | None:
    """Clock time at a step, interpolated; None beyond the last epoch."""
    for (a, at), (b, then) in pairwise(clock):
        if a <= step <= b:
            return at + (then - at) * (step - a) / (b - a) if b > a else then
    return None
