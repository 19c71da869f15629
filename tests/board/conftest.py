"""Runs, a board that shows them, and a browser: those of every test that looks at pages."""

import pytest
from board_server import CHROMIUM, ODD, ODD_NAME, end, start
from made_runs import make_run
from made_sweeps import confirmed, make_sweep


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    runs = tmp_path_factory.mktemp("board") / "runs"
    make_run(runs / "first", "model.hidden_size=12")
    make_run(runs / "second", "model.hidden_size=20", "model.cell='gru'", epochs=2)
    make_run(runs / "third", "model.hidden_size=28", epochs=1)
    finding = {
        "code": "odd",
        "severity": "severe",
        "title": ODD,
        "advice": [{"text": ODD, "do": ODD}],
    }
    make_run(runs / ODD_NAME, f"recipe.summary='''{ODD}'''", findings=(finding,))
    broken = make_run(runs / "broken")
    (broken / "config.toml").write_text("model = [")
    make_sweep(runs / "swept", confirmed=confirmed(1), finished=True)
    make_run(runs.parent / "secret")
    return runs


@pytest.fixture(scope="module")
def board(folder):
    log = folder.parent / "log"
    process, url = start(log, folder, "--port", "0")
    yield url.rstrip("/")
    end(process, log)


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
