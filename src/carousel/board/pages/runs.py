"""The first page: every run in a table, to search, sort, open and compare."""

from __future__ import annotations

import json
from typing import Any

from nicegui import ui

from carousel import scores
from carousel.board import notes
from carousel.board.pages.frame import View, address, ago, score, text
from carousel.board.words import Words
from carousel.runs.store import Run

_COLUMNS = ("run", "status", "recipe", "metric", "epoch", "speed", "age", "tags")
# Vue writes what stands in {{ }} as text.
_CELLS = """
<q-td key="run" :props="props"><a :href="props.row.href">{{ props.row.run }}</a></q-td>
<q-td key="status" :props="props"><span :class="'badge ' + props.row.kind" :title="props.row.why">
  {{ props.row.status }}</span></q-td>
<q-td key="recipe" :props="props">{{ props.row.recipe }}</q-td>
<q-td key="metric" :props="props">{{ props.row.metric_text }}</q-td>
<q-td key="epoch" :props="props">{{ props.row.epoch_text }}</q-td>
<q-td key="speed" :props="props">{{ props.row.speed_text }}</q-td>
<q-td key="age" :props="props">{{ props.row.age_text }}</q-td>
<q-td key="tags" :props="props"><span v-for="tag in props.row.labels" class="tag">{{ tag }}</span>
  <span class="soft">{{ props.row.note }}</span></q-td>
"""
_ALL = """<q-checkbox v-model="props.selected" dense :aria-label='LABEL' />"""
_ROW = f"""<q-tr :props="props"><q-td auto-width>
<q-checkbox v-model="props.selected" dense :aria-label="props.row.run" /></q-td>{_CELLS}</q-tr>"""


def show(view: View) -> None:
    """The table, looked at again every other second."""
    t = view.words
    with view.frame(t("page_runs")):
        with ui.element("div").classes("line"):
            text("h1", t("page_runs"))
            text("span", str(view.store.root)).classes("soft")
        with ui.element("div").classes("line"):
            search = ui.input(label=t("search")).props("clearable dense outlined").classes("search")
            compare = ui.button(t("compare_selected")).props("no-caps unelevated")
            hint = text("span", t("compare_hint")).classes("soft")
        table = ui.table(
            columns=[_column(name, t) for name in _COLUMNS],
            rows=[_row(run, t) for run in view.store.runs()],
            row_key="id",
            selection="multiple",
            pagination={"rowsPerPage": 25, "sortBy": "age", "descending": False},
        )
        table.classes("runs").props("flat bordered binary-state-sort")
        table.props["no-data-label"] = t("no_runs")
        table.props["no-results-label"] = t("no_match")
        table.props["rows-per-page-label"] = t("rows_per_page")
        # Counted by the browser, in whatever order it shows them.
        between = json.dumps(t("of_all"))
        table.props[":pagination-label"] = f"(a, b, n) => `${{a}}–${{b}} ${{{between}}} ${{n}}`"
        table.add_slot("header-selection", _ALL.replace("LABEL", json.dumps(t("select_all"))))
        table.add_slot("body", _ROW)
        search.bind_value_to(table, "filter", forward=lambda typed: typed or "")

    def chosen() -> None:
        few = len(table.selected) < 2
        compare.set_enabled(not few)
        hint.set_visibility(few)

    def go() -> None:
        ui.navigate.to(address("/compare", [row["id"] for row in table.selected]))

    def refresh() -> None:
        rows = [_row(run, t) for run in view.store.runs()]
        if rows != table.rows:
            table.rows = rows

    compare.on_click(go)
    table.on_select(chosen)
    chosen()
    ui.timer(2.0, refresh, immediate=False)


def _column(name: str, t: Words) -> dict[str, Any]:
    align = "right" if name in ("metric", "epoch", "speed", "age") else "left"
    return {
        "name": name,
        "label": t(f"column_{name}"),
        "field": name,
        "sortable": True,
        "align": align,
    }


def _row(run: Run, t: Words) -> dict[str, Any]:
    """Table row of a run: sort keys and cells, text and numbers alone."""
    best, speed = run.best, run.steps_per_second
    planned = run.setting("training.epochs", "?")
    written = notes.read(run.path)
    born = run.created or run.updated
    return {
        "id": run.id,
        "run": run.path.name if run.id == "." else run.id,
        "href": address("/overview", [run.id]),
        "kind": run.status.value,
        "status": t(f"status_{run.status.value}"),
        "why": t.said(run.why),
        "recipe": run.recipe,
        "metric": _sortable(run),
        "metric_text": score(run.monitor, best[1], t) if best else "",
        "epoch": best[0] if best else 0,
        "epoch_text": t("best_of", best=best[0], done=len(run.epochs), planned=planned)
        if best
        else "",
        "speed": speed or 0.0,
        "speed_text": t("steps_per_second", n=f"{speed:,.1f}") if speed else "",
        "age": -born,
        "age_text": ago(born, t),
        "tags": " ".join((*written.tags, written.text[:2000])),  # searched
        "labels": list(written.tags),
        "note": written.text.partition("\n")[0][:120],
    }


def _sortable(run: Run) -> float | None:
    """The metric so that, within one recipe, better ones come after worse ones."""
    if run.best is None:
        return None
    value = run.best[1]
    return value if scores.HIGHER_IS_BETTER.get(run.monitor, True) else -value
