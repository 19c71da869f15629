"""Reasons of a recipe that is proposed for a table, and the table in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from carousel.config.columns import FEW_LEVELS, LABELLED, ColumnsConfig, embedding_size, names_in
from carousel.data.counting import span_of, unit_of
from carousel.data.guesses import Guess
from carousel.data.sequences import ids_of
from carousel.data.sizes import Size, rules
from carousel.data.table import Table

_CAP_RULE = (
    "it counts down to the end of each sequence: more than the shortest begins with counts as that "
    "in training; 0: no cap"
)


def comments_of(table: Table, found: Guess, columns: dict[str, Any], size: Size) -> dict[str, str]:
    """Why each setting is what it is, by its name. columns: their roles."""
    comments = {f"columns.{name}": why for name, why in _reasons(found).items()}
    comments |= dict(rules(found.task, size)) | {"regress.cap": _CAP_RULE}
    if found.task in LABELLED and [table[n].kind for n in found.named("target")] == ["whole"]:
        comments["columns.target"] += "; ordinal = true if they rank, as stars do"
    comments["columns.category"] = _levels_in_words(found, columns)
    comments["columns.separator"] = "several labels in a cell: any of them may hold"
    comments["columns.static"] = "read at every step, like the columns that change"
    if found.task == "forecast_many":
        comments["columns.static"] = "one value for each series"
    comments["columns.known"] = "known for the steps to come: stands where the target ends"
    comments["columns.gap"] = "or cut, or error: where steps are missing"
    if found.task == "forecast":  # it reads one series, and cut would make several
        comments["columns.gap"] = "or error: where steps are missing"
    if found.task == "forecast_many" and found.named("known"):
        comments["forecast.context"] = (
            "about four seasons, at least 24 steps, of hours a week; shorter series are padded"
        )
        comments["forecast.horizon"] = "as many as the usual series has rows to come"
    return comments


def _levels_in_words(found: Guess, columns: dict[str, Any]) -> str:
    """Categories with their levels, and what becomes of them."""
    said = []
    for name in names_in(columns.get("category", "")):
        count = found.profiles[name].distinct
        size = embedding_size(count)
        how = "a column each" if count <= FEW_LEVELS else f"{size} numbers each, learnt"
        said.append(f"{name}: {count:,} values, {how}")
    return "; ".join(said) + f" (more than {FEW_LEVELS} values: min(50, 1.6 n^0.56) numbers)"


def _reasons(found: Guess) -> dict[str, str]:
    """Why each role was given; of several columns what they share once, at the end."""
    said: dict[str, list[str]] = {}
    for r in found.roles.values():
        if r.role in ("id", "time", "target", "text", "file"):
            said.setdefault(r.role, []).append(r.why.replace("\n", " "))
    return {role: _joined(whys) for role, whys in said.items()}


def _joined(whys: list[str]) -> str:
    """Reasons in a line.

    >>> _joined(["24 values; no time stands twice", "2 values; no time stands twice"])
    '24 values; 2 values; no time stands twice'
    >>> _joined(["as asked", "as asked"])
    'as asked'
    """
    own, _, shared = whys[0].rpartition("; ")
    if len(set(whys)) == 1 or not own or not all(why.endswith(f"; {shared}") for why in whys):
        return "; ".join(dict.fromkeys(whys))
    return "; ".join([*(why.removesuffix(f"; {shared}") for why in whys), shared])


def in_words(table: Table, found: Guess, columns: ColumnsConfig, step: str) -> str:
    """The table in a line: rows, sequences, their lengths and the step."""
    words = f"{len(table):,} {unit_of(len(table), 'rows')}"
    if found.wide:
        names = ", ".join(f"'{block.name}'" for block in found.wide[:5])
        return f"{words}, each a sequence of {len(found.wide[0].columns):,} steps of {names}"
    if found.named("id") and found.sequences > 1:
        counts = np.bincount(ids_of(table, found.named("id"))[0])
        words += f", {found.sequences:,} sequences of {span_of(counts.tolist(), 'steps')}"
    return words + (f", a step of {step}" if step else "")
