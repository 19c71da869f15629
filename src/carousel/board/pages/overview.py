"""A run at a glance: its curves as they grow, what it is, what the coach says, and notes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nicegui import ui

from carousel import scores
from carousel.board import charts, notes, signals
from carousel.board.charts import Level, Line, Mark
from carousel.board.colours import PALETTE
from carousel.board.findings import Said, said_of
from carousel.board.pages.frame import View, badge, card, facts, moment, score, text
from carousel.board.pages.live import Data, Draw, Live, LiveChart
from carousel.board.pages.said import show_said
from carousel.board.points import extremes, smoothed
from carousel.errors import RunError
from carousel.run import reading
from carousel.runs.store import Run

_NORMS = (
    ("gradient_norm", "norm_before", PALETTE[3]),
    ("gradient_norm_after", "norm_after", PALETTE[2]),
)
GUIDE = -3.0  # log10 of the update:parameter ratio that is usually right


def show(view: View) -> None:
    """The page of the run that the address names."""
    t = view.words
    name = view.ids[0] if view.ids else ""
    with view.frame(name or t("page_overview")):
        run = view.run()
        if run is not None:
            _Overview(view, run)


class _Overview:
    def __init__(self, view: View, run: Run) -> None:
        self.view, self.id = view, run.id
        self.live = Live()
        self._seen: Any = None
        self._charts: dict[str, LiveChart] = {}
        self._said: list[Said] = []
        self._smoothing, self._log = 0.9, False
        self._shown: tuple[list[Said], bool] | None = None
        self._head = ui.element("div").classes("line")
        with ui.element("div").classes("panels"):  # what matters first
            self._findings = ui.element("div").style("display: contents")
            self._outcome = ui.element("div").style("display: contents")
        self._grid = ui.element("div").classes("panels")
        with self._grid:
            self._loss()
        with ui.element("div").classes("panels"):
            self._facts = ui.element("div").style("display: contents")
            self._notes()
        self.live.also(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Everything around the charts, and charts for series that are new."""
        try:
            run = self.view.store.run(self.id)
        except RunError:  # the folder was removed; what was drawn stays
            return
        if run == self._seen:
            return
        self._seen = run
        names, said = _recorded(self.view, run)
        if said != self._said:
            self._said = said
            for chart in self.live.charts:
                chart.invalidate()
        self._show_head(run)
        self._add_charts(run, names)
        self._show_findings(beside=bool(run.result))
        self._show_facts(run)

    def _show_head(self, run: Run) -> None:
        t = self.view.words
        self._head.clear()
        with self._head:
            text("h1", run.path.name if run.id == "." else run.id)
            badge(run.status, t)
            text("span", t("at_step", n=f"{run.step:,}"))
            if run.best:
                best = score(run.monitor, run.best[1], t)
                text("span", t("best_so_far", score=best, n=run.best[0]))
            for severity in ("severe", "warning"):
                count = sum(s.severity == severity and s.until is None for s in self._said)
                if count:
                    shown = f"{count} × {t(f'severity_{severity}')}"
                    text("span", shown).classes(f"badge {severity}")
            text("span", t("last_sign", when=moment(run.updated))).classes("soft")
            if run.why:
                text("span", t.said(run.why)).classes("soft")

    # ---- charts

    def _loss(self) -> None:
        t, id = self.view.words, self.id
        with ui.element("div").classes("line wide"):
            text("label", t("smoothing")).classes("soft")
            slider = ui.slider(min=0, max=0.99, step=0.01, value=self._smoothing)
            slider.style("width: 160px").props(f'aria-label="{t("smoothing")}"')
            log = ui.checkbox(t("log_scale"), value=self._log)
        wanted = [(id, "train/loss")]
        chart = self.live.add(
            LiveChart(self.view, t("loss_per_step"), wanted, self._draw_loss, wide=True)
        )

        async def changed() -> None:
            self._smoothing, self._log = float(slider.value), bool(log.value)
            chart.invalidate()
            await chart.refresh()

        slider.on("change", changed)
        log.on_value_change(changed)

    def _draw_loss(self, data: Data) -> dict[str, Any]:
        t = self.view.words
        buckets = data.get((self.id, "train/loss"), [])
        lines = [
            Line(t("loss"), extremes(buckets), PALETTE[0], faint=True),
            Line(t("smoothed"), smoothed(buckets, self._smoothing), PALETTE[0]),
        ]
        positive = all(bucket.low > 0 for bucket in buckets)
        marks = self._marks()
        return self._options(lines, marks=marks, log=self._log and positive)

    def _add_charts(self, run: Run, names: list[str]) -> None:
        t = self.view.words
        for metric in signals.metrics(names):
            pair = [f"epoch/{part}_{metric}" for part in ("train", "validation")]
            self._add(f"metric {metric}", t.metric(metric), pair, self._draw_metric)
        rates = signals.of("rate", names)
        if rates:
            self._add("rate", t("learning_rate"), rates, self._draw_lines)
        if "gradient_norm" in names:
            self._clip = float(run.setting("optimizer.clip_norm", 0) or 0)
            norms = [name for name in ("gradient_norm", "gradient_norm_after") if name in names]
            self._add("gradient", t("gradient_norm"), norms, self._draw_gradient)
        ratios = signals.of("ratio", names)
        if ratios:
            self._add("ratio", t("update_ratio"), ratios, self._draw_ratios)

    def _add(self, key: str, title: str, names: Iterable[str], draw: Draw) -> None:
        wanted = [(self.id, name) for name in names]
        if key in self._charts:
            self._charts[key].want(wanted)
            return
        with self._grid:
            chart = LiveChart(self.view, title, wanted, draw)
        self._charts[key] = self.live.add(chart)

    def _draw_metric(self, data: Data) -> dict[str, Any]:
        t = self.view.words
        lines = []
        for (_, name), buckets in data.items():
            entry = signals.epochwise(name)
            if entry is not None:
                training = entry.part == "train"
                points = extremes(buckets)
                color = PALETTE[0] if training else PALETTE[1]
                lines.append(Line(t(entry.part), points, color, dashed=training, dots=True))
        return self._options(lines, marks=self._marks())

    def _draw_lines(self, data: Data) -> dict[str, Any]:
        lines = [Line(name, extremes(buckets)) for (_, name), buckets in data.items()]
        return self._options(lines)

    def _draw_gradient(self, data: Data) -> dict[str, Any]:
        levels = [Level(self._clip, self.view.words("clip_level"))] if self._clip else []
        lines = [
            Line(self.view.words(key), extremes(data[self.id, name]), color)
            for name, key, color in _NORMS
            if (self.id, name) in data
        ]
        return self._options(lines, levels=levels, marks=self._marks())

    def _draw_ratios(self, data: Data) -> dict[str, Any]:
        lines = [
            Line(name.partition("/")[2] or name, extremes(buckets))
            for (_, name), buckets in data.items()
        ]
        return self._options(lines, levels=[Level(GUIDE, f"{GUIDE:g}")])

    def _options(self, lines: list[Line], **more: Any) -> dict[str, Any]:
        return charts.line_chart(lines, dark=self.view.dark, x_name=self.view.words("step"), **more)

    def _marks(self) -> list[Mark]:
        return [Mark(said.step, said.title, said.severity) for said in self._said]

    # ---- words

    def _show_findings(self, *, beside: bool) -> None:
        """The findings; beside: another panel."""
        if (self._said, beside) == self._shown:  # what somebody has opened stays open
            return
        self._shown = (self._said, beside)
        t = self.view.words
        self._findings.clear()
        with self._findings, card(t("findings"), wide=True) as section:
            section.classes("beside" if beside else "")
            if self._said:
                show_said(self._said, t)
            else:
                text("span", t("no_findings")).classes("soft")

    def _show_facts(self, run: Run) -> None:
        t = self.view.words
        self._facts.clear()
        with self._facts, card(t("model_and_run"), wide=True) as section:
            section.classes("beside dense")
            facts(_facts_of(self.view, run))
        self._outcome.clear()
        if run.result:
            with self._outcome, card(t("outcome")):
                _outcome(view=self.view, run=run)

    def _notes(self) -> None:
        t, path = self.view.words, self.view.store.path(self.id)
        written = notes.read(path)
        with card(t("notes")):
            tags = ui.input(label=t("tags"), value=", ".join(written.tags)).props("dense outlined")
            note = ui.textarea(label=t("notes"), value=written.text).props("outlined autogrow")

            def save() -> None:
                try:
                    notes.write(path, notes.Notes.of(note.value or "", tags.value or ""))
                except RunError as error:
                    ui.notify(str(error), type="negative", multi_line=True)
                else:
                    ui.notify(t("saved"), type="positive")

            ui.button(t("save"), on_click=save).props("no-caps unelevated")


