"""Inside the network: what was recorded of its layers and gates, a chart per layer and kind."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from nicegui import ui

from carousel.board import charts, signals
from carousel.board.charts import Level, Line
from carousel.board.histograms import looks, modules
from carousel.board.pages.frame import View, badge, card, facts, text
from carousel.board.pages.live import Data, Live, LiveChart
from carousel.board.pages.looks import MAKERS, Looks
from carousel.board.pages.overview import GUIDE
from carousel.board.points import extremes
from carousel.errors import RunError
from carousel.run import reading
from carousel.run.events import Event
from carousel.runs.store import Run

# In the order in which the page shows them. Those that are folded are many, and draw nothing
# before somebody opens them.
_SHOWN = ("ratio", "gate", "state", "lag", "radius")
_FOLDED = ("gradient", "spread", "other")
GROUPS = _SHOWN + _FOLDED


def show(view: View) -> None:
    """The page of the run that the address names."""
    t = view.words
    with view.frame(f"{view.ids[0] if view.ids else ''} {t('page_model')}"):
        run = view.run()
        if run is not None:
            _Model(view, run)


class _Model:
    def __init__(self, view: View, run: Run) -> None:
        self.view, self.id = view, run.id
        self.live = Live()
        t = view.words
        with ui.element("div").classes("line"):
            text("h1", run.path.name if run.id == "." else run.id)
            badge(run.status, t)
        self._nothing = text("p", t("nothing_inside")).classes("soft")
        places = {
            name: ui.element("div").classes("page-part")
            for name in (*_SHOWN, *(kind.kind for kind in MAKERS), *_FOLDED)
        }
        self._groups = {
            name: _Group(view, self.live, run.id, name, places[name]) for name in GROUPS
        }
        self._looks: dict[type[Event], Looks] = {}
        self._places = {kind: places[kind.kind] for kind in MAKERS}
        self._layers(run)
        with card(t("model_settings")):
            model = run.setting("model", {})
            facts([(f"model.{name}", str(value)) for name, value in sorted(model.items())])
        self.live.also(self.refresh)
        self.refresh()

    def _layers(self, run: Run) -> None:
        """The network as a tree: a row for each module, further in the deeper it lies."""
        t = self.view.words
        found: list[dict[str, Any]] = []
        with suppress(RunError, ValueError, KeyError, TypeError):
            found = modules(self.view.store.events_of(run.id))
        if not found:
            return
        rows = []
        for module in found:
            name = str(module.get("name", ""))
            depth = name.count(".") + 1 if name else 0
            count = module.get("parameters", 0)
            rows.append(
                (
                    "\u2003" * depth + (name.rpartition(".")[2] or t("network")),
                    str(module.get("kind", "")),
                    str(module.get("about", "")),
                    f"{count:,}" if isinstance(count, int) and count else "",
                )
            )
        with card(t("layers")):
            facts(rows, (t("layer"), t("kind"), t("arguments"), t("parameters")))

    def refresh(self) -> None:
        """A chart for every panel that is new."""
        try:
            path = self.view.store.events_of(self.id)
            names = reading.names(path)
        except RunError:
            return
        for name, group in self._groups.items():
            # Series without a path are of the whole network: the overview shows them.
            group.show([found for found in signals.of(name, names) if "/" in found])
        self._look(path)
        anything = self._looks or any(group.panels for group in self._groups.values())
        self._nothing.set_visibility(not anything)

    def _look(self, path: Path) -> None:
        """Sliders over what was recorded at some steps only."""
        with suppress(RunError, ValueError):  # damaged: the others are shown
            for kind, make in MAKERS.items():
                steps = looks(path, kind)
                if kind in self._looks:
                    self._looks[kind].grow(steps)
                elif steps:
                    with self._places[kind]:
                        self._looks[kind] = make(self.view, path, steps)


class _Group:
    """Charts of one kind under a heading, or in a fold."""

    def __init__(self, view: View, live: Live, run: str, name: str, place: ui.element) -> None:
        self.view, self.live, self.run, self.name, self.place = view, live, run, name, place
        self.panels: dict[str, dict[str, str]] = {}
        self._charts: dict[str, LiveChart] = {}
        self._grid: ui.element | None = None
        self._open = name in _SHOWN

    def show(self, names: list[str]) -> None:
        """Show these series: new charts, or new lines in those that are there."""
        panels = signals.panels(names)
        if panels == self.panels:
            return
        self.panels = panels
        if self._grid is None:
            self._grid = self._make_grid()
        if self._open:
            self._draw()

    def _make_grid(self) -> ui.element:
        t = self.view.words
        title, about = t(f"group_{self.name}"), t(f"about_{self.name}")
        with self.place:
            if self._open:
                text("h2", title)
                return self._under(about)
            with ui.expansion(title).classes("panel fold") as fold:
                fold.on_value_change(lambda: self._opened(bool(fold.value)))
                return self._under(about)

    def _under(self, about: str) -> ui.element:
        text("p", about).classes("soft about")
        return ui.element("div").classes("panels")

    def _opened(self, now: bool) -> None:
        self._open = self._open or now
        if self._open:
            self._draw()

    def _draw(self) -> None:
        assert self._grid is not None
        for title, lines in self.panels.items():
            wanted = [(self.run, name) for name in lines.values()]
            if title in self._charts:
                self._charts[title].want(wanted)
                continue
            with self._grid:
                chart = LiveChart(self.view, title, wanted, partial(self._options, title))
            self._charts[title] = self.live.add(chart)

    def _options(self, title: str, data: Data) -> dict[str, Any]:
        labels = {name: label for label, name in self.panels[title].items()}
        return charts.line_chart(
            [Line(labels[name], extremes(b)) for (_, name), b in data.items()],
            dark=self.view.dark,
            levels=[Level(GUIDE, f"{GUIDE:g}")] if self.name == "ratio" else (),
            x_name=self.view.words("step"),
            legend=True,
        )
