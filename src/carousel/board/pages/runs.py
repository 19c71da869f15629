"""The first page: every run and every sweep in a table, to search, sort, open and compare."""

from __future__ import annotations

import json
from typing import Any

from nicegui import ui

from carousel import scores
from carousel.board import notes
from carousel.board.pages.frame import View, address, ago, label_pages, score, text
from carousel.board.words import Words
from carousel.runs.store import Run
from carousel.runs.sweeps import Sweep

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
        _Runs(view)


class _Runs:
    def __init__(self, view: View) -> None:
        self.view, t = view, view.words
        # Where the folder is one sweep, its runs are what somebody wants to see.
        self._with_trials = view.sweeps.is_sweep(".")
        with ui.element("div").classes("line"):
            text("h1", t("page_runs"))
            text("span", str(view.store.root)).classes("soft")
        with ui.element("div").classes("line"):
            search = ui.input(label=t("search")).props("clearable dense outlined").classes("search")
            self._compare = ui.button(t("compare_selected"), on_click=self._go)
            self._compare.props("no-caps unelevated")
            self._trials = ui.switch(t("sweep_runs_too"), value=self._with_trials)
            self._trials.on_value_change(self._switched)
            self._hint = text("span", t("compare_hint")).classes("soft")
        self.table = _table(t)
        search.bind_value_to(self.table, "filter", forward=lambda typed: typed or "")
        self.table.on_select(self._chosen)
        self._chosen()
        self.refresh()
        ui.timer(2.0, self.refresh, immediate=False)

    def refresh(self) -> None:
        """Look at the runs again; those of sweeps are asked for."""
        runs = self.view.store.runs()
        sweeps = self.view.sweeps.all(runs)
        self._trials.set_visibility(bool(sweeps))
        t = self.view.words
        of_sweeps = [_sweep_row(sweep, t) for sweep in sweeps]
        alone = runs if self._with_trials else self.view.sweeps.sorted(runs).get("", [])
        rows = [*of_sweeps, *(_row(run, t) for run in alone)]
        if rows != self.table.rows:
            self.table.rows = rows

    def _switched(self) -> None:
        self._with_trials = bool(self._trials.value)
        self.refresh()

    def _chosen(self) -> None:
        few = len(self.table.selected) < 2
        self._compare.set_enabled(not few)
        self._hint.set_visibility(few)

    def _go(self) -> None:
        """A sweep stands for its best trial."""
        wanted = [row["compared"] for row in self.table.selected if row["compared"]]
        ui.navigate.to(address("/compare", wanted))


def _table(t: Words) -> ui.table:
    table = ui.table(
        columns=[_column(name, t) for name in _COLUMNS],
        rows=[],
        row_key="id",
        selection="multiple",
        pagination={"rowsPerPage": 25, "sortBy": "age", "descending": False},
    )
    table.classes("runs").props("flat bordered binary-state-sort")
    table.props["no-results-label"] = t("no_match")
    label_pages(table, t, nothing=t("no_runs"), per_page=t("rows_per_page"))
    table.add_slot("header-selection", _ALL.replace("LABEL", json.dumps(t("select_all"))))
    table.add_slot("body", _ROW)
    return table


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
    written = notes.read(run.path)
    born = run.created or run.updated
    return {
        "id": run.id,
        "compared": run.id,
        "run": run.path.name if run.id == "." else run.id,
        "href": address("/overview", [run.id]),
        "kind": run.status.value,
        "status": t(f"status_{run.status.value}"),
        "why": t.said(run.why),
        "recipe": run.recipe,
        "metric": _sortable(run),
        "metric_text": score(run.monitor, best[1], t) if best else "",
        "epoch": best[0] if best else 0,
        "epoch_text": t("best_of", best=best[0], done=len(run.epochs), planned=run.asked)
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


def _sweep_row(sweep: Sweep, t: Words) -> dict[str, Any]:
    """Table row of a sweep: its best trial, and how many have ended."""
    best, result = sweep.best, sweep.result
    metric = str(result.get("metric", ""))
    better = scores.HIGHER_IS_BETTER.get(metric, True)
    done = {"done": f"{sweep.done:,}", "runs": f"{result.get('runs', 0):,}"}
    return {
        "id": f"{sweep.id} sweep",  # the folder of a sweep may be the whole folder of runs
        "compared": sweep.run_of(best) if best else "",
        "run": sweep.path.name,
        "href": address("/sweep", [sweep.id]),
        "kind": sweep.status.value,
        "status": t(f"status_{sweep.status.value}"),
        "why": sweep.why,
        "recipe": str(result.get("recipe", "")),
        "metric": None if best is None else best["value"] if better else -best["value"],
        "metric_text": score(metric, best["value"], t) if best else "",
        "epoch": 0,
        "epoch_text": t("sweep_done", **done) if result else "",
        "speed": 0.0,
        "speed_text": "",
        "age": -sweep.created,
        "age_text": ago(sweep.created, t),
        "tags": "",
        "labels": [t("page_sweep")],
        "note": "",
    }


def _sortable(run: Run) -> float | None:
    """The metric so that, within one recipe, better ones come after worse ones."""
    if run.best is None:
        return None
    value = run.best[1]
    return value if scores.HIGHER_IS_BETTER.get(run.monitor, True) else -value
