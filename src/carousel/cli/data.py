"""`carousel data`: list, fetch, path."""

from __future__ import annotations

from typing import Annotated

import typer

from carousel.cli.output import JsonOption, print_json, print_out, table_of
from carousel.errors import DataError

app = typer.Typer(help="Published data sets: what there is, where it lies, get it.")

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Of a set in carousel data list.")
]


@app.command("list")
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
        print_json([{**row, "where": str(row["where"] or "")} for row in rows])
        return
    table = table_of("data set", "what it is", "terms", "where")
    for row in rows:
        table.add_row(*(str(row[c]) for c in ("name", "what", "terms")), str(row["where"] or "-"))
    print_out(table)
    print_out("Get one: carousel data fetch NAME. MNIST needs no download.")


@app.command("fetch")
def data_fetch(name: NameArgument) -> None:
    """Download a data set unless it is here, and check it.

    Example: carousel data fetch penn-treebank
    """
    from carousel.data import sources

    print(sources.fetch(name))


@app.command("path")
def data_path(name: NameArgument) -> None:
    """The folder that holds a data set.

    Example: carousel data path tiny-shakespeare
    """
    from carousel.data import sources

    sources.find(name)
    folder = sources.where(name)
    if folder is None:
        raise DataError(f"{name} is not here: carousel data fetch {name}")
    print(folder)
