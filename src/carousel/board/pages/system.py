"""Machine of a run, its speed, and how busy this machine is."""

from __future__ import annotations

import os
import platform
from functools import partial
from typing import Any

import psutil
from nicegui import ui

from carousel.board import charts, signals
from carousel.board.charts import Line
from carousel.board.colours import PALETTE
from carousel.board.pages.frame import View, badge, card, facts, text
from carousel.board.pages.live import Data, Live, LiveChart
from carousel.board.points import Point, extremes
from carousel.errors import RunError
from carousel.run import reading
from carousel.runs.store import Run

_GIGABYTE = 1e9


def show(view: View) -> None:
    """The page of the run that the address names."""
    t = view.words
    with view.frame(f"{view.ids[0] if view.ids else ''} {t('page_system')}"):
        run = view.run()
        if run is not None:
            _System(view, run)


class _System:
    def __init__(self, view: View, run: Run) -> None:
        self.view, self.id = view, run.id
        self.live = Live()
        self._charts: dict[str, LiveChart] = {}
        self._panels: dict[str, dict[str, str]] = {}
        t = view.words
        with ui.element("div").classes("line"):
            text("h1", run.path.name if run.id == "." else run.id)
            badge(run.status, t)
        self._grid = ui.element("div").classes("panels")
        with self._grid:
            with card(t("run_ran_on")):
                facts(_facts_of(run, t("fact_threads"), t("fact_device")))
            with card(t("this_machine")):
                self._now = ui.element("div").style("display: contents")
            # The name of any one-per-epoch series: its steps are the ends of the epochs.
            wanted = [(self.id, "epoch/train_loss")]
            self.live.add(LiveChart(view, t("speed_per_epoch"), wanted, self._draw_speed))
        self.live.also(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """This machine now, and charts of times that are new."""
        self._show_now()
        try:
            names = reading.names(self.view.store.events_of(self.id))
        except RunError:
            return
        for title, lines in signals.panels(signals.of("time", names)).items():
            self._panels[title] = {name: label for label, name in lines.items()}
            wanted = [(self.id, name) for name in lines.values()]
            if title in self._charts:
                self._charts[title].want(wanted)
                continue
            with self._grid:
                shown = self.view.words.title(title)
                chart = LiveChart(self.view, shown, wanted, partial(self._draw_times, title))
            self._charts[title] = self.live.add(chart)

    def _draw_times(self, title: str, data: Data) -> dict[str, Any]:
        labels = self._panels[title]
        lines = [
            Line(labels[name], extremes(buckets), dots=True) for (_, name), buckets in data.items()
        ]
        return charts.line_chart(lines, dark=self.view.dark, x_name=self.view.words("step"))

    def _draw_speed(self, _: Data) -> dict[str, Any]:
        """Steps per second of each epoch, its validation included."""
        points: list[Point] = []
        step, seconds = 0.0, 0.0
        for epoch in self.view.store.run(self.id).epochs:
            steps, spent = epoch["step"] - step, float(epoch.get("seconds", 0)) - seconds
            step, seconds = epoch["step"], float(epoch.get("seconds", 0))
            if spent > 0:
                points.append([float(step), steps / spent])
        t = self.view.words
        line = Line(t("speed_per_epoch"), points, PALETTE[2], dots=True)
        return charts.line_chart([line], dark=self.view.dark, x_name=t("step"))

    def _show_now(self) -> None:
        t = self.view.words
        memory, own = psutil.virtual_memory(), psutil.Process()
        load = ", ".join(f"{part:.2f}" for part in os.getloadavg())
        rows = [
            (t("fact_machine"), f"{platform.system()} {platform.machine()}"),
            (t("fact_processors"), str(psutil.cpu_count())),
            (t("fact_cpu"), f"{psutil.cpu_percent():.0f} %"),
            (t("fact_load"), load),
            (
                t("fact_memory"),
                f"{(memory.total - memory.available) / _GIGABYTE:.1f} / "
                f"{memory.total / _GIGABYTE:.1f} GB",
            ),
            (t("fact_board_memory"), f"{own.memory_info().rss / 1e6:.0f} MB"),
        ]
        self._now.clear()
        with self._now:
            facts(rows)


def _facts_of(run: Run, threads: str, device: str) -> list[tuple[str, str]]:
    versions = run.setting("run.versions", {})
    rows = [
        (threads, str(run.setting("run.threads", ""))),
        (device, str(run.setting("run.device", ""))),
    ]
    if isinstance(versions, dict):
        rows += [(str(name), str(value)) for name, value in versions.items()]
    return rows
