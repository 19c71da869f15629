"""The page of a sweep in a browser: what it shows, and that it follows a sweep that goes on."""

import pytest
from board_server import ODD, address, needs_chromium, take_away
from made_sweeps import CHOICE, RANGE, confirmed, content_of, make_sweep, trials_of

from carousel.run.sweep_results import write_sweep

pytest.importorskip("nicegui", reason="the extra 'board' is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [needs_chromium, pytest.mark.slow]
POINTS = """title => {
  const found = [...document.querySelectorAll(".chart")].find(e => e.ariaLabel === title);
  const series = (found && getElement(+found.id.slice(1))?.chart?.getOption()?.series) ?? [];
  return series.flatMap(one => one.data ?? []).length;
}"""
SHARES = "What makes the best trials (PED-ANOVA)"
HISTORY = "Validation loss, trial by trial"


@pytest.fixture
def page(chromium):
    """A fresh visitor, of whom nothing complained at the end."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(60_000)
    page, complaints = context.new_page(), []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.expose_function("pwned", lambda: complaints.append("text from data was run"))
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def swept(folder):
    path = make_sweep(folder / "searched", confirmed=confirmed(1), finished=True)
    yield path
    take_away(path)


def test_a_sweep_is_one_row_among_runs_until_its_own_are_asked_for(page, board, swept):
    page.goto(board)
    page.get_by_role("link", name="searched", exact=True).wait_for()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="searched", exact=True))
    assert "7 of 9 trials" in row.inner_text()
    trial = page.get_by_role("link", name="searched/trial-0001", exact=True)
    assert trial.count() == 0
    page.get_by_role("switch", name="Runs of sweeps, too").click()
    trial.click()
    page.get_by_role("link", name="Sweep", exact=True).click()
    page.get_by_role("heading", name="searched", exact=True).wait_for()


def test_it_shows_trials_charts_and_what_was_confirmed(page, board, swept):
    page.goto(address(board, "/sweep", "searched"))
    for title in (HISTORY, CHOICE, RANGE, "Settings and result, a line per trial"):
        page.wait_for_function(f"title => ({POINTS})(title) >= 7", arg=title)
    page.wait_for_function(
        f"title => ({POINTS})(title) === 2", arg="What makes the best trials (PED-ANOVA)"
    )
    text = page.locator("table.facts").first.inner_text()
    assert "0.5000 ± 0.1250" in text
    page.get_by_text("87.50% ± 6.25%").wait_for()
    rows = page.locator(".trials tbody tr")
    assert rows.count() == 7
    best = content_of(trials_of(7))["best"]
    assert rows.first.locator("td").first.inner_text().split() == [str(best), "best"]
    page.get_by_role("columnheader", name="trial", exact=True).click()
    page.wait_for_function("document.querySelector('.trials tbody td').innerText.startsWith('0')")
    page.get_by_role("link", name="1", exact=True).click()
    page.get_by_role("heading", name="searched/trial-0001").wait_for()


def test_it_follows_a_sweep_that_goes_on_and_outlives_its_folder(page, board, folder):
    path = make_sweep(folder / "going", count=3, runs=1)
    page.goto(address(board, "/sweep", "going"))
    page.wait_for_function("document.querySelectorAll('.trials tbody tr').length === 3")
    running = {**trials_of(6)[5], "state": "running", "value": None, "run": "trial-0000"}
    write_sweep(path, content_of([*trials_of(5), running]))
    page.wait_for_function("document.querySelectorAll('.trials tbody tr').length === 6")
    page.wait_for_selector(".trials .badge.running")
    row = page.locator(".trials tbody tr").filter(has=page.locator(".badge.running"))
    assert "1 of 3" in row.inner_text()  # epochs of its run, which has one
    take_away(path)
    page.get_by_role("status").get_by_text("there is no").wait_for()
    assert page.locator(".trials tbody tr").count() == 6


def test_names_from_data_are_text(page, board, folder):
    trials = [{**one, "settings": {ODD: ODD}, "why": ODD, "run": ODD} for one in trials_of(3)]
    over = {ODD: {"values": [ODD, "b"]}}
    path = make_sweep(folder / "odd", trials=trials, over=over, importance={ODD: 1.0})
    page.goto(address(board, "/sweep", "odd"))
    page.wait_for_function(f"title => ({POINTS})(title) === 3", arg=ODD)
    for title in (HISTORY, ODD):
        chart = page.get_by_role("img", name=title, exact=True)
        box = chart.bounding_box()
        for share in (0.25, 0.3, 0.5, 0.9):
            chart.hover(position={"x": box["width"] * share, "y": box["height"] / 2})
    take_away(path)


@pytest.mark.parametrize("id", ["first", "../secret", ODD, "", "nowhere"])
def test_a_sweep_that_is_not_there_is_told(page, board, id):
    page.goto(address(board, "/sweep", id))
    page.get_by_text("there is no").wait_for()


def test_one_that_cannot_be_read_is_told_on_both_pages(page, board, folder):
    path = make_sweep(folder / "damaged", over={"a": 3})
    page.goto(board)
    page.get_by_role("link", name="damaged", exact=True).click()
    page.get_by_text("sweep.json cannot be read").first.wait_for()
    take_away(path)


def test_two_sweeps_are_compared_by_their_best_trials(page, board, folder, swept):
    trials = [{**one, "value": 1.0 + one["number"]} for one in trials_of(2)]
    other = make_sweep(folder / "other", trials=trials)
    write_sweep(swept, content_of([{**one, "value": 2.0 - one["number"]} for one in trials_of(2)]))
    page.goto(board)
    for name in ("searched", "other"):
        page.get_by_role("checkbox", name=name, exact=True).click()
    page.get_by_role("button", name="Compare").click()
    for name in ("searched/trial-0001", "other/trial-0000"):
        page.get_by_role("link", name=name, exact=True).wait_for()
    take_away(other)


def test_a_phone_scrolls_the_table_and_not_the_page(page, board, swept):
    page.set_viewport_size({"width": 375, "height": 700})
    page.goto(address(board, "/sweep", "searched"))
    page.wait_for_selector(".trials tbody tr")
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")
