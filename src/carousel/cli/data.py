"""`carousel data`: list, fetch, path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from carousel.cli.completion import data_sets
from carousel.cli.output import JsonOption, print_json, print_out, table_of
from carousel.cli.talk import verb
from carousel.errors import ConfigError, DataError

app = typer.Typer(help="Published data sets: what there is, where it lies, get it.")

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Of a set in carousel data list.", autocompletion=data_sets
    ),
]


@app.command("list")
@verb
def data_list(as_json: JsonOption = False) -> None:
    """The data sets, their terms, and where they lie here.

    Example: carousel data list
    """
    from carousel.data import sources

    rows = [
        {"name": name, "what": source.title, "terms": source.terms, "where": sources.where(name)}
        for name, source in sources.known().items()
    ]
    if as_json:
        print_json([{**row, "where": row["where"] and str(row["where"])} for row in rows])
        return
    table = table_of("data set", "what it is", "terms", "where")
    for row in rows:
        table.add_row(*(str(row[c]) for c in ("name", "what", "terms")), str(row["where"] or "-"))
    print_out(table)
    print_out("Get one: carousel data fetch NAME. MNIST needs no download.")


@app.command("fetch")
@verb
def data_fetch(name: NameArgument, as_json: JsonOption = False) -> None:
    """Download a data set unless it is here, and check it.

    Example: carousel data fetch penn-treebank
    """
    from carousel.data import sources

    _tell(name, sources.fetch(name), as_json)


@app.command("path")
@verb
def data_path(name: NameArgument, as_json: JsonOption = False) -> None:
    """The folder that holds a data set.

    Example: carousel data path tiny-shakespeare
    """
    from carousel.data import sources

    sources.find(name)
    folder = sources.where(name)
    if folder is None:
        raise DataError(f"{name} is not here: carousel data fetch {name}")
    _tell(name, folder, as_json)


@app.command("import")
@verb
def data_import(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILES... NAME", help="Tables, and the folder they become."),
    ],
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="COL", help="Leave a column out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Import tables once, to train on more than memory holds: CSV, Parquet, NDJSON, Arrow, Excel.

    Rows that are appended later, and new files, are added by the same command.

    Example: carousel data import pumps-2025.csv pumps-2026.csv pumps

    Example: carousel data import days/*.parquet days.imported --ignore comment
    """
    from carousel.cli.bars import bar_of
    from carousel.data.store.importing import import_files, in_words

    if len(files) < 2:
        raise ConfigError("data import needs files, and behind them the folder that they become")
    *sources, folder = files
    with bar_of("import", "rows") as progress:
        done = import_files(sources, folder, ignore or (), progress)
    if as_json:
        print_json(
            {
                "where": str(done.store.path),
                "rows": done.store.rows,
                "added": done.added,
                "bytes": done.store.bytes,
                "columns": [
                    {"name": column.name, "kind": column.kind, "missing": column.missing}
                    for column in done.store.columns
                ],
                "notes": [*done.said, *done.store.notes],
            }
        )
        return
    for line in (*done.said, *done.store.notes, in_words(done)):
        print_out(line)


def _tell(name: str, folder: Path, as_json: bool) -> None:
    if as_json:
        print_json({"name": name, "where": str(folder)})
    else:
        print(folder)
