"""The moving picture of the board: a real training that grows, then what is inside it.

    python benchmarks/board_film.py OUT.gif [TRAIN ARGUMENTS …]

Trains in a folder of its own, looks at the run's page while it goes on, and at the pages of the
network and of the examples when it has ended.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

SIZE, SHOWN = (1280, 960), (800, 600)
LIVE = 9  # frames of the training
COLOURS = 64
ARGUMENTS = ["mnist-rows", "--set", "training.epochs=3", "--set", "optimizer.learning_rate=0.05"]
CAROUSEL = [sys.executable, "-m", "carousel"]


def frame(page: Page) -> Image.Image:
    """What stands on the screen now."""
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return shot.resize(SHOWN, Image.Resampling.LANCZOS)


def film(page: Page, url: str, training: subprocess.Popen[str]) -> list[Image.Image]:
    """Frames of the run's page until the training ends, and of two pages more."""
    page.goto(f"{url}overview?run=run")
    page.wait_for_function("() => document.querySelector('.chart canvas')", timeout=120_000)
    live = []
    while training.poll() is None:
        page.wait_for_timeout(1000)
        live.append(frame(page))
    page.wait_for_timeout(3000)
    step = max(1, len(live) // LIVE)
    found = [*live[::step], frame(page)]
    for name in ("model", "predictions"):
        page.goto(f"{url}{name}?run=run")
        page.wait_for_selector(".panel")
        page.wait_for_timeout(3000)
        found.append(frame(page))
    return found


def main(out: Path, arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        training = subprocess.Popen(
            [*CAROUSEL, "train", *arguments, "--run-dir", f"{folder}/run", "--quiet"], text=True
        )
        while not (Path(folder) / "run" / "events.sqlite").exists() and training.poll() is None:
            time.sleep(0.1)
        board = [*CAROUSEL, "board", folder, "--no-browser", "--port", "0"]
        server = subprocess.Popen(board, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = next(w for w in server.stdout.readline().split() if w.startswith("http"))
            with sync_playwright() as p:
                chromium = shutil.which("chromium")
                browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                width, height = SIZE
                page = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme="light", locale="en"
                )
                frames = film(page, url, training)
                browser.close()
        finally:
            training.terminate()
            training.wait()
            server.terminate()
            server.wait()
    small = [
        one.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        for one in frames
    ]
    times = [700] * (len(small) - 3) + [2500] * 3
    small[0].save(out, save_all=True, append_images=small[1:], duration=times, loop=0)
    print(f"{out}: {len(small)} frames, {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ARGUMENTS)
