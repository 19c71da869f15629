"""`carousel recipes`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from carousel.cli.completion import recipe_names
from carousel.cli.output import JsonOption, print_json, print_out, table_of


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE|FILE",
            help="Print this one as it is written, in TOML.",
            autocompletion=recipe_names,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the recipes: what each does, on what data, with what result, in what time.

    Example: carousel recipes mnist-rows > mine.toml
    """
    from carousel import recipes as library
    from carousel.recipes import suited

    if name is not None:
        path = library.path_of(name)
        config, _ = library.load(name)  # so that a file that cannot be trained is refused
        if as_json:
            print_json(config.to_dict())
        else:
            print_out(path.read_text(encoding="utf-8-sig").rstrip("\n"))
        return
    rows = []
    for name in library.names():
        config, _ = library.load(name)
        rows.append({**asdict(config.recipe), "data": config.data.name})
    if as_json:
        print_json(rows)
        return
    table = table_of("recipe", "mapping", "expected", "minutes")
    for row in rows:
        columns = ("name", "mapping", "expected", "minutes")
        table.add_row(*(str(row[column]) for column in columns))
    print_out(table)
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        print_out(f" {row['name']:<{width}}   {row['summary']}")
    print_out("\nFor data of your own, which --set data.path=FILE names:")
    width = max(map(len, library.own_names()))
    for name in library.own_names():
        print_out(f" {name:<{width}}   {suited.READS[name]}")
    print_out(
        "\nMinutes are of training on two CPU cores. A recipe with a target in place of a"
        "\nscore has not been run to its end, and its minutes are an estimate."
        "\nTrain one: carousel train mnist-rows"
    )
