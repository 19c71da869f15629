"""axe-core finds nothing on any page of the board and in a report, in light and in dark."""

import os
from pathlib import Path

import pytest
from board_server import CHROMIUM, address

from carousel.report import write

pytest.importorskip("nicegui", reason="the extra 'board' is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
AXE = next(
    filter(
        Path.is_file,
        (
            Path(place) / "axe-core" / "axe.min.js"
            for place in (os.environ.get("CAROUSEL_AXE", "node_modules"), "build/node_modules")
        ),
    ),
    None,
)
needs_axe = pytest.mark.skipif(
    AXE is None, reason="axe-core is not installed: npm install --prefix build axe-core"
)
PAGES = ("/", "/overview", "/model", "/memory", "/predictions", "/system", "/compare")
# The rules of WCAG 2.2 A and AA, and what axe-core calls good practice.
DRAWN = """() => document.querySelector(".page h1") && [...document.querySelectorAll(".chart")]
  .every(chart => chart.querySelector("canvas"))"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_ASK = """async rules => (await axe.run(document, {runOnly: rules})).violations.map(
  found => `${found.id}: ${found.nodes[0].html.slice(0, 200)}`)"""


def violations(page):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(_ASK, RULES)


@needs_axe
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "locale"), [(1280, "en-GB"), (390, "ko-KR")])
@pytest.mark.slow
def test_no_page_keeps_anybody_out(chromium, board, theme, width, locale):
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, locale=locale
    )
    page = context.new_page()
    found = {}
    for path in PAGES:
        runs = ("first", "second") if path == "/compare" else ("first",)
        page.goto(address(board, path, *runs) if path != "/" else board)
        page.wait_for_selector(f"body.body--{theme} main .page")
        page.wait_for_function(DRAWN)
        if wrong := violations(page):
            found[path] = wrong
    context.close()
    assert found == {}


@needs_axe
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_report_keeps_nobody_out(chromium, run, theme):
    write(run, "ko")
    context = chromium.new_context(color_scheme=theme)
    page = context.new_page()
    page.goto(f"file://{run / 'report.html'}")
    assert violations(page) == []
    context.close()
