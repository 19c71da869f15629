"""Columns of a table for the terminal: many that are alike are one row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carousel.data.guesses import Role
    from carousel.data.table import Column

_FEWEST = 6
_MANY = 100
Row = tuple[str, str, str, str, str]


def rows_of(columns: Sequence[Column], roles: Mapping[str, Role]) -> Iterator[Row]:
    """Name, type, role, why and what changes it, of each column. Neighbours of one type and role
    whose names differ in a number, or in a table of more than 100 columns any, are one row."""
    names = len(columns) > _MANY
    start = 0
    while start < len(columns):
        end = start + 1
        key = _key(columns[start], roles, names)
        while end < len(columns) and _key(columns[end], roles, names) == key:
            end += 1
        some = columns[start:end]
        if len(some) >= _FEWEST:
            yield _together(some, roles)
        else:
            yield from (_alone(column, roles[column.name]) for column in some)
        start = end


def _key(column: Column, roles: Mapping[str, Role], any_name: bool) -> tuple[str, ...]:
    role = roles[column.name]
    name = "" if any_name else re.sub(r"\d+$", "", column.name)
    return (name, column.kind, role.role, role.change, column.note, "odd" if column.odd else "")


def _together(some: Sequence[Column], roles: Mapping[str, Role]) -> Row:
    first, last, role = some[0], some[-1], roles[some[0].name]
    why = f"{len(some):,} columns: {role.why}, …"
    if role.role == "step":
        why = f"{len(some):,} columns: {role.why} to {roles[last.name].why}"
    odd = sum(column.odd for column in some)
    notes = [why, first.note, f"{odd:,} cells do not fit: missing" if odd else ""]
    name = f"{first.name} … {last.name}"
    return name, first.kind, role.role, "; ".join(filter(None, notes)), _change(role)


def _alone(column: Column, role: Role) -> Row:
    notes = [role.why, column.note]
    if column.odd:
        notes.append(f"{column.odd:,} cells do not fit ('{column.example}'): missing")
    why = "; ".join(dict.fromkeys(filter(None, notes)))
    return column.name, column.kind, role.role, why, _change(role)


def _change(role: Role) -> str:
    return f"--{role.change}" if role.change in ("id", "time", "target") else role.change
