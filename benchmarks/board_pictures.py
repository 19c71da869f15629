"""The pictures of docs/board.md: every page of the board, of runs that are there.

    python benchmarks/board_pictures.py RUNS OUT RUN [RUN ...]

RUNS is a folder of runs, OUT the folder of the pictures; the first RUN is shown alone, all of them
are compared, and the first sweep in the folder has its page, too. Each page is taken dark and light
on a wide screen, and on a phone.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, sync_playwright

SCREENS = {"dark": (1280, 1180), "light": (1280, 1180), "phone": (390, 844)}
DRAWN = """() => { const charts = [...document.querySelectorAll(".chart")]
    .filter(e => e.offsetParent && e.getBoundingClientRect().top < window.innerHeight);
  return charts.every(e => getElement(+e.id.slice(1))?.chart?.getOption()?.series?.length) }"""

BOTTOM = """() => Math.max(...[...document.querySelectorAll("main *")]
    .map(e => e.getBoundingClientRect()).filter(r => r.height).map(r => Math.ceil(r.bottom)))"""


def take(browser: Browser, url: str, runs: list[str], sweeps: list[str], out: Path) -> None:
    """A picture of what each screen shows of each page."""
    one, all_of_them = urlencode({"run": runs[0]}), urlencode([("run", run) for run in runs])
    pages = {"runs": "", "overview": f"overview?{one}", "model": f"model?{one}",
             "memory": f"memory?{one}", "predictions": f"predictions?{one}",
             "system": f"system?{one}", "compare": f"compare?{all_of_them}"}  # fmt: skip
    if sweeps:
        pages["sweep"] = f"sweep?{urlencode({'run': sweeps[0]})}"
    for screen, (width, height) in SCREENS.items():
        theme = "light" if screen == "light" else "dark"
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, locale="en-GB"
        )
        page = context.new_page()
        for name, path in pages.items():
            page.goto(url + path)
            page.wait_for_selector(f"body.body--{theme} main h1")
            page.wait_for_function(DRAWN)
            # A short page is cut below what it shows.
            bottom = page.evaluate(BOTTOM)
            clip = {"x": 0, "y": 0, "width": width, "height": min(height, bottom + 16)}
            page.screenshot(path=out / f"board-{name}-{screen}.png", clip=clip)
        context.close()


def main(folder: str, out: Path, runs: list[str]) -> None:
    command = [sys.executable, "-c", "from carousel.cli import main; main()", "board", folder,
               "--no-browser", "--port", "0"]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = next(word for word in server.stdout.readline().split() if word.startswith("http"))
        out.mkdir(parents=True, exist_ok=True)
        with sync_playwright() as p:
            chromium = shutil.which("chromium")
            browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            sweeps = sorted(path.parent.name for path in Path(folder).glob("*/sweep.json"))
            take(browser, url, runs, sweeps, out)
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
