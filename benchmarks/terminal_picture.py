"""The moving picture of a training in a terminal, from real output.

    python benchmarks/terminal_picture.py OUT.svg [TRAIN ARGUMENTS …]

Runs `carousel train` in a pseudo terminal, keeps what stands on its screen whenever that changes,
and writes the screens as one SVG that plays them by CSS alone: no script, no font from elsewhere.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

COLUMNS, ROWS = 96, 24
SECONDS, HOLD = 12.0, 3.0  # of the whole film, and of its last screen
MOST = 60  # screens of the film
WIDTH, HEIGHT = 8.4, 18.0  # of a letter, in pixels
ARGUMENTS = ["mnist-rows", "--set", "training.epochs=3"]
_ESCAPE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")
_COLOURS = {
    "31": "#ff7b72", "32": "#56d364", "33": "#e3b341", "34": "#79c0ff", "35": "#d2a8ff",
    "36": "#56d4dd", "38;5;197": "#ff5c8a", "38;5;106": "#8ac926", "38;5;237": "#4b5563",
}  # fmt: skip


class Screen:
    """What stands on a terminal: enough of one for progress bars and lines."""

    def __init__(self) -> None:
        self.lines: list[list[tuple[str, str]]] = [[]]
        self.row = self.column = 0
        self.style = ""

    def write(self, text: str) -> None:
        place = 0
        while place < len(text):
            if found := _ESCAPE.match(text, place):
                self._control(found[1], found[2])
                place = found.end()
                continue
            letter = text[place]
            place += 1
            if letter == "\n":
                self.row += 1
                self.column = 0
            elif letter == "\r":
                self.column = 0
            elif letter >= " ":
                self._put(letter)

    def _put(self, letter: str) -> None:
        if self.column >= COLUMNS:
            self.row, self.column = self.row + 1, 0
        while len(self.lines) <= self.row:
            self.lines.append([])
        line = self.lines[self.row]
        line += [(" ", "")] * (self.column + 1 - len(line))
        line[self.column] = (letter, self.style)
        self.column += 1

    def _control(self, numbers: str, what: str) -> None:
        count = int(numbers) if numbers.isdigit() else 1
        if what == "m":
            self.style = "" if numbers in ("", "0") else numbers.removeprefix("1;")
        elif what == "A":
            self.row = max(self.row - count, 0)
        elif what == "K" and self.row < len(self.lines):
            del self.lines[self.row][0 if numbers == "2" else self.column :]

    def shown(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """The last rows, as runs of letters of one style."""
        full = [*self.lines]
        while full and not any(letter != " " for letter, _ in full[-1]):
            full.pop()
        return tuple(_runs(line) for line in full[-ROWS:])


def _runs(line: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for letter, style in line:
        if found and found[-1][1] == style:
            found[-1] = (found[-1][0] + letter, style)
        else:
            found.append((letter, style))
    return tuple(found)


def record(command: list[str], prompt: str) -> list[tuple[float, tuple[object, ...]]]:
    """Screens of a command with the times at which they came."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    settings = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=settings)
    os.close(theirs)
    screen, began = Screen(), time.monotonic()
    screen.write(prompt + "\n")
    found: list[tuple[float, tuple[object, ...]]] = [(0.0, screen.shown())]
    decode = codecs.getincrementaldecoder("utf-8")().decode
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        screen.write(decode(piece))
        if screen.shown() != found[-1][1]:
            found.append((time.monotonic() - began, screen.shown()))
    os.close(ours)
    if process.wait():
        raise SystemExit(f"the command ended with {process.returncode}")
    return found


def thinned(
    screens: list[tuple[float, tuple[object, ...]]],
) -> list[tuple[float, tuple[object, ...]]]:
    """At most MOST screens, evenly over the time, the last one always."""
    end = screens[-1][0]
    chosen, due = [], 0.0
    for moment, shown in screens[:-1]:
        if moment >= due:
            chosen.append((moment, shown))
            due = moment + end / (MOST - 1)
    return [*chosen, screens[-1]]


def svg(screens: list[tuple[float, tuple[object, ...]]], title: str) -> str:
    """The film."""
    end = screens[-1][0] or 1.0
    playing = SECONDS - HOLD
    width, height = COLUMNS * WIDTH + 24, ROWS * HEIGHT + 24
    styles, groups = [], []
    for number, (moment, lines) in enumerate(screens):
        begin = 100 * moment / end * playing / SECONDS
        last = number + 1 == len(screens)
        stop = 100.0 if last else 100 * screens[number + 1][0] / end * playing / SECONDS
        # Shown from its time until the next one's; the steps leave nothing in between.
        styles.append(
            f"@keyframes s{number}{{0%{{opacity:{int(not number)}}}{begin:.2f}%{{opacity:1}}"
            f"{stop:.2f}%{{opacity:{int(last)}}}}}"
            f"#s{number}{{animation:s{number} {SECONDS:g}s steps(1,end) infinite}}"
        )
        if not last:
            styles.append(f"@media (prefers-reduced-motion){{#s{number}{{display:none}}}}")
        written = "".join(_line(n, runs) for n, runs in enumerate(lines))
        groups.append(f'<g id="s{number}">{written}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{_safe(title)}"><title>{_safe(title)}</title><style>text{{font:14px '
        f"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#e6edf3;white-space:pre}}"
        f"g{{opacity:0}}{''.join(styles)}</style>"
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>{"".join(groups)}</svg>\n'
    )


def _line(number: int, runs: object) -> str:
    assert isinstance(runs, tuple)
    spans, column = [], 0
    for text, style in runs:
        if text.strip():
            fill = f' fill="{_COLOURS[style]}"' if style in _COLOURS else ""
            left = 12 + WIDTH * column
            # Its own length keeps columns in place, whatever font the reader has.
            spans.append(
                f'<tspan x="{left:.1f}" textLength="{WIDTH * len(text):.1f}"{fill}>'
                f"{_safe(text)}</tspan>"
            )
        column += len(text)
    return f'<text y="{26 + HEIGHT * number:g}">{"".join(spans)}</text>' if spans else ""


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def main(out: Path, arguments: list[str]) -> None:
    shown = " ".join(["carousel", "train", *arguments])
    command = [sys.executable, "-m", "carousel", "train", *arguments]
    screens = thinned(record(command, f"$ {shown}"))
    text = svg(screens, f"{shown}: a training in a terminal")
    out.write_text(text, encoding="utf-8")
    print(f"{out}: {len(screens)} screens, {len(text.encode()) / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ARGUMENTS)
