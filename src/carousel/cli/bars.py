"""Bars on standard error while something long goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from carousel.terminal import rewrites_lines


@contextmanager
def bar_of(what: str, counted: str) -> Iterator[Callable[[float, int], None]]:
    """A bar that is told the share that is done, and how many of what is counted there are; none
    where standard error is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn(f"{{task.fields[count]:,}} {counted}"),
    )
    still = not rewrites_lines(sys.stderr)
    with Progress(*columns, console=console, transient=True, disable=still) as bars:
        bar = bars.add_task(what, total=1.0, count=0)
        yield lambda done, count: bars.update(bar, completed=done, count=count)
