"""A sweep: its trials, what matters among their settings, and what was confirmed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from carousel import scores
from carousel.board import sweep_charts
from carousel.board.pages.frame import View, address, badge, card, facts, label_pages, text
from carousel.board.pages.live import save_as_svg
from carousel.board.words import Words
from carousel.errors import RunError, command
from carousel.run.sweep_results import BEST
from carousel.runs.store import Run, Status
from carousel.runs.sweeps import Sweep, read_by, shown

_SECONDS = 2.0
_STATES = ("ended", "pruned", "running", "waiting", "failed")
# Vue writes what stands in {{ }} as text.
_TRIAL = """<q-td :props="props"><a v-if="props.row.href" :href="props.row.href">
{{ props.row.trial }}</a><span v-else>{{ props.row.trial }}</span>{{ ' ' }}
<span v-if="props.row.mark" class="tag">{{ props.row.mark }}</span></q-td>"""
_STATE = """<q-td :props="props"><span :class="'badge ' + props.row.kind" :title="props.row.why">
{{ props.row.state }}</span></q-td>"""
_CELL = """<q-td :props="props">{{ props.row.shown[props.col.name] }}</q-td>"""
Draw = Callable[[Sweep], dict[str, Any]]


def show(view: View) -> None:
    """The page of the sweep that the address names."""
    t = view.words
    with view.frame(f"{view.ids[0] if view.ids else ''} {t('page_sweep')}"):
        try:
            sweep = view.sweeps.get(view.ids[0] if view.ids else "")
        except RunError as error:
            text("p", str(error)).classes("soft")
            return
        _Page(view, sweep)


class _Page:
    def __init__(self, view: View, sweep: Sweep) -> None:
        self.view, self.id = view, sweep.id
        self._log = sweep_charts.is_far_apart(sweep.trials)
        self._drawn: Any = None
        self._charts: list[tuple[ui.echart, Draw]] = []
        self._head = ui.element("div").classes("page-part")
        self._notice = text("p", "").classes("soft").props("role=status")
        if not sweep.result:
            self._show_head(sweep)
            return
        with ui.element("div").classes("panels"):
            self._confirmed = ui.element("section").classes("panel wide")
            self._lay_out(sweep)
        self._table = _table(sweep, view.words)
        self.refresh()
        ui.timer(_SECONDS, self.refresh, immediate=False)

    def refresh(self) -> None:
        """Draw again where something is new; what was drawn stays where the folder is gone."""
        try:
            sweep = self.view.sweeps.get(self.id)
        except RunError as error:
            self._notice.set_text(str(error))
            return
        self._notice.set_text(sweep.why)
        rows = [_row(sweep, one, self._run_of(sweep, one), self.view.words) for one in sweep.trials]
        if not sweep.result or (rows, sweep.status, sweep.result, self._log) == self._drawn:
            return
        self._drawn = (rows, sweep.status, sweep.result, self._log)
        self._show_head(sweep)
        self._show_confirmed(sweep)
        self._shares.set_visibility(bool(sweep.result["importance"]))
        self._table.rows = rows
        for chart, draw in self._charts:
            chart.options.clear()
            chart.options.update(draw(sweep))
            chart.update()

    def _run_of(self, sweep: Sweep, one: Mapping[str, Any]) -> Run | None:
        """The run of a trial, if it is in this folder."""
        try:
            return self.view.store.run(sweep.run_of(one)) if one["run"] else None
        except RunError:
            return None

    def _show_head(self, sweep: Sweep) -> None:
        t, result = self.view.words, sweep.result
        self._head.clear()
        with self._head:
            with ui.element("div").classes("line"):
                text("h1", sweep.path.name)
                badge(sweep.status, t)
                text("span", t("page_sweep")).classes("soft")
            if not result:
                text("div", sweep.why).classes("soft")
                return
            done = t("sweep_done", done=f"{sweep.done:,}", runs=f"{result['runs']:,}")
            full = result["epochs"] * sweep.done
            spent = t("sweep_epochs", n=f"{result['epochs_trained']:,}", full=f"{full:,}")
            about = f"{result['recipe']} · {result['sampler']} · {result['pruner']}"
            text("div", f"{done} · {spent} · {about}").classes("soft")
            if sweep.status == Status.INTERRUPTED:
                text("div", t("sweep_goes_on")).classes("soft")

    def _show_confirmed(self, sweep: Sweep) -> None:
        t, best, said = self.view.words, sweep.best, sweep.result.get("confirmed")
        self._confirmed.clear()
        self._confirmed.set_visibility(best is not None)
        if best is None:
            return
        metric = sweep.result["metric"]
        with self._confirmed:
            value = scores.show(metric, best["value"])
            text("h2", t("sweep_best", n=best["number"], metric=t.metric(metric), value=value))
            if said:
                _show_spreads(sweep, said, t)
            if (sweep.path / BEST).is_file():
                text("code", command("train", sweep.path / BEST))

    def _lay_out(self, sweep: Sweep) -> None:
        """A chart for the history, the shares, each setting, and all of them at once."""
        t, result, dark = self.view.words, sweep.result, self.view.dark
        metric = t("validation_of", metric=t.metric(result["metric"]))
        names = {"trial": t("sweep_trial"), **{name: t(f"trial_{name}") for name in _STATES}}

        def of(now: Sweep) -> dict[str, Any]:
            number = None if now.best is None else now.best["number"]
            return {"best": number, "log": self._log, "dark": dark}

        higher = result["metric_higher_is_better"]
        with card(wide=True), ui.element("div").classes("line"):
            text("span", f"{metric}. " + t("sweep_colours")).classes("soft")
            switch = ui.switch(t("log_scale"), value=self._log)
            switch.on_value_change(lambda: self._set_log(bool(switch.value)))
        self._add(
            f"{metric}, " + t("sweep_history"),
            lambda now: sweep_charts.history_chart(
                now.trials, higher=higher, names=names, **of(now)
            ),
        )
        self._shares = self._add(
            t("sweep_importance"),
            lambda now: sweep_charts.importance_chart(now.result["importance"], dark=dark),
        )
        for name, axis in result["over"].items():
            self._add(
                name,
                lambda now, name=name, axis=axis: sweep_charts.slice_chart(  # type: ignore[misc]
                    now.trials, name, axis, names=names, **of(now)
                ),
            )
        self._add(
            t("sweep_parallel"),
            lambda now: sweep_charts.trials_chart(
                now.trials, now.result["over"], metric=metric, **of(now)
            ),
            wide=True,
        )

    def _add(self, title: str, draw: Draw, *, wide: bool = False) -> ui.element:
        """The card of a chart."""
        with card(wide=wide) as around:
            with ui.element("div").classes("line spread"):
                text("h2", title)
                saving = ui.element("span").classes("saving")
            chart = ui.echart({}).classes("chart tall" if wide else "chart").props("role=img")
            chart.props["aria-label"] = title
            with saving:
                save_as_svg(chart, title)
        self._charts.append((chart, draw))
        return around

    def _set_log(self, log: bool) -> None:
        self._log = log
        self.refresh()


def _show_spreads(sweep: Sweep, said: Mapping[str, Any], t: Words) -> None:
    """Best and recipe with other seeds, and the test part of what was chosen."""
    metric = sweep.result["metric"]
    who = {"best": t("sweep_of_trial", n=said["trial"]), "recipe": t("sweep_of_recipe")}
    rows = [
        (who[name], _spread(metric, spread), t("sweep_chosen") if name == said["chosen"] else "")
        for name, spread in said["validation"].items()
    ]
    validation = t("validation_of", metric=t.metric(metric))
    facts(rows, (t("sweep_seeds", n=said["seeds"]), validation, t("sweep_choice")))
    test = said.get("test", {})
    if test:
        tested = [(t.metric(name), _spread(name, spread)) for name, spread in test.items()]
        facts(tested, (t("on_test"), t("outcome")))


def _spread(metric: str, spread: Mapping[str, Any]) -> str:
    mean = scores.show(metric, spread["mean"])
    return mean if spread["std"] is None else f"{mean} ± {scores.show(metric, spread['std'])}"


def _table(sweep: Sweep, t: Words) -> ui.table:
    """The trials, the best first until somebody sorts them."""
    metric = sweep.result["metric"]
    names = [("trial", t("sweep_trial"), "left"), ("state", t("column_status"), "left")]
    names += [(f"setting {name}", name, "right") for name in sweep.result["over"]]
    names += [("value", t("validation_of", metric=t.metric(metric)), "right"),
              ("epochs", t("axis_epoch"), "right")]  # fmt: skip
    columns = [
        {"name": name, "label": label, "field": name, "sortable": True, "align": align}
        for name, label, align in names
    ]
    table = ui.table(columns=columns, rows=[], row_key="trial", pagination={"rowsPerPage": 25})
    table.classes("trials").props("flat bordered binary-state-sort")
    label_pages(table, t, nothing=t("no_trials"), per_page=t("trials_per_page"))
    table.add_slot("body-cell", _CELL)
    table.add_slot("body-cell-trial", _TRIAL)
    table.add_slot("body-cell-state", _STATE)
    return table


def _row(sweep: Sweep, one: Mapping[str, Any], run: Run | None, t: Words) -> dict[str, Any]:
    """Table row of a trial: sort keys, and texts; of one that is going on, how far it is."""
    value, epochs = one["value"], one["epochs"]
    if one["state"] == "running" and run is not None:
        epochs, value = len(run.epochs), run.best[1] if run.best else None
    settings = {name: read_by(one, name) for name in sweep.result["over"]}
    planned = sweep.result["epochs"]
    state = one["state"] if one["state"] in _STATES else "failed"
    return {
        "trial": one["number"],
        "href": "" if run is None else address("/overview", [run.id]),
        "mark": t("sweep_mark") if one["number"] == sweep.result["best"] else "",
        "kind": {"ended": "finished", "failed": "crashed"}.get(state, state),
        "state": t(f"trial_{state}"),
        "why": t.said(str(one.get("why", ""))),
        "value": value,
        "epochs": epochs,
        **{f"setting {name}": found for name, found in settings.items()},
        "shown": {
            "value": "–" if value is None else scores.show(sweep.result["metric"], value),
            "epochs": t("sweep_of_epochs", n=epochs, planned=planned),
            **{f"setting {name}": shown(found) for name, found in settings.items()},
        },
    }
