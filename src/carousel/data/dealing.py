"""Parts of a table: its sequences or texts dealt out by `split.by`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config, closest
from carousel.config.columns import names_in
from carousel.data.sequences import Rows, constant_in
from carousel.data.shares import Fewest, Share, drawn, ends_in_time, of_rest, shares
from carousel.data.splits import split
from carousel.data.table import Table
from carousel.errors import ConfigError, DataError

PARTS = ("train", "validation", "test")
_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}
Dealt = dict[str, list[int]]
"""The numbers of the sequences, or texts, in each part."""


def deal(
    rows: Sequence[Rows], config: Config, table: Table, classes: Sequence[str] | None, starts: bool
) -> Dealt:
    """The numbers of the sequences in each part, by `split.by`."""
    section = config.pictures if config.task == "classify" else config.frames
    seed, by, held = config.data.split_seed, config.split.by, shares(config, section)
    count, least = len(rows), Fewest.of(config)
    if by == "column":
        words = constant_in(rows, table[split_column(config)].texts(), config.split.column, "")
        return _by_words(words, table.source, config)
    if count < least.count:
        raise DataError(
            f"{table.source} has {count} sequences, and {least} are the least, to train on, to "
            f"validate and to judge: name columns.id, or set split.by = 'time', which judges by "
            f"the end of each"
        )
    if by == "time":
        if not starts:
            raise ConfigError("split.by = 'time' needs columns.time")
        return _in_time(np.argsort([one.start for one in rows], kind="stable").tolist(), held)
    if by == "group":
        groups = constant_in(
            rows, table[split_column(config)].texts(), config.split.column, table.source
        )
        return by_group(groups, config, held, table.source)
    names = [one.name for one in rows]
    if classes is not None and drawn(held):
        _refuse_rare(classes, least)
    return _drawn(count, names, config, held, seed, table.source, classes=classes)


def _refuse_rare(classes: Sequence[str], least: Fewest) -> None:
    for label, n in Counter(classes).items():
        if n < least.count:
            raise DataError(
                f"the class '{label}' has {n} sequences, and {least} are the least, one for each "
                f"part: add some, leave those rows out, or set split.by = 'time' or 'column'"
            )


def by_group(groups: Sequence[str], config: Config, held: dict[str, Share], source: str) -> Dealt:
    """Parts of whole groups. Raises `DataError`."""
    least, found = Fewest.of(config), len(set(groups))
    if found < least.count:
        raise DataError(
            f"{source}: split.column = '{config.split.column}' has {found} "
            f"values, and {least} groups are the least"
        )
    seed = config.data.split_seed
    return _drawn(len(groups), groups, config, held, seed, source, groups=groups)


def _drawn(
    count: int,
    names: Sequence[str],
    config: Config,
    held: dict[str, Share],
    seed: int,
    source: str,
    classes: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
) -> Dealt:
    """Units with the names in `split.test` and `split.validation`, and others drawn by shares."""
    named = _named(names, config, source)
    taken = {i for some in named.values() for i in some}
    left = [i for i in range(count) if i not in taken]
    rest: dict[str, Share] = {part: share for part, share in held.items() if part not in named}
    units = len({names[i] for i in left})
    if units <= drawn(rest):
        raise DataError(
            f"{source}: split.test and split.validation leave {units} of {len(set(names))} to "
            f"train on{' and to hold out' if drawn(rest) else ''}: name fewer"
        )
    some: dict[str, Any] = {}
    if groups is not None:
        some["groups"] = [groups[i] for i in left]
    elif classes is not None:
        some["classes"] = [classes[i] for i in left]
    index = split(len(left), rest, seed, **some)
    dealt = {part: [left[i] for i in numbers.tolist()] for part, numbers in index.items()}
    return {part: named.get(part) or dealt.get(part, []) for part in PARTS}


def _named(names: Sequence[str], config: Config, source: str) -> Dealt:
    """The units that are named for a part. Raises `DataError` for a name that none has, and
    `ConfigError` for one of two parts, and for a part that has a file."""
    found: Dealt = {}
    wanted: dict[str, tuple[str, ...]] = {}
    for part in ("test", "validation"):
        wanted[part] = names_in(getattr(config.split, part))
        if wanted[part] and part in config.data.files:
            raise ConfigError(
                f"split.{part} names what is to stand in the {part} part, and data.{part} names a "
                f"file for it: leave one of them out"
            )
    if both := set(wanted["test"]) & set(wanted["validation"]):
        raise ConfigError(
            f"'{sorted(both)[0]}' is named by split.test and by split.validation: nothing can "
            f"stand in two parts"
        )
    known = set(names)
    for part, some in wanted.items():
        for name in some:
            if name not in known:
                have = ", ".join(sorted(known)[:10]) + (", …" if len(known) > 10 else "")
                raise DataError(
                    f"{source}: split.{part} names '{name}', and there is none."
                    f"{closest(name, known)} There are: {have}"
                )
        if some:
            found[part] = [i for i, name in enumerate(names) if name in some]
    return found


def _in_time(order: list[int], held: dict[str, Share]) -> Dealt:
    train, validation, test = ends_in_time(len(order), held)
    return {
        "train": order[:train],
        "validation": order[train:validation],
        "test": order[validation:test],
    }


def tails(rows: Sequence[Rows], config: Config) -> dict[str, list[Rows]]:
    """Each sequence cut in time: its beginning trains, its end judges."""
    found: dict[str, list[Rows]] = {name: [] for name in PARTS}
    for one in rows:
        count = len(one.rows)
        train, validation, test = ends_in_time(count, shares(config, config.frames))
        if train < 1:
            raise DataError(f"'{one.name}' has {count} steps: too few to be cut in three in time")
        pieces = np.split(one.rows[:test], [train, validation])
        for part, piece in zip(PARTS, pieces, strict=True):
            if (piece >= 0).any():
                first = int(np.flatnonzero(piece >= 0)[0])
                found[part].append(Rows(f"{one.name} ({part})", piece[first:]))
    return found


def text_parts(
    config: Config,
    table: Table,
    known: Sequence[int] | NDArray[np.int64],
    rows: Sequence[Sequence[int]] | NDArray[np.int64],
) -> Dealt:
    """Texts of each part: `text.test` is drawn first, then `text.validation` of all."""
    held, seed, by = shares(config, config.text), config.data.split_seed, config.split.by
    count, least = len(known), Fewest.of(config)
    if count < least.count:
        raise DataError(f"{table.source} must have at least {least} texts; it has {count}")
    if by == "time":
        return _in_time(list(range(count)), held)
    if by in ("column", "group"):
        cells = table[split_column(config)].texts()
        words = [cells[some[0]] for some in rows]
        if by == "column":
            return _by_words(words, table.source, config)
        return by_group(words, config, held, table.source)
    if config.split.test or config.split.validation:
        raise ConfigError(
            "split.test and split.validation name groups of texts: set split.by = 'group' and "
            "split.column"
        )
    settings = "text.validation and text.test"
    first = split(count, {"test": held["test"]}, seed, settings=settings)
    rest = first["train"]
    second = split(len(rest), {"validation": of_rest(held)}, seed, settings=settings)
    return {
        "train": rest[second["train"]].tolist(),
        "validation": rest[second["validation"]].tolist(),
        "test": first["test"].tolist(),
    }


def split_column(config: Config) -> str:
    if not config.split.column:
        raise ConfigError(f"split.by = '{config.split.by}' needs split.column, a column's name")
    return config.split.column


def _by_words(words: Sequence[str], source: str, config: Config) -> Dealt:
    column, files = config.split.column, config.data.files
    found: Dealt = {name: [] for name in PARTS}
    for number, word in enumerate(words):
        part = _WORDS.get(word.strip().lower())
        if part is None:
            raise DataError(
                f"{source}: split.column = '{column}' must say train, validation or test in every "
                f"row; got '{word}'"
            )
        if part in files:
            raise DataError(
                f"{source}: split.column = '{column}' says {part} of some rows, and data.{part} = "
                f"'{files[part]}' is that part: leave one of them out"
            )
        found[part].append(number)
    empty = [name for name, some in found.items() if not some and name not in files]
    if empty:
        raise DataError(f"{source}: split.column = '{column}' leaves the {empty[0]} part empty")
    return found
