"""Charts that follow their run: drawn again when something was written, finer where one looks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from nicegui import events as ui_events
from nicegui import run as threads
from nicegui import ui

from carousel.board.pages.frame import View, text
from carousel.board.series import Bucket, coarser
from carousel.errors import RunError

SECONDS = 1.0
_MOST, _FEWEST = 6000, 100  # buckets of a chart, and of one of its curves
Within = tuple[float, float]
Source = tuple[str, str]  # a run and one of its series
Data = dict[Source, list[Bucket]]
_SVG = """async () => {
  const {echarts} = await import("nicegui-echart"), shown = getElement(CHART).chart;
  const box = document.body.appendChild(document.createElement("div"));
  const size = {width: shown.getWidth(), height: shown.getHeight()};
  const copy = echarts.init(box, null, {renderer: "svg", ...size});
  copy.setOption({...shown.getOption(), animation: false, toolbox: []});
  const link = document.createElement("a");
  link.href = copy.getDataURL({type: "svg"});
  link.download = NAME;
  link.click();
  copy.dispose();
  box.remove();
}"""
#: From what was read, the options of a chart.
Draw = Callable[[Data], dict[str, Any]]


def save_as_svg(chart: ui.echart, title: str) -> None:
    """A button that saves a chart as SVG, drawn anew for it: the page itself draws on canvas."""
    name = json.dumps((re.sub(r"[^-.\w]+", "-", title).strip("-") or "chart") + ".svg")
    script = _SVG.replace("CHART", str(chart.id)).replace("NAME", name)
    button = ui.element("button").classes("link").props("type=button")
    with button:
        text("span", "SVG")
    button.on("click", js_handler=script)


class LiveChart:
    """A chart over series of one run or of several, in a card with a link to its numbers."""

    def __init__(
        self,
        view: View,
        title: str,
        wanted: Iterable[Source],
        draw: Draw,
        *,
        wide: bool = False,
    ) -> None:
        self.view, self.wanted, self._draw = view, list(wanted), draw
        self._within: Within | None = None
        self._span: Within = (0.0, 0.0)
        self._drawn: Any = None
        with ui.element("section").classes("panel wide" if wide else "panel"):
            with ui.element("div").classes("line spread"):
                text("h2", title)
                saving = ui.element("span").classes("saving")
            self.chart = ui.echart({}).classes("chart").props("role=img")
            self.chart.props["aria-label"] = title
            with saving:
                self._csv = ui.element("span")
                save_as_svg(self.chart, title)
        self._show_link()
        self.chart.on(
            "chart:datazoom",
            self._zoomed,
            args=["start", "end", "batch"],
            throttle=0.25,
            leading_events=False,
        )

    def _show_link(self) -> None:
        """Link to all the numbers of one run; series are told apart by their names."""
        self._csv.clear()
        runs = self._runs()
        if len(runs) == 1:
            query = urlencode([("run", runs[0]), *(("signal", name) for _, name in self.wanted)])
            with self._csv:
                ui.link("CSV", f"/series.csv?{query}").props("download")

    def want(self, wanted: Iterable[Source]) -> None:
        """Show these series from now on: more of them may be recorded as a run goes on."""
        new = list(wanted)
        if new != self.wanted:
            self.wanted = new
            self._show_link()
            self.invalidate()

    def invalidate(self) -> None:
        """Draw again at the next look, whatever was written."""
        self._drawn = None

    async def refresh(self) -> str:
        """Draw again if there is anything new; returns what is wrong, or an empty text.

        Where a folder was removed, what was drawn stays.
        """
        try:
            state = (self._within, *(self.view.store.token(run) for run in self._runs()))
            if state != self._drawn:
                await self._redraw(state)
        except RunError as error:
            return str(error)
        return ""

    async def _redraw(self, state: Any) -> None:
        data = await threads.io_bound(self._read)
        if data is None:  # the server is going down
            return
        self._drawn = state
        steps = [(b[0].first, b[-1].last) for b in data.values() if b]
        if steps:
            self._span = (min(s[0] for s in steps), max(s[1] for s in steps))
        options = self._draw(data)
        self.chart.options.clear()
        self.chart.options.update(options)
        self.chart.update()

    def _runs(self) -> list[str]:
        return list(dict.fromkeys(run for run, _ in self.wanted))

    def _read(self) -> Data:
        found: Data = {}
        for run in self._runs():
            names = [name for other, name in self.wanted if other == run]
            try:
                data = self.view.reader.read(self.view.store.events_of(run), names, self._within)
            except RunError:  # the page's own line says what is wrong with it
                continue
            found |= {(run, name): series for name, series in data.items()}
        most = max(_FEWEST, _MOST // max(len(found), 1))
        return {source: coarser(series, most) for source, series in found.items()}

    async def _zoomed(self, event: ui_events.GenericEventArguments) -> None:
        args = (event.args.get("batch") or [event.args])[0]
        start, end = args.get("start"), args.get("end")
        if not isinstance(start, int | float) or not isinstance(end, int | float):
            return
        first, last = self._span
        length = last - first
        whole = start <= 0 and end >= 100
        self._within = None if whole else (first + length * start / 100, first + length * end / 100)
        await self.refresh()


class Live:
    """Looks after what is on a page, once a second for as long as it is open."""

    def __init__(self) -> None:
        self.charts: list[LiveChart] = []
        self._others: list[Callable[[], Any]] = []
        self._notice = text("p", "").classes("soft").props("role=status")
        self._timer = ui.timer(SECONDS, self._refresh)

    def add(self, chart: LiveChart) -> LiveChart:
        self.charts.append(chart)
        return chart

    def also(self, refresh: Callable[[], Any]) -> None:
        """Call this, too, before the charts are looked at."""
        self._others.append(refresh)

    async def _refresh(self) -> None:
        for refresh in self._others:
            refresh()
        problems = [await chart.refresh() for chart in list(self.charts)]
        self._notice.set_text("; ".join(sorted(set(filter(None, problems)))))
