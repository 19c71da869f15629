"""Tutorials as code: `python tools/site/tutorials.py FOLDER` writes a notebook of each.

A tutorial is a page of docs/learn. Its blocks of Python and of commands are what a test runs and
what a notebook holds. A line `<!-- small: TEXT => OTHER -->` says what a test runs instead of TEXT,
so that it takes seconds.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parents[2] / "docs" / "learn"
_BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```\n", re.M | re.S)
_SMALL = re.compile(r"^<!-- small: (.*?) => (.*?) -->\n", re.M)
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:)[^)]+\)")
_PICTURE = re.compile(r"^!\[[^\]]*\]\([^)]+\)\n+", re.M)


@dataclass(frozen=True)
class Cell:
    """A piece of a tutorial.

    kind: "markdown", "python", or "bash" (commands, a line each).
    """

    kind: str
    text: str


def tutorials() -> list[Path]:
    """The pages, in both languages."""
    return [page for page in sorted(PAGES.glob("*.md")) if not page.name.startswith("index")]


def cells(text: str) -> list[Cell]:
    """The pieces of a page, in order.

    >>> [cell.kind for cell in cells("Add.\\n```python\\n1 + 1\\n```\\n")]
    ['markdown', 'python']
    """
    parts = _BLOCK.split(_SMALL.sub("", text))
    found = [Cell("markdown", parts[0])]
    for kind, code, words in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        found += [Cell(kind, code), Cell("markdown", words)]
    return [cell for cell in found if cell.text.strip()]


def small(text: str) -> str:
    """The page with the replacements that it names, for a test.

    Raises `ValueError` where a text to be replaced is not in the page.

    >>> small("<!-- small: range(9) => range(1) -->\\nrange(9)")
    'range(1)'
    """
    rest = _SMALL.sub("", text)
    for old, new in _SMALL.findall(text):
        if old not in rest:
            raise ValueError(f"'{old}' is to be replaced by '{new}', but is not there")
        rest = rest.replace(old, new)
    return rest


def notebook(text: str) -> dict[str, Any]:
    """The page as a notebook (nbformat 4.5): links of the site become their words."""
    return {
        "cells": [_notebook_cell(number, cell) for number, cell in enumerate(cells(text))],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _notebook_cell(number: int, cell: Cell) -> dict[str, Any]:
    made: dict[str, Any] = {"id": f"cell-{number}", "metadata": {}}
    if cell.kind == "markdown":
        text = _LINK.sub(r"\1", _PICTURE.sub("", cell.text))
        return {"cell_type": "markdown", **made, "source": _lines(text)}
    text = cell.text
    if cell.kind == "bash":
        text = "".join(f"!{line}\n" for line in text.splitlines())
    code = {"execution_count": None, "outputs": []}
    return {"cell_type": "code", **made, **code, "source": _lines(text)}


def _lines(text: str) -> list[str]:
    return text.strip("\n").splitlines(keepends=True)


def write(page: Path, folder: Path) -> Path:
    """Write the notebook of a page into a folder; returns its path."""
    path = folder / page.with_suffix(".ipynb").name
    text = json.dumps(notebook(page.read_text(encoding="utf-8")), ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    for page in tutorials():
        print(write(page, Path(sys.argv[1])))
