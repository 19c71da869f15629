"""What an open board costs the training beside it: time of two epochs, with and without.

A board in a process of its own, its overview of the run open in a headless Chromium on the same
machine; with and without in turns, the training on one thread. Seconds are those of the training by
the clock, validation included; CPU seconds those of its whole process, which other processes change
less.

    python benchmarks/board_live_cost.py [rounds]
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

COMMAND = [sys.executable, "-c", "from carousel.cli import main; main()"]
TRAIN = [*COMMAND, "train", "mnist-rows", "--set", "training.epochs=2", "--threads", "1", "--quiet"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def measure(folder: Path, browser: Browser | None) -> tuple[float, float]:
    """Seconds of training, as the run itself says, and CPU seconds of its process."""
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    training = subprocess.Popen([*TRAIN, "--run-dir", str(run)], stdout=subprocess.DEVNULL,
                                env=ENVIRONMENT)  # fmt: skip
    if browser is None:
        _, _, usage = os.wait4(training.pid, 0)
    else:
        server = subprocess.Popen(
            [*COMMAND, "board", str(folder), "--no-browser", "--port", "0"],
            stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip
        assert server.stdout is not None
        url = next(word for word in server.stdout.readline().split() if word.startswith("http"))
        page = browser.new_page()
        page.goto(f"{url}overview?run=run")
        ended = 0
        while not ended:
            page.wait_for_timeout(200)
            ended, _, usage = os.wait4(training.pid, os.WNOHANG)
        page.close()
        server.terminate()
        server.wait()
    clock = float(json.loads((run / "result.json").read_text())["seconds"])
    return clock, usage.ru_utime + usage.ru_stime


def main(rounds: int) -> None:
    ratios: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        measure(Path(folder), None)
        for number in range(rounds):
            order = (browser, None) if number % 2 else (None, browser)
            took = {each is not None: measure(Path(folder), each) for each in order}
            (clock, cpu), (clock_with, cpu_with) = took[False], took[True]
            ratios.append((clock_with / clock, cpu_with / cpu))
            print(
                f"without {clock:.2f} s, with {clock_with:.2f} s: {ratios[-1][0]:.3f}; CPU "
                f"{cpu:.2f} s, {cpu_with:.2f} s: {ratios[-1][1]:.3f}",
                flush=True,
            )
        browser.close()
    clock, cpu = (statistics.median(each) for each in zip(*ratios, strict=True))
    print(f"median {clock:.3f}, of CPU time {cpu:.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
