"""`carousel bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carousel.cli.exits import Exit
from carousel.cli.output import JsonOption, print_json, print_out, table_of
from carousel.errors import ConfigError

if TYPE_CHECKING:
    from carousel.bench.results import Results


def bench(
    suites: Annotated[
        list[str] | None,
        typer.Option(
            "--suite",
            help="dense, odd, ragged, stream, scaling; or small, options, export. Repeatable.",
        ),
    ] = None,
    only: Annotated[
        str, typer.Option(metavar="WORDS", help="Rows whose title has all of these words.")
    ] = "",
    peers: Annotated[
        list[str] | None,
        typer.Option("--peer", help="Compare with this one only, in every row; repeatable."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few rows, in about a minute.")] = False,
    seconds: Annotated[
        float | None, typer.Option(help="Per row [default: 2.5, or 1 with --quick].")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of each contestant [default: torch's number].")
    ] = None,
    memory: Annotated[
        bool, typer.Option("--memory/--no-memory", help="Measure memory of training, too.")
    ] = True,
    read: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Show results; measure nothing.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the results, as JSON.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tables into a Markdown file.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write pictures (PNG).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure speed and memory against torch.nn, ONNX Runtime, Keras and TensorFlow.

    Everyone takes turns in one run; peers that are not installed are left out, and so are, in most
    rows, those that compile for seconds.

    Example: carousel bench --suite stream --only LSTM --out stream.json
    """
    from carousel.bench import console

    for path in (out, markdown):
        if path is not None and path.is_dir():
            raise ConfigError(f"{path} is a folder: give a file")
    results = console.get(
        read,
        suites=tuple(suites or ()),
        only=only,
        quick=quick,
        peers=tuple(peers or ()),
        threads=threads,
        seconds=seconds,
        memory=memory,
    )
    console.write(results, out, markdown, plots)
    if as_json:
        print_json(results.to_json())
    else:
        _show(results)
    if not results.complete:
        raise typer.Exit(Exit.INTERRUPTED)
    if results.failures:
        raise typer.Exit(Exit.FOUND)


def _show(results: Results) -> None:
    from carousel.bench import console

    for content in console.tables(results, narrow=True):
        table = table_of(*content.columns, title=content.title)
        for row in content.rows:
            table.add_row(*row)
        print_out(table)
    for line in console.notes(results):
        print_out(line)
