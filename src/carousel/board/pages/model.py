"""Inside the network: what was recorded of its layers and gates, a chart per layer and kind."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from carousel import events
from carousel.board import charts, signals
from carousel.board.charts import Level, Line
from carousel.board.pages.frame import View, badge, card, facts, text
from carousel.board.pages.live import Data, Live, LiveChart
from carousel.board.pages.overview import GUIDE
from carousel.board.store import Run
from carousel.errors import RunError

# In the order in which the page shows them.
_GROUPS = ("ratio", "gate", "state", "lag", "radius", "gradient", "spread", "other")


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
        self._charts: dict[tuple[str, ...], LiveChart] = {}
        t = view.words
        with ui.element("div").classes("line"):
            text("h1", run.path.name if run.id == "." else run.id)
            badge(run.status, t)
        model = run.setting("model", {})
        with card(t("model_settings")):
            facts([(f"model.{name}", str(value)) for name, value in sorted(model.items())])
        self._nothing = text("p", t("nothing_inside")).classes("soft")
        self._parts = {name: ui.element("div").style("display: contents") for name in _GROUPS}
        self._grids: dict[str, ui.element] = {}
        self.live.also(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """A chart for every panel that is new."""
        try:
            with events.reading(self.view.store.events_of(self.id)) as db:
                names = [name for (name,) in db.execute("SELECT name FROM signals")]
        except RunError:
            return
        for group in _GROUPS:
            inside = [name for name in signals.of(group, names) if name != "gradient_norm"]
            for title, lines in signals.panels(inside).items():
                key = (group, title, *lines.values())
                if key not in self._charts:
                    self._charts[key] = self._chart(group, title, lines)
        self._nothing.set_visibility(not self._charts)

    def _chart(self, group: str, title: str, lines: dict[str, str]) -> LiveChart:
        if group not in self._grids:
            with self._parts[group]:
                text("h2", self.view.words(f"group_{group}"))
                text("p", self.view.words(f"about_{group}")).classes("soft")
                self._grids[group] = ui.element("div").classes("panels")
        labels = {name: label for label, name in lines.items()}

        def draw(data: Data) -> dict[str, Any]:
            return charts.line_chart(
                [Line(labels[name], charts.extremes(b)) for (_, name), b in data.items()],
                dark=self.view.dark,
                levels=[Level(GUIDE, f"{GUIDE:g}")] if group == "ratio" else (),
                x_name=self.view.words("step"),
            )

        with self._grids[group]:
            wanted = [(self.id, name) for name in lines.values()]
            return self.live.add(LiveChart(self.view, title, wanted, draw))
