"""The page of every verb: `python -m carousel.cli.reference docs/reference/verbs.md`."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from carousel.cli import app

_HEAD = """# Commands

Every verb of the command line, with its arguments and options, as `carousel VERB --help` prints
them. Bad input is one line and exit code 2. This page is written from the parser by
`python -m carousel.cli.reference docs/reference/verbs.md`.
"""


def page() -> str:
    """Every verb with what it takes, as Markdown."""
    group: Any = typer.main.get_command(app)
    lines = [_HEAD]
    for name, verb in group.commands.items():
        lines += _verb(f"carousel {name}", verb)
    return "\n".join(lines)


def _verb(path: str, verb: Any, level: int = 2) -> Iterator[str]:
    context = verb.make_context(path, [], resilient_parsing=True)
    yield f"{'#' * level} {path}\n"
    usage = " ".join([path, *verb.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```\n"
    yield from (f"{paragraph}\n" for paragraph in _paragraphs(verb.help or ""))
    rows = list(_rows(verb, context))
    if rows:
        yield "| takes | meaning |\n| --- | --- |\n" + "\n".join(rows) + "\n"
    for name, below in getattr(verb, "commands", {}).items():
        yield from _verb(f"{path} {name}", below, level + 1)


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of a help text; examples as blocks of code, so that they can be copied.

    >>> list(_paragraphs("Train a\\nrecipe.\\n\\nExample: carousel train mnist-rows"))
    ['Train a recipe.', '```bash\\ncarousel train mnist-rows\\n```']
    """
    for paragraph in re.split(r"\n\s*\n", text.replace("\b", "").strip()):
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        examples = re.match(r"Examples?:\s*", lines[0]) if lines else None
        if examples:
            lines[0] = lines[0][examples.end() :]
            yield "```bash\n" + "\n".join(line for line in lines if line) + "\n```"
        elif lines:
            yield " ".join(lines)


def _rows(verb: Any, context: Any) -> Iterator[str]:
    for parameter in verb.params:
        if getattr(parameter, "hidden", False):
            continue
        record = parameter.get_help_record(context)
        if record is None or parameter.name == "help":
            continue
        name, meaning = record
        yield f"| {_code(name)} | {_cell(meaning)} |"


def _code(text: str) -> str:
    """Code in a table's cell: in HTML where a bar would end the cell, in one reader or another.

    >>> _code("--json"), _code("A|B <str>")
    ('`--json`', '<code>A&#124;B &lt;str&gt;</code>')
    """
    shown = " ".join(text.split())
    if "|" not in shown:
        return f"`{shown}`"
    return f"<code>{html.escape(shown).replace('|', '&#124;')}</code>"


def _cell(text: str) -> str:
    """Text of a table's cell.

    >>> _cell("a|b [x>=0]")
    'a\\\\|b \\\\[x>=0]'
    """
    return re.sub(r"([|\[])", r"\\\1", " ".join(text.split()))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
