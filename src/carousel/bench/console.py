"""Helpers of the command line: get results, show progress, write files."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from carousel.bench.interleave import Plan
from carousel.bench.plots import write_plots
from carousel.bench.results import Results
from carousel.bench.run import Options, run
from carousel.bench.tables import notes, tables, write_markdown
from carousel.errors import ConfigError
from carousel.terminal import rewrites_lines

__all__ = ["get", "notes", "tables", "write"]


def get(
    read: Path | None,
    *,
    suites: tuple[str, ...],
    only: str,
    quick: bool,
    peers: tuple[str, ...],
    threads: int | None,
    seconds: float | None,
    memory: bool,
) -> Results:
    """Results of a new run, with a progress bar on standard error; or from a file.

    Raises ConfigError for options that contradict each other or fit nothing.
    """
    if read is not None:
        if suites or only or quick or peers or threads or seconds is not None:
            raise ConfigError("--from shows results as they are: it takes no choice of rows")
        return Results.read(read)
    if seconds is not None and not 0 < seconds < 3600:
        raise ConfigError(f"--seconds must lie between 0 and 3600, got {seconds:g}")
    plan = Plan(budget=seconds if seconds is not None else 1.0 if quick else 2.5)
    options = Options(suites, only, quick, peers, threads, plan, memory)
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(
        *columns,
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        disable=not rewrites_lines(sys.stderr),
    )
    with bar:
        task = bar.add_task("starting")

        def progress(title: str, done: int, count: int) -> None:
            bar.update(task, description=title, completed=done, total=count)

        results = run(options, progress)
        bar.update(task, description="done", completed=bar.tasks[task].total)
    return results


def write(
    results: Results, json_file: Path | None, markdown: Path | None, plots: Path | None
) -> None:
    """Each where it is wanted. The JSON comes first: the rest can be made from it again."""
    if json_file is not None:
        results.write(json_file)
    if markdown is not None:
        write_markdown(results, markdown)
    if plots is not None:
        write_plots(results, plots)
