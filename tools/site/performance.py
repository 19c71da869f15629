"""The tables of docs/performance.md, a column for each machine, from the measurements in docs/lab.

`python tools/site/performance.py` writes them; the words around them are written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "performance.md"
# Headings of the columns, and the page in docs/lab that each is taken from.
MACHINES = {
    "Zen 4, AVX-512": "performance-zen4.md",
    "Zen 4, AVX2": "performance-avx2.md",
    "Zen 5, AVX-512": "performance-zen5.md",
}
# Sections of those pages, and which columns of theirs are shown: the ratio, and ours.
SECTIONS = {
    "Dense batches": ("torch.nn / ours", "ours"),
    "Rows of different lengths (torch.nn: packed)": ("torch.nn / ours", "ours"),
    "One step of a live stream": ("torch.nn / ours", "ours"),
    "Memory of one training step, MiB beyond weights and input": ("ratio", "peak, ours"),
}
# Sections with a table of one machine, which stands in the page as it is.
ALONE = {"One step of one stream: the C file, and others": "performance-export.md"}
SHAPE = "T×B×I×H"
_MARKS = re.compile(r"(<!-- (.+?): start -->\n).*?(<!-- \2: end -->)", re.S)


def table(text: str, section: str) -> dict[str, dict[str, str]]:
    """Rows of the table of a section by name, each a cell by column.

    >>> table("### A\\n\\n| row | x |\\n| --- | --- |\\n| r | 1 |\\n", "A")
    {'r': {'row': 'r', 'x': '1'}}
    """
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in _lines(text, section)
    ]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def _lines(text: str, section: str) -> list[str]:
    """Lines of the table of a section."""
    body = text.partition(f"\n### {section}\n" if not text.startswith("###") else f"{section}\n")[2]
    body = re.split(r"\n#|\n<!--", body)[0]
    lines = [line for line in body.splitlines() if line.startswith("|")]
    if not lines:
        raise ValueError(f"there is no table under '{section}'")
    return lines


def compared(section: str) -> str:
    """A table of a section, as Markdown: the ratio to torch.nn and ours, on each machine."""
    if section in ALONE:
        text = (DOCS / "lab" / ALONE[section]).read_text(encoding="utf-8")
        return "\n".join(_lines(text, section)) + "\n"
    found = {
        name: table((DOCS / "lab" / page).read_text(encoding="utf-8"), section)
        for name, page in MACHINES.items()
    }
    first = next(iter(found.values()))
    shaped = all(SHAPE in row for row in first.values())
    head = ["row", *([SHAPE] if shaped else []), *found]
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * (1 + shaped) + " ---: |" * len(found)]
    for row, cells in first.items():
        shape = [cells[SHAPE]] if shaped else []
        shown = [_cell(rows.get(row), *SECTIONS[section]) for rows in found.values()]
        lines.append(f"| {' | '.join([row, *shape, *shown])} |")
    return "\n".join(lines) + "\n"


def _cell(row: dict[str, str] | None, ratio: str, ours: str) -> str:
    if row is None or row[ratio] == "–":
        return "–"
    return f"**{row[ratio].split(' ')[0]}** ({row[ours]})"


def page(text: str) -> str:
    """The page with its tables written anew."""

    def written(match: re.Match[str]) -> str:
        return match[1] + "\n" + compared(match[2]) + "\n" + match[3]

    return _MARKS.sub(written, text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
