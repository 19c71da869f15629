"""Parts that every page shares: the viewer's settings, the bar on top, small pieces of text."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from carousel import scores
from carousel.board.series import Reader
from carousel.board.words import LANGUAGES, Words, preferred
from carousel.errors import RunError
from carousel.runs.store import Run, Status, Store
from carousel.runs.sweeps import Sweeps

_STYLE = (Path(__file__).parent.parent / "board.css").read_text(encoding="utf-8")
_COOKIE = "; path=/; max-age=31536000; samesite=strict"
# The first visit takes the theme of the system; before anything is drawn.
_FIRST_THEME = f"""<script>
if (!/carousel_theme=/.test(document.cookie)) {{
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.cookie = "carousel_theme=" + (dark ? "dark" : "light") + "{_COOKIE}";
  if (dark && document.cookie) location.reload();
}}
</script>"""
_OF_A_RUN = ("overview", "model", "memory", "predictions", "system")


class View:
    """One look at one page: its language and theme, from the browser's cookies, and the runs.

    server: address of a server of live streams, of all pages; None where there is none.
    """

    server: ClassVar[str | None] = None

    def __init__(self, store: Store, reader: Reader, request: Request, page: str) -> None:
        self.store, self.reader, self.page = store, reader, page
        self.sweeps = Sweeps(store)
        asked = request.cookies.get("carousel_language", "")
        spoken = (
            asked if asked in LANGUAGES else preferred(request.headers.get("accept-language", ""))
        )
        self.words = Words(spoken)
        self.dark = request.cookies.get("carousel_theme") == "dark"
        self.ids = request.query_params.getlist("run")

    @contextmanager
    def frame(self, title: str) -> Iterator[None]:
        """The page around its content. title: of the tab, text."""
        t = self.words
        ui.page_title(f"{title} · Carousel")
        ui.add_head_html(_FIRST_THEME)
        ui.add_css(_STYLE)
        ui.dark_mode(self.dark)
        ui.colors(primary="#0f7bbd" if self.dark else "#0b6aa6")
        ui.query("html").props(f"lang={t.language}")
        link(t("skip"), "#content").classes("skip")
        with ui.element("header").classes("top"):
            link("Carousel", "/").classes("brand")
            with ui.element("nav").props(f'aria-label="{t("pages")}"'):
                self._links()
            self._tools()
        # Within the page of NiceGUI, which is the main landmark.
        with ui.element("div").classes("page").props("id=content tabindex=-1"):
            yield

    def _links(self) -> None:
        places = [("runs", "/")]
        if self.ids and self.page in _OF_A_RUN:
            above = self.sweeps.of_run(self.ids[0])
            places += [("sweep", address("/sweep", [above]))] if above else []
            places += [(name, address(f"/{name}", self.ids[:1])) for name in _OF_A_RUN]
        if self.server is not None:
            places.append(("served", "/served"))
        if self.page in ("compare", "sweep"):
            places.append((self.page, address(f"/{self.page}", self.ids)))
        for name, target in places:
            shown = link(self.words(f"page_{name}"), target)
            if name == self.page:
                shown.props('aria-current="page"')

    def _tools(self) -> None:
        t = self.words
        with ui.element("div").classes("tools"):
            for name, title in LANGUAGES.items():
                if name != t.language:
                    _switch(title, "carousel_language", name).props(f"lang={name}")
            theme = "light" if self.dark else "dark"
            _switch(t(f"theme_{theme}"), "carousel_theme", theme)

    def run(self) -> Run | None:
        """The run that the address names; None, and a line that says so, where there is none."""
        try:
            return self.store.run(self.ids[0] if self.ids else "")
        except RunError as error:
            text("p", str(error)).classes("soft")
            link(self.words("page_runs"), "/")
            return None


def _switch(title: str, cookie: str, value: str) -> ui.button:
    script = f'() => {{ document.cookie = "{cookie}={value}{_COOKIE}"; location.reload(); }}'
    button = ui.button(title).props("flat dense no-caps color=''")
    return button.on("click", js_handler=script)


def text(tag: str, content: str) -> TextElement:
    """An element with a text, which is shown as it is."""
    return TextElement(tag=tag, text=content)


def link(title: str, target: str) -> ui.link:
    """A link within the board."""
    return ui.link(title, target)


def address(page: str, runs: Iterable[str]) -> str:
    """The address of a page about these runs."""
    return f"{page}?{urlencode([('run', id) for id in runs])}"


def badge(status: Status, words: Words) -> TextElement:
    """Status of a run or a sweep in a word."""
    return text("span", words(f"status_{status.value}")).classes(f"badge {status.value}")


def facts(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> None:
    """A table of texts, the first column naming the row."""
    scroll = ui.element("div").classes("scroll").props("tabindex=0")  # for keys to scroll by
    with scroll, ui.element("table").classes("facts"):
        if head:
            with ui.element("thead"), ui.element("tr"):
                for cell in head:
                    text("th", cell).props("scope=col")
        with ui.element("tbody"):
            for first, *others in rows:
                with ui.element("tr"):
                    text("th", first).props("scope=row")
                    for cell in others:
                        text("td", cell)


def label_pages(table: ui.table, words: Words, *, nothing: str, per_page: str) -> None:
    """Words below a table that has pages. nothing: where it has no row."""
    table.props["no-data-label"] = nothing
    table.props["rows-per-page-label"] = per_page
    # Counted by the browser, in whatever order it shows them.
    between = json.dumps(words("of_all"))
    table.props[":pagination-label"] = f"(a, b, n) => `${{a}}–${{b}} ${{{between}}} ${{n}}`"


@contextmanager
def card(title: str = "", *, wide: bool = False) -> Iterator[ui.element]:
    """A framed part of a page."""
    with ui.element("section").classes("panel wide" if wide else "panel") as section:
        if title:
            text("h2", title)
        yield section


def ago(then: float | None, words: Words) -> str:
    """Time since a Unix time, in one unit.

    >>> ago(time.time() - 7300, Words("en")), ago(None, Words("en"))
    ('2 h ago', '')
    """
    if not then:
        return ""
    seconds = max(time.time() - then, 0)
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= size:
            return words(f"{unit}_ago", n=int(seconds // size))
    return words("seconds_ago", n=int(seconds))


def moment(when: float | None) -> str:
    """A Unix time as a person reads it, in the machine's zone."""
    return datetime.fromtimestamp(when).strftime("%Y-%m-%d %H:%M:%S") if when else ""


def score(name: str, value: float | None, words: Words) -> str:
    """A metric's name and value, or nothing."""
    return f"{words.metric(name)} {scores.show(name, value)}" if name and value is not None else ""
