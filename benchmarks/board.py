"""How fast the board is with large runs and many, and what it takes of the machine.

Makes a run of 1,000,000 steps and many series (200 of them take 4 GB), and a folder of 100 runs, in
a temporary folder. Then, with a board in a process of its own and a headless Chromium:

    the table       reading 100 runs, and until the browser shows them
    a series        cut down in SQL, at first, when it is looked at closely, and when it has grown
    the page        until the overview of the large run has drawn its loss, and all its charts
    a live run      from writing a point until the browser shows it; CPU of the board meanwhile
    memory          of the board, after all that

    python benchmarks/board.py [series] [steps] [folder]
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

from carousel.board.series import Reader
from carousel.config import Config
from carousel.run.events import Epoch
from carousel.run.layout import RunFolder
from carousel.run.writing import EventStore
from carousel.runs.store import Store
from carousel.training.new_run import new_run

LOSS = "Training loss per step"
CHARTS = """() => [...document.querySelectorAll(".chart")]
    .map(e => getElement(+e.id.slice(1))?.chart?.getOption()?.series ?? [])"""
DRAWN = f"n => {{ const c = ({CHARTS})(); return c.length >= n && c.every(s => s.length > 0) }}"
FIRST = f"() => ({CHARTS})().some(series => series.length > 0 && series[0].data.length > 0)"
LAST = f"last => ({CHARTS})()[0]?.[0]?.data.at(-1)?.[0] >= last"


def names(count: int) -> list[str]:
    """As many series as asked for, named as those of a run."""
    own = ["train/loss", "learning_rate", "gradient_norm"]
    gates = [f"{layer}.weight_{kind}_l0/{gate}" for layer in ("a", "b") for kind in ("ih", "hh")
             for gate in "ifgo"]  # fmt: skip
    kinds = ("update_ratio", "gradient_norm", "weight_std", "update_std", "weight_mean",
             "weight_largest", "spectral_radius")  # fmt: skip
    own += [f"{kind}/{gate}" for kind in kinds for gate in gates]
    own += [f"output/{index}" for index in range(max(0, count - len(own)))]
    return own[:count]


def make_run(path: Path, series: list[str], steps: int) -> None:
    """A run folder with so many points of every series."""
    new_run(path, Config(), seed=0, threads=1, device="cpu")
    with EventStore(path / "events.sqlite") as store:
        store.record(1, dict.fromkeys(series, 1.0))
        for epoch in range(1, 4):
            store.record(
                epoch * steps // 3, {"epoch/train_loss": 1.0, "epoch/validation_loss": 1.0}
            )
            said = {"loss": 1 / epoch}
            store.event(
                epoch * steps // 3, Epoch(epoch, said, said, "loss", 1e-3, True, epoch * 60.0)
            )
    db = sqlite3.connect(path / "events.sqlite")
    db.execute("PRAGMA synchronous = OFF")
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        "INSERT INTO points SELECT 1, i, 1e3 / (i + 1e3) + (random() % 1000) / 1e4 FROM n",
        (steps,),
    )
    for signal in range(2, len(series) + 1):
        db.execute(
            "INSERT INTO points SELECT ?, step, value FROM points WHERE signal = 1 AND step > 1",
            (signal,),
        )
        db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock, and of CPU in this process."""
    clock, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - clock, time.process_time() - cpu


def say(what: str, seconds: float, more: str = "") -> None:
    print(f"{what:<58} {seconds:8.3f} s  {more}", flush=True)


def measure_reading(large: Path, many: Path, steps: int) -> None:
    clock, cpu = timed(lambda: Store(many).runs())
    say("100 runs read", clock, f"CPU {cpu:.3f} s")
    reader, path = Reader(), large / "events.sqlite"
    middle = (steps * 0.5, steps * 0.52)
    for what, within in (("at first", None), ("again", None), ("closely, 2 %", middle)):
        clock, cpu = timed(lambda within=within: reader.read(path, ["train/loss"], within))
        say(f"one series of {steps:,} steps, {what}", clock, f"CPU {cpu:.3f} s")


def measure_pages(page: Page, url: str) -> None:
    started = time.perf_counter()
    page.goto(f"{url}?many")
    page.wait_for_function("document.querySelectorAll('tbody a').length >= 25")
    say("the table of 101 runs in the browser", time.perf_counter() - started)
    for what in ("at first", "again"):
        started = time.perf_counter()
        page.goto(f"{url}overview?run=large")
        page.wait_for_function(FIRST)
        loss = time.perf_counter() - started
        page.wait_for_function(DRAWN, arg=5)
        charts = time.perf_counter() - started
        say(f"the large run's page, {what}: its loss", loss, f"all charts {charts:.2f} s")


def measure_live(page: Page, url: str, live: Path, board: psutil.Process) -> None:
    delays = []
    with EventStore(live / "events.sqlite") as store, RunFolder.open(live).locked():
        step = store.last_step()
        page.goto(f"{url}overview?run=live")
        page.wait_for_function(FIRST)
        used, began = sum(board.cpu_times()[:2]), time.perf_counter()
        for _ in range(12):
            step += 1
            store.record(step, {"train/loss": 1.0, "learning_rate": 0.1, "gradient_norm": 1.0})
            store.flush()
            written = time.perf_counter()
            page.wait_for_function(LAST, arg=step)
            delays.append(time.perf_counter() - written)
        share = (sum(board.cpu_times()[:2]) - used) / (time.perf_counter() - began)
    say("a point written, then shown (median)", statistics.median(delays))
    say("the same, longest of 12", max(delays), f"the board uses {share:.1%} of a core meanwhile")


def main(count: int, steps: int, folder: Path) -> None:
    runs, series = folder / "runs", names(count)
    clock, _ = timed(lambda: make_run(runs / "large", series, steps))
    size = (runs / "large" / "events.sqlite").stat().st_size
    say(f"made {count} series of {steps:,} steps", clock, f"{size / 1e9:.2f} GB")
    for index in range(100):
        make_run(runs / "many" / f"run-{index:03}", series[:3], 2000)
    make_run(runs / "live", series[:3], 5000)
    measure_reading(runs / "large", runs / "many", steps)
    command = [sys.executable, "-c", "from carousel.cli import main; main()", "board", str(runs),
               "--no-browser", "--port", "0"]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = next(word for word in server.stdout.readline().split() if word.startswith("http"))
        board = psutil.Process(server.pid)
        with sync_playwright() as p:
            chromium = shutil.which("chromium")
            browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(locale="en-GB")
            page.set_default_timeout(300_000)
            measure_pages(page, url)
            measure_live(page, url, runs / "live", board)
            browser.close()
        print(f"memory of the board: {board.memory_info().rss / 1e6:.0f} MB")
        print(f"load of the machine, 1 min: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    given = sys.argv[1:]
    with tempfile.TemporaryDirectory(dir=given[2] if len(given) > 2 else None) as place:
        main(
            int(given[0]) if given else 20,
            int(given[1]) if len(given) > 1 else 1_000_000,
            Path(place),
        )
