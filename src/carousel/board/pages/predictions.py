"""Predictions for the same examples after every epoch, the worst first."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from nicegui import ui

from carousel.board import charts, samples
from carousel.board.charts import Line
from carousel.board.colours import PALETTE
from carousel.board.pages.frame import View, badge, card, text
from carousel.board.pages.live import Live, save_as_svg
from carousel.board.samples import Confusion
from carousel.errors import RunError
from carousel.runs.store import Run


def show(view: View) -> None:
    """The page of the run that the address names."""
    t = view.words
    with view.frame(f"{view.ids[0] if view.ids else ''} {t('page_predictions')}"):
        run = view.run()
        if run is not None:
            _Predictions(view, run)


class _Predictions:
    def __init__(self, view: View, run: Run) -> None:
        self.view, self.id = view, run.id
        self._samples: list[dict[str, Any]] = []
        self._epochs: list[int] = []
        self._newest = True
        self._evaluations: list[Confusion] = []
        self.live = Live()
        t = view.words
        with ui.element("div").classes("line"):
            text("h1", run.path.name if run.id == "." else run.id)
            badge(run.status, t)
        self._nothing = text("p", t("no_samples")).classes("soft")
        self._controls = ui.element("div").classes("line")
        with self._controls:
            text("span", t("after_epoch")).classes("soft")
            self._slider = ui.slider(min=0, max=1, step=1, value=0).style("width: 240px")
            self._slider.props["aria-label"] = t("after_epoch")
            self._slider.on_value_change(self._moved)
            self._label = text("span", "")
            self._worst = ui.switch(t("worst_first"), value=True)
            self._worst.on_value_change(self._draw)
        self._grid = ui.element("div").classes("panels")
        self._which = ui.select([], label=t("evaluation_of")).style("min-width: 240px")
        self._which.on_value_change(self._draw_matrix)
        self._which.set_visibility(False)
        self._matrix = ui.element("div").classes("page-part")
        self.live.also(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Look for another epoch, and for an evaluation."""
        with suppress(RunError):  # gone or damaged: what is shown stays
            self._look(self.view.store.events_of(self.id))
            self._look_for_evaluations(self.view.store.path(self.id))

    def _look(self, path: Path) -> None:
        found = samples.samples(path)
        self._nothing.set_visibility(not found.epochs)
        self._controls.set_visibility(bool(found.epochs))
        if found.epochs == self._epochs:
            return
        self._samples, self._epochs = found.samples, found.epochs
        self._slider.props["max"] = len(self._epochs) - 1
        self._slider.update()
        if self._newest and self._slider.value != len(self._epochs) - 1:
            self._slider.value = len(self._epochs) - 1
        else:
            self._draw()

    def _moved(self) -> None:
        self._newest = self._slider.value == len(self._epochs) - 1
        self._draw()

    def _draw(self) -> None:
        if not self._epochs:
            return
        epoch = self._epochs[min(int(self._slider.value), len(self._epochs) - 1)]
        self._label.set_text(f"{epoch}")
        try:
            said = samples.answers(self.view.store.events_of(self.id), epoch)
        except RunError:
            return
        pairs = list(zip(self._samples, said, strict=False))
        if self._worst.value:
            pairs.sort(key=lambda pair: -_number(pair[1].get("wrong")))
        self._grid.clear()
        with self._grid:
            for sample, answer in pairs:
                with card(self.view.words.said(str(sample.get("name", "")))):
                    self._one(sample, answer)

    def _one(self, sample: dict[str, Any], answer: dict[str, Any]) -> None:
        t = self.view.words
        if source := samples.picture(sample):
            image = ui.element("img").classes("sample")
            image.props["src"], image.props["alt"] = source, t("the_input")
        if "given" in sample:
            text("p", str(sample["given"])).classes("text")
        if "words" in sample:
            _words(sample, answer)
        elif "stripe" in sample:
            self._stripes(sample, answer)
        if "curve" in sample:
            self._curve(sample["curve"], answer)
        with ui.element("table").classes("facts"):
            for name, value in ((t("wanted"), sample), (t("found"), answer)):
                key = "wanted" if value is sample else "found"
                if key in value:
                    with ui.element("tr"):
                        text("th", name).props("scope=row")
                        text("td", str(value[key]))
            with ui.element("tr"):
                text("th", t("how_wrong")).props("scope=row")
                text("td", f"{_number(answer.get('wrong')):.3g}")

    def _stripes(self, sample: dict[str, Any], answer: dict[str, Any]) -> None:
        """A stripe of what is to be found and one of what was, a colour for each label."""
        t = self.view.words
        rows = [list(map(str, sample["stripe"])), list(map(str, answer.get("stripe", ())))]
        labels = sorted({label for row in rows for label in row if label})
        colours = {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(labels)}
        for name, row in zip((t("wanted"), t("found")), rows, strict=True):
            text("span", name).classes("soft")
            with ui.element("div").classes("stripe").props("role=img") as stripe:
                stripe.props["aria-label"] = f"{name}: {', '.join(dict.fromkeys(row))}"
                for label, length in _lengths(row):
                    piece = ui.element("span")
                    piece.style(f"flex: {length}; background: {colours.get(label, 'transparent')}")
                    piece.props["title"] = f"{label} ({length})"
        with ui.element("div").classes("line"):
            for label in labels:
                text("span", label).classes("tag").style(f"border-color: {colours[label]}")

    def _curve(self, curve: Any, answer: dict[str, Any]) -> None:
        t = self.view.words
        known = len(curve) - len(answer.get("middle", ()))
        lines = [Line(t("wanted"), [[i - known, y] for i, y in enumerate(curve)], PALETTE[0])]
        ends = (("low", t("interval"), True), ("high", t("interval"), True))
        for key, name, faint in (*ends, ("middle", t("found"), False)):
            points = [[float(i), y] for i, y in enumerate(answer.get(key, ()))]
            if points:
                lines.append(Line(name, points, PALETTE[1], faint=faint, dashed=faint))
        options = charts.line_chart(lines, dark=self.view.dark, zoom=False)
        ui.echart(options).classes("chart").props("role=img").props["aria-label"] = t("forecast")

    def _look_for_evaluations(self, run: Path) -> None:
        """Offer the evaluations of classes that there are, and show one that is new."""
        found = samples.confusions(run)
        if found == self._evaluations:
            return
        new = [i for i, one in enumerate(found) if one not in self._evaluations]
        kept = min(int(self._which.value or 0), max(0, len(found) - 1))
        self._evaluations = found
        self._which.set_visibility(len(found) > 1)
        names = {i: self._name(one) for i, one in enumerate(found)}
        chosen = (new[0] if new else kept) if found else None
        same = self._which.value == chosen
        self._which.set_options(names, value=chosen)
        if same:  # another choice draws by itself
            self._draw_matrix()

    def _name(self, one: Confusion) -> str:
        t = self.view.words
        if one.epoch is None:
            return t("confusion", part=one.part)
        return t("confusion_after", part=one.part, epoch=one.epoch)

    def _draw_matrix(self) -> None:
        self._matrix.clear()
        if not self._evaluations:
            return
        one = self._evaluations[int(self._which.value or 0)]
        t = self.view.words
        with self._matrix, card(self._name(one), wide=True):
            options = charts.confusion_chart(
                one.classes, one.counts, dark=self.view.dark, x_name=t("found"), y_name=t("wanted")
            )
            chart = ui.echart(options).classes("chart tall").props("role=img")
            chart.props["aria-label"] = self._name(one)
            save_as_svg(chart, "confusion")


def _words(sample: dict[str, Any], answer: dict[str, Any]) -> None:
    """Word by word: what it is, where it is something, and what was found instead."""
    found = list(map(str, answer.get("stripe", ())))
    with ui.element("p").classes("words"):
        for word, wanted, label in zip(
            map(str, sample["words"]), map(str, sample.get("stripe", ())), found, strict=False
        ):
            right = wanted == label
            with ui.element("span").classes("word right" if right else "word wrong"):
                text("span", word)
                shown = ("" if wanted == "O" else wanted) if right else f"{label} ({wanted})"
                if shown:
                    text("small", shown)


def _lengths(row: list[str]) -> list[tuple[str, int]]:
    """Stretches of the same label.

    >>> _lengths(["a", "a", "b"])
    [('a', 2), ('b', 1)]
    """
    found: list[tuple[str, int]] = []
    for label in row:
        if found and found[-1][0] == label:
            found[-1] = (label, found[-1][1] + 1)
        else:
            found.append((label, 1))
    return found


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
