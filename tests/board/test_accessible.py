"""axe-core finds nothing on any page of the board and in a report, in light and in dark."""

import pytest
from axe import needs_axe, violations
from board_server import address, needs_chromium

from carousel.report import write

pytest.importorskip("nicegui", reason="the extra 'board' is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = needs_chromium
PAGES = ("/", "/overview", "/model", "/memory", "/predictions", "/system", "/compare", "/sweep")
DRAWN = """() => document.querySelector(".page h1") && [...document.querySelectorAll(".chart")]
  .every(chart => chart.querySelector("canvas"))"""


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
        runs = {"/compare": ("first", "second"), "/sweep": ("swept",)}.get(path, ("first",))
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
