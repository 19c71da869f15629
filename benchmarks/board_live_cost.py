"""What an open board costs the training beside it: seconds of two epochs, with and without.

A board in a process of its own, its overview of the run open in a headless Chromium on the same
machine; with and without in turns, the training on one thread.

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


def seconds(folder: Path, browser: Browser | None) -> float:
    """Of training, validation included, as the run itself says."""
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    training = subprocess.Popen([*TRAIN, "--run-dir", str(run)], stdout=subprocess.DEVNULL,
                                env=ENVIRONMENT)  # fmt: skip
    if browser is None:
        training.wait()
    else:
        server = subprocess.Popen(
            [*COMMAND, "board", str(folder), "--no-browser", "--port", "0"],
            stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip
        assert server.stdout is not None
        url = next(word for word in server.stdout.readline().split() if word.startswith("http"))
        page = browser.new_page()
        page.goto(f"{url}overview?run=run")
        while training.poll() is None:
            page.wait_for_timeout(200)
        page.close()
        server.terminate()
        server.wait()
    return float(json.loads((run / "result.json").read_text())["seconds"])


def main(rounds: int) -> None:
    ratios = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        seconds(Path(folder), None)
        for number in range(rounds):
            order = (browser, None) if number % 2 else (None, browser)
            took = {each is not None: seconds(Path(folder), each) for each in order}
            ratios.append(took[True] / took[False])
            print(f"without {took[False]:.2f} s, with {took[True]:.2f} s: {ratios[-1]:.3f}")
        browser.close()
    print(f"median {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
