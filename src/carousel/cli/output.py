"""Output of the commands: tables, text, JSON, and what tasks show."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carousel.errors import CarouselError
from carousel.terminal import notice, writes_utf8

if TYPE_CHECKING:
    from rich.table import Table

    from carousel.coach.finding import Finding
    from carousel.tasks.shared.task import Shown

_COLOURS = {  # of a finding: by its severity, and by the kind of a line
    "severe": "bold red",
    "warning": "yellow",
    "info": "cyan",
    "command": "green",
    "aside": "dim",
}

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a bundle.")]
LangOption = Annotated[
    str | None,
    typer.Option(help="en or ko [default: CAROUSEL_LANG, else the locale's].", metavar="LANG"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def show(what: Shown) -> None:
    """Print what a task shows."""
    from carousel.tasks.shared import task

    match what:
        case task.Notice(text, arguments):
            notice(as_called(with_options(text, arguments)))
        case task.Json(content):
            print_json(content)
        case task.Table(columns, rows):
            table = table_of(*columns)
            for row in rows:
                table.add_row(*row)
            print_out(table)
        case str():
            print(what, end="", flush=True)


_CALLED: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("called", default=())


@contextmanager
def calling(path: str, name: str) -> Iterator[None]:
    """Call a temporary file by another name in all that is said inside the block, and in the error
    that ends it."""
    token = _CALLED.set(((path, name),))
    try:
        yield
    except CarouselError as error:
        raise type(error)(as_called(str(error)), *error.arguments) from error
    finally:
        _CALLED.reset(token)


def as_called(text: str) -> str:
    """A text with the names that files are called by."""
    for path, name in _CALLED.get():
        text = text.replace(path, name)
    return text


def with_options(message: str, arguments: Iterable[str]) -> str:
    """A message with options of the command line in place of the arguments that it names.

    >>> with_options("top_k must be at least 0", ["top_k"])
    '--top-k must be at least 0'
    """
    for name in arguments:
        option = f"--{name.replace('_', '-')}"
        message = re.sub(rf"\b{name}\b", option, message, count=1)
    return message


def print_finding(finding: Finding, language: str) -> None:
    """Print a finding of the coach in full, in colours, with an empty line below."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from carousel.coach.words import word

    console = Console(highlight=False, markup=False)
    head = Text(word("finding", finding.severity, language), style=_COLOURS[finding.severity])
    head.append(f"  {finding.title}", style="not dim bold")
    console.print(head)
    for kind, line in finding.lines(language):
        console.print(Padding(Text(line, style=_COLOURS.get(kind, "")), (0, 0, 0, 2)))
    console.print()


def table_of(*columns: str, title: str | None = None) -> Table:
    """An empty table, its first column never folded."""
    from rich import box
    from rich.table import Table

    table = Table(*columns, title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.overflow = "fold"
    return table


def print_out(what: Table | str) -> None:
    """Print a table or a text to standard output."""
    from rich.console import Console

    # Text is printed as it is: no markup, no wrapping; tables fold to the terminal's width.
    console = Console(highlight=False, markup=False, soft_wrap=isinstance(what, str))
    console.print(what)


def print_json(content: Any) -> None:
    """Print JSON, indented, in UTF-8; with escapes where the output is in another encoding."""
    print(json.dumps(content, indent=2, ensure_ascii=not writes_utf8(sys.stdout)))
