"""Findings of a run as a list that opens and closes, what stands and matters open."""

from __future__ import annotations

from collections.abc import Iterable

from nicegui import ui

from carousel.board.findings import Said
from carousel.board.pages.frame import text
from carousel.board.words import Words


def show_said(said: Iterable[Said], t: Words) -> None:
    """A fold for each: its sentence, and below it numbers, advice and lines to paste."""
    for one in said:
        fold = ui.element("details").classes("finding")
        if one.severity != "info" and one.until is None:
            fold.props("open")
        with fold:
            with ui.element("summary"):
                text("span", t(f"severity_{one.severity}")).classes(f"badge {one.severity}")
                text("strong", one.title)
                text("span", t("at_step", n=f"{one.step:,}")).classes("soft")
                if one.until is not None:
                    text("span", t("until_step", n=f"{one.until:,}")).classes("soft")
            if one.numbers:
                text("div", one.numbers).classes("soft")
            for advice in one.advice:
                with ui.element("div").classes("advice"):
                    text("span", advice.text)
                    if advice.do:
                        text("code", advice.do)