def _recorded(view: View, run: Run) -> tuple[list[str], list[Said]]:
    """The names of the series, and what was said during the run."""
    try:
        path = view.store.events_of(run.id)
        names = reading.names(path)
        return names, said_of(path, view.words.language)
    except RunError:
        return [], []


def _facts_of(view: View, run: Run) -> list[tuple[str, str]]:
    t = view.words
    speed = run.steps_per_second
    parameters = run.result.get("parameters")
    found = [
        (t("fact_recipe"), " — ".join(filter(None, (run.recipe, run.setting("recipe.summary"))))),
        (t("fact_task"), str(run.setting("task", ""))),
        (t("fact_data"), str(run.setting("data.name", "") or run.setting("data.path", ""))),
        (t("fact_model"), _model(run)),
        (t("fact_parameters"), f"{parameters:,}" if isinstance(parameters, int) else ""),
        (t("fact_optimizer"), _optimizer(run)),
        (t("fact_batch"), str(run.setting("training.batch_size", ""))),
        (t("fact_seed"), str(run.setting("run.seed", ""))),
        (t("fact_started"), moment(run.created)),
        (t("fact_updated"), moment(run.updated)),
        (t("fact_steps"), f"{run.step:,}"),
        (t("fact_epochs"), f"{len(run.epochs)} / {run.asked}"),
        (t("fact_speed"), t("steps_per_second", n=f"{speed:,.1f}") if speed else ""),
        (t("fact_seconds"), f"{run.seconds:,.1f} s" if run.seconds else ""),
        (t("fact_folder"), str(run.path)),
    ]
    return [(name, value) for name, value in found if value]


