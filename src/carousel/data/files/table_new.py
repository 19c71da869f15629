"""Long tables that a model has not seen: read by the names and kinds of the columns of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from carousel.config import Config
from carousel.config.columns import listed, names_in
from carousel.data.features import Features
from carousel.data.files.recordings import listed as listed_columns
from carousel.data.files.table_steps import Read, sources_of
from carousel.data.table import Table
from carousel.data.wide import in_rows
from carousel.errors import DataError


def new_table(table: Table, config: Config, wanted: Sequence[str]) -> tuple[Read, tuple[str, ...]]:
    """The sequences of a table that a model has not seen, with the features `wanted` of training,
    read by the names of columns; and what there is to say. Raises `DataError` if one is missing.
    """
    if config.columns.wide:
        table, config = in_rows(table, config)
    columns, said = config.columns, list[str]()
    refuse_missing(table, sources_of(wanted, columns))
    roles: dict[str, Any] = {"target": "", "ignore": "", "static": "", "file": ""}
    for role, meaning in (("id", "its rows are one sequence"), ("time", "its rows are in order")):
        names = names_in(getattr(columns, role))
        if names and not all(name in table for name in names):
            roles[role] = ""
            said.append(f"{table.source} has no {listed_columns(list(names))}: {meaning}")
    present = [name for name in names_in(columns.category) if name in table]
    roles["category"] = listed(present)
    bare = replace(
        config, columns=replace(columns, **roles), split=replace(config.split, column="")
    )
    read = Read.of(table, bare, wanted)
    known = {*sources_of(wanted, columns), *names_in(config.split.column)}
    for role in ("id", "time", "target", "ignore", "text"):
        known.update(names_in(getattr(columns, role)))
    new = [name for name in table.names if name not in known]
    if new:
        said.append(f"not read: the {listed_columns(new)}, which training did not have")
    said += unseen_words(read.features)
    return read, (*read.notes, *said)


def refuse_missing(table: Table, wanted: set[str]) -> None:
    """Raise `DataError` if a table lacks a column that training had."""
    missing = sorted(name for name in wanted if name not in table)
    if missing:
        raise DataError(
            f"{table.source} has no {listed_columns(missing)}, which the model was trained on; it "
            f"has: {', '.join(table.names[:12])}"
        )


UNSEEN = "have a value that training did not have"


def unseen_words(features: Features) -> list[str]:
    """Values of categories that training did not have, in words."""
    return [
        f"{count:,} cells of '{name}' {UNSEEN}: read as none of them"
        for name, count in features.unseen.items()
    ]
