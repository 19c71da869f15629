"""The board as a person meets it: a real browser, a real server, a training that goes on."""

import csv
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

import pytest
from board_server import (
    COMMAND,
    ODD,
    ODD_NAME,
    address,
    end,
    needs_chromium,
    start,
    take_away,
)
from made_runs import make_run
from written import Written

from carousel.run import reading
from carousel.run.writing import EventStore

pytest.importorskip("nicegui", reason="the extra 'board' is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = needs_chromium

TIMEOUT = 60_000  # ms, of a condition: a busy machine is no failure


@pytest.fixture
def page(chromium, board):
    """A fresh visitor. At the end: nothing complained, and nothing was asked of another host."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(TIMEOUT)
    page = context.new_page()
    complaints, hosts = [], set()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.expose_function("pwned", lambda: complaints.append("text from data was run"))
    page.on("request", lambda request: hosts.add(urllib.parse.urlsplit(request.url).netloc))
    yield page
    context.close()
    assert complaints == []
    assert hosts - {""} <= {urllib.parse.urlsplit(board).netloc}


# The series of the chart of that title, as its points.
POINTS = """title => {
  const found = [...document.querySelectorAll(".chart")].find(e => e.ariaLabel === title);
  const chart = found && getElement(+found.id.slice(1))?.chart;
  return chart?.getOption()?.series?.map(series => series.data) ?? [];
}"""
LAST = f"title => Math.max(0, ...({POINTS})(title).map(data => data.at(-1)?.[0] ?? 0))"


def curves(page, title):
    """The points of that chart, as soon as it has any."""
    page.wait_for_function(f"title => ({LAST})(title) > 0", arg=title)
    return page.evaluate(POINTS, title)


# ---- live


@pytest.fixture
def training(folder):
    """A real training that goes on until it is killed."""
    path = folder / "live"
    code = (
        "from small import small_config\nfrom carousel.training import train\n"
        "config = small_config('training.epochs=100000', 'training.patience=0')\n"
        f"train(config, run_dir={str(path)!r}, threads=1, quiet=True)"
    )
    tests = Path(__file__).parent.parent
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tests)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        take_away(path)


@pytest.mark.slow
def test_a_training_is_seen_to_grow_through_a_reload_and_to_die(page, board, training, folder):
    page.goto(board)
    page.get_by_role("link", name="live").click()
    seen = page.evaluate(LAST, "Training loss per step")
    for _ in range(2):
        grown = f"([title, seen]) => ({LAST})(title) > seen"
        page.wait_for_function(grown, arg=["Training loss per step", seen])
        seen = page.evaluate(LAST, "Training loss per step")
        page.wait_for_selector(".badge.running")
        page.reload()
    training.kill()
    page.wait_for_selector(".badge.crashed")
    page.get_by_text("carousel train --resume").wait_for()
    steps = dict(reading.series(folder / "live" / "events.sqlite", "train/loss"))
    wanted = f"([title, last]) => ({LAST})(title) === last"
    page.wait_for_function(wanted, arg=["Training loss per step", max(steps)])


@pytest.mark.slow
def test_pages_outlive_the_folder_of_their_run(page, board, folder):
    """What the board then writes into its log fails the end of this module."""
    for path in ("/overview", "/system", "/compare"):
        gone = make_run(folder / f"gone-{path[1:]}")
        page.goto(address(board, path, gone.name, "first"))
        page.wait_for_selector(".badge.stopped_early")
        take_away(gone)
        page.get_by_role("status").get_by_text("there is no run").wait_for()


# ---- pages


@pytest.mark.slow
def test_the_table_has_every_run_and_what_is_wrong_with_one(page, board):
    page.goto(board)
    for name in ("first", "second", "third", "broken", ODD_NAME):
        page.get_by_role("link", name=name, exact=True).wait_for()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="broken", exact=True))
    assert "cannot be read" in row.inner_text()


@pytest.mark.slow
def test_search_and_sort_order_the_table(page, board):
    page.goto(board)
    names = page.locator("tbody a")
    page.get_by_label("Search").fill("gru")
    page.wait_for_function("document.querySelectorAll('tbody a').length === 0")
    page.get_by_label("Search").fill("SECOND")
    page.wait_for_function("document.querySelectorAll('tbody a').length === 1")
    assert names.all_inner_texts() == ["second"]
    page.get_by_label("Search").fill("")
    page.wait_for_function("document.querySelectorAll('tbody a').length > 1")
    page.get_by_role("columnheader", name="Run", exact=True).click()
    page.wait_for_function(
        """() => { const n = [...document.querySelectorAll("tbody a")].map(a => a.innerText);
        const place = name => n.indexOf(name);
        return place("first") < place("second") && place("second") < place("third") }"""
    )


@pytest.mark.slow
def test_every_page_of_a_run_opens_and_draws(page, board, folder):
    page.goto(board)
    page.get_by_role("link", name="first", exact=True).click()
    faint, smooth = curves(page, "Training loss per step")
    recorded = reading.series(folder / "first" / "events.sqlite", "train/loss")
    assert [tuple(point) for point in faint] == recorded
    assert len(smooth) == len(recorded)
    training, validation = curves(page, "accuracy")
    assert [y for _, y in training] == pytest.approx([0.6, 0.8, 1 - 0.4 / 3])
    assert [y for _, y in validation] == pytest.approx([0.5, 0.75, 1 - 0.5 / 3])
    page.get_by_text("1,234").wait_for()  # parameters
    page.get_by_role("link", name="Model", exact=True).click()
    page.get_by_text("Nothing was recorded of the inside").wait_for()
    page.get_by_text("model.hidden_size").wait_for()
    page.get_by_role("link", name="Memory", exact=True).click()
    page.get_by_text("carousel inspect").wait_for()
    page.get_by_role("link", name="Predictions", exact=True).click()
    page.get_by_text("This run has recorded no examples").wait_for()
    page.get_by_role("link", name="System", exact=True).click()
    ((*_, (step, speed)),) = curves(page, "Steps per second, per epoch")
    assert (step, speed) == (60, pytest.approx(8))
    page.get_by_text("Memory in use").wait_for()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("link", name="first", exact=True).wait_for()


@pytest.mark.slow
def test_examples_are_seen_worst_first_and_after_any_epoch(page, board, folder):
    """The labels and sentences are those of data: shown as text."""
    path = make_run(folder / "sampled")
    given = [{"name": f"number {i}", "given": ODD, "wanted": ODD} for i in range(3)]
    with EventStore(path / "events.sqlite") as store:
        store.event(0, Written("model", modules=[{"name": "head", "kind": "Linear", "about": ODD}]))
        store.event(20, Written("samples", samples=given))
        for epoch, wrongs in ((1, (0.1, 0.9, 0.5)), (2, (0.3, 0.1, 0.2))):
            said = [{"wrong": wrong, "found": f"found {epoch}"} for wrong in wrongs]
            store.event(20 * epoch, Written("answers", epoch=epoch, answers=said))
    counts = {"part": "test", "per_class": {ODD: {}, "b": {}}, "confusion": [[3, 1], [0, 4]]}
    (path / "evaluation.json").write_text(json.dumps(counts))
    titles = "[...document.querySelectorAll('.panels h2')].map(e => e.innerText).join()"
    page.goto(address(board, "/predictions", "sampled"))
    page.wait_for_function(f"{titles} === 'number 0,number 2,number 1'")
    page.locator(".q-slider [tabindex='0']").press("ArrowLeft")
    page.wait_for_function(f"{titles} === 'number 1,number 2,number 0'")
    assert page.get_by_text("found 1").count() == 3
    page.get_by_role("switch").click()
    page.wait_for_function(f"{titles} === 'number 0,number 1,number 2'")
    page.locator("[aria-label='True and found classes on the test data'] canvas").first.wait_for()
    (path / "epochs" / "1").mkdir(parents=True)
    earlier = counts | {"part": "validation", "confusion": [[2, 2], [0, 4]]}
    (path / "epochs" / "1" / "model.json").write_text("{}")
    (path / "epochs" / "1" / "evaluation-validation.json").write_text(json.dumps(earlier))
    later = "True and found classes on the validation data after epoch 1"
    page.locator(f"[aria-label='{later}'] canvas").first.wait_for()
    page.get_by_role("link", name="Model", exact=True).click()
    page.get_by_role("heading", name="Layers").wait_for()


@pytest.mark.slow
def test_the_inside_of_a_cell_is_seen_as_soon_as_somebody_has_looked(page, board, folder, trained):
    path = folder / "looked"
    shutil.copytree(trained.path, path)
    page.goto(address(board, "/memory", "looked"))
    page.get_by_text("carousel inspect").wait_for()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*COMMAND, "inspect", str(path), "--sample", "3"], env=environment)
    assert done.returncode == 0
    for name in ("forget gate f", "cell state c"):
        page.locator(f"[aria-label='{name}'] canvas").first.wait_for()
    cells = page.evaluate(POINTS, "forget gate f")[0]
    assert len(cells) == 28 * 12
    assert all(0 <= value <= 1 for _, _, value in cells)
    shutil.copytree(path / "model", path / "epochs" / "2")
    page.get_by_text("weights after these epochs were kept too").wait_for()
    earlier = str(path / "epochs" / "2")
    assert subprocess.run([*COMMAND, "inspect", earlier], env=environment).returncode == 0
    page.get_by_text("validation-0-epoch-2", exact=True).wait_for()


@pytest.mark.slow
def test_a_chart_is_saved_as_a_drawing(page, board, tmp_path):
    page.goto(address(board, "/overview", "first"))
    curves(page, "Training loss per step")
    with page.expect_download() as saved:
        page.locator("section", has_text="Training loss per step").get_by_text("SVG").click()
    saved.value.save_as(tmp_path / "chart.svg")
    assert saved.value.suggested_filename == "Training-loss-per-step.svg"
    drawn = ElementTree.parse(tmp_path / "chart.svg").getroot()
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(drawn.findall(".//{*}path")) > 3


@pytest.mark.slow
def test_two_runs_are_compared(page, board):
    page.goto(board)
    compare = page.get_by_role("button", name="Compare")
    assert compare.is_disabled()
    for name in ("first", "second"):
        page.get_by_role("checkbox", name=name, exact=True).click()
    compare.click()
    one, other = curves(page, "Validation accuracy")
    assert [len(one), len(other)] == [3, 2]
    text = page.locator("table.facts").last.inner_text()
    assert "model.hidden_size\t12\t20" in text
    assert "training.epochs" not in text
    page.get_by_role("button", name="epochs").click()
    page.wait_for_function(f"({LAST})('Validation accuracy') === 3")
    page.get_by_role("button", name="seconds").click()
    page.wait_for_function(f"({LAST})('Validation accuracy') === 7.5")


@pytest.mark.slow
def test_many_runs_are_compared_by_parallel_lines(page, board):
    page.goto(address(board, "/compare", "first", "second", "third"))
    page.wait_for_function(f"({POINTS})('Settings and result, a line per run').length === 3")


@pytest.mark.slow
def test_zooming_reads_on_finer(page, board, folder):
    path = make_run(folder / "long", epochs=1, steps=9000)
    try:
        page.goto(address(board, "/overview", "long"))
        before = len(curves(page, "Gradient norm")[0])
        page.evaluate(
            """title => { const e = [...document.querySelectorAll(".chart")]
                .find(e => e.ariaLabel === title);
              getElement(+e.id.slice(1)).chart.dispatchAction(
                {type: "dataZoom", dataZoomIndex: 0, start: 50, end: 53}); }""",
            "Gradient norm",
        )
        longer = f"([title, before]) => ({POINTS})(title)[0].length > before"
        page.wait_for_function(longer, arg=["Gradient norm", before])
        (points,) = page.evaluate(POINTS, "Gradient norm")
        shown = [x for x, _ in points]
        assert set(range(4600, 4700)) <= set(shown)
    finally:
        take_away(path)


@pytest.mark.slow
def test_language_and_theme_stay_as_chosen(page, board):
    page.goto(address(board, "/overview", "first"))
    page.get_by_role("button", name="한국어").click()
    page.get_by_text("스텝별 학습 손실").wait_for()
    assert page.locator("html").get_attribute("lang") == "ko"
    page.get_by_role("button", name="어둡게").click()
    page.wait_for_selector("body.body--dark")
    page.goto(board)
    page.wait_for_selector("body.body--dark")
    page.get_by_role("button", name="밝게").click()
    page.wait_for_selector("body.body--light")
    page.get_by_role("button", name="English").click()
    page.get_by_role("heading", name="Runs").wait_for()


@pytest.mark.slow
def test_the_first_visit_takes_the_theme_and_language_of_the_browser(chromium, board):
    context = chromium.new_context(color_scheme="dark", locale="ko-KR")
    page = context.new_page()
    page.goto(board, timeout=TIMEOUT)
    page.wait_for_selector("body.body--dark", timeout=TIMEOUT)
    page.get_by_role("heading", name="실행 목록").wait_for(timeout=TIMEOUT)
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/overview", "/model", "/system", "/compare"])
def test_a_phone_needs_no_sideways_scrolling(page, board, path):
    page.set_viewport_size({"width": 375, "height": 700})
    page.goto(address(board, path, "first", "second"))
    page.wait_for_selector("h1")
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.slow
def test_the_keyboard_reaches_a_run_and_a_choice(page, board):
    page.goto(board)
    page.get_by_role("link", name="first", exact=True).wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "first":
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="first").wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "한국어":
            break
    page.keyboard.press("Enter")
    page.get_by_text("스텝별 학습 손실").wait_for()


@pytest.mark.slow
def test_notes_are_kept_and_found(page, board):
    page.goto(address(board, "/overview", "third"))
    page.get_by_label("Tags, separated by commas").fill(f"{ODD[:35]}, short")
    page.get_by_label("Notes", exact=True).fill(f"needle {ODD}")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved in the run's folder.").wait_for()
    page.goto(board)
    page.get_by_label("Search").fill("needle")
    page.wait_for_function("document.querySelectorAll('tbody a').length === 1")
    assert "needle <img src=x" in page.locator("tbody").inner_text()
    page.goto(address(board, "/overview", "third"))
    assert page.get_by_label("Notes", exact=True).input_value() == f"needle {ODD}"


# ---- safety


@pytest.mark.slow
def test_text_from_data_is_shown_and_never_run(page, board):
    page.goto(board)
    page.get_by_role("link", name=ODD_NAME, exact=True).click()
    curves(page, "Training loss per step")
    assert ODD_NAME in page.title()
    page.get_by_role("heading", name=ODD_NAME).wait_for()
    page.get_by_text(ODD).first.wait_for()
    for title in ("Training loss per step", "accuracy"):
        chart = page.get_by_role("img", name=title, exact=True)
        box = chart.bounding_box()
        for share in (0.3, 0.34, 0.6):  # a curve, the line of the finding, a curve
            chart.hover(position={"x": box["width"] * share, "y": box["height"] / 2})
    page.goto(address(board, "/compare", ODD_NAME, "first", "second"))
    curves(page, "Validation accuracy")
    chart = page.get_by_role("img", name="Validation accuracy")
    box = chart.bounding_box()
    chart.hover(position={"x": box["width"] / 2, "y": box["height"] / 2})
    page.get_by_text("onerror").last.wait_for()
    for path in ("/model", "/system"):
        page.goto(address(board, path, ODD_NAME))
        page.get_by_role("heading", name=ODD_NAME).wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/overview", "/model", "/system", "/compare"])
@pytest.mark.parametrize("run", ["../secret", ODD, "", "nowhere"])
def test_a_run_that_is_not_there_is_told(page, board, path, run):
    page.goto(address(board, path, run))
    page.get_by_text("there is no run").wait_for()


def fetch(url, **headers):
    """(status, text) of a request."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.slow
def test_numbers_are_given_whole_as_csv(board, folder):
    query = "&signal=train/loss&signal=never&signal=epoch/train_loss"
    status, text = fetch(address(board, "/series.csv", "first") + query)
    assert status == 200
    head, *rows = csv.reader(text.splitlines())
    assert head == ["signal", "step", "value"]
    wanted = [
        (name, step, value)
        for name in ("train/loss", "epoch/train_loss")
        for step, value in reading.series(folder / "first" / "events.sqlite", name)
    ]
    assert [(name, int(step), float(value)) for name, step, value in rows] == wanted


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/../secret/config.toml", "/static/x"])
def test_nothing_else_is_served(board, path):
    assert fetch(board + path)[0] == 404


@pytest.mark.slow
@pytest.mark.parametrize("run", ["../secret", "/etc", "broken/../../secret", "%00", "x" * 3000])
def test_no_numbers_from_outside_the_folder(board, run):
    status, text = fetch(f"{board}/series.csv?run={run}&signal=train/loss")
    assert (status, "0.5" in text) == (404, False)


@pytest.mark.slow
def test_another_address_needs_the_token_and_works_with_it(chromium, folder, tmp_path):
    process, url = start(tmp_path / "log", folder, "--host", "0.0.0.0", "--port", "0")
    try:
        bare = url.partition("?")[0]
        assert fetch(bare)[0] == 403
        assert fetch(f"{bare}?token=wrong")[0] == 403
        context = chromium.new_context(locale="en-GB")
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.goto(url.replace("0.0.0.0", "127.0.0.1"))
        assert "token" not in page.url
        page.get_by_role("link", name="first", exact=True).click()
        curves(page, "Training loss per step")
        context.close()
    finally:
        end(process, tmp_path / "log")