def _model(run: Run) -> str:
    cell, size = run.setting("model.cell", ""), run.setting("model.hidden_size", "")
    layers = run.setting("model.num_layers", 1)
    shape = f"{layers} × {str(cell).upper()}({size})" if cell else ""
    return f"{shape} bidirectional" if run.setting("model.bidirectional") else shape


def _optimizer(run: Run) -> str:
    name, rate = run.setting("optimizer.name", ""), run.setting("optimizer.learning_rate", "")
    schedule = run.setting("schedule.name", "")
    return ", ".join(str(part) for part in (name, rate, schedule) if part)


def _outcome(view: View, run: Run) -> None:
    """Metrics on the test part, the network's and the baselines'."""
    test, baselines = run.result.get("test", {}), run.result.get("baseline", {})
    if not isinstance(test, dict) or not isinstance(baselines, dict):
        return
    said = view.words.said
    columns = {"": test} | {said(scores.baseline(str(k))): v for k, v in baselines.items()}
    rows = [
        (view.words.metric(name), *(_shown(name, values) for values in columns.values()))
        for name in test
    ]
    if any(isinstance(v, dict) and "seconds" in v for v in baselines.values()):
        columns[""] = test | {"seconds": run.result.get("seconds")}
        shown = (_shown("seconds", values) for values in columns.values())
        rows.append((view.words.metric("seconds"), *shown))
    head = (view.words("on_test"), run.recipe, *list(columns)[1:])
    facts(rows, head)


def _shown(name: str, values: Any) -> str:
    value = values.get(name) if isinstance(values, dict) else None
    return scores.show(name, value) if isinstance(value, int | float) else ""
