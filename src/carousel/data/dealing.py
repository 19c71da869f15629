"""Parts of a table: its sequences or texts dealt out by `split.by`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from carousel.config import Config
from carousel.data.sequences import Rows, constant_in
from carousel.data.splits import split
from carousel.data.table import Table
from carousel.errors import ConfigError, DataError

PARTS = ("train", "validation", "test")
_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}
_FEWEST = 3


def deal(
    rows: Sequence[Rows], config: Config, table: Table, classes: Sequence[str] | None, starts: bool
) -> dict[str, list[int]]:
    """The numbers of the sequences in each part, by `split.by`."""
    shares = config.pictures if config.task == "classify" else config.frames
    seed, by = config.data.split_seed, config.split.by
    held = {"test": shares.test, "validation": shares.validation}
    count = len(rows)
    if by == "column":
        words = constant_in(rows, table[split_column(config)].texts(), config.split.column, "")
        return _by_words(words, table.source, config.split.column)
    if count < _FEWEST:
        raise DataError(
            f"{table.source} has {count} sequences, and three are the least, to train on, to "
            f"validate and to judge: name columns.id, or set split.by = 'time', which judges by "
            f"the end of each"
        )
    if by == "time":
        if not starts:
            raise ConfigError("split.by = 'time' needs columns.time")
        order = np.argsort([one.start for one in rows], kind="stable").tolist()
        tests, validations = (max(1, round(share * count)) for share in held.values())
        cut = count - tests
        return {
            "train": order[: cut - validations],
            "validation": order[cut - validations : cut],
            "test": order[cut:],
        }
    if by == "group":
        groups = constant_in(
            rows, table[split_column(config)].texts(), config.split.column, table.source
        )
        if len(set(groups)) < _FEWEST:
            raise DataError(
                f"{table.source}: split.column = '{config.split.column}' has {len(set(groups))} "
                f"values, and three groups are the least"
            )
        index = split(count, held, seed, groups=groups)
    elif classes is not None:
        for label, n in Counter(classes).items():
            if n < _FEWEST:
                raise DataError(
                    f"the class '{label}' has {n} sequences, and three are the least, one for each "
                    f"part: add some, leave those rows out, or set split.by = 'time' or 'column'"
                )
        index = split(count, held, seed, classes=classes)
    else:
        index = split(count, held, seed)
    return {name: some.tolist() for name, some in index.items()}


def tails(rows: Sequence[Rows], config: Config) -> dict[str, list[Rows]]:
    """Each sequence cut in time: its beginning trains, its end judges."""
    found: dict[str, list[Rows]] = {name: [] for name in PARTS}
    for one in rows:
        count = len(one.rows)
        test, held = (
            max(1, round(s * count)) for s in (config.frames.test, config.frames.validation)
        )
        cuts = [count - test - held, count - test]
        if cuts[0] < 1:
            raise DataError(f"'{one.name}' has {count} steps: too few to be cut in three in time")
        for part, piece in zip(PARTS, np.split(one.rows, cuts), strict=True):
            if (piece >= 0).any():
                first = int(np.flatnonzero(piece >= 0)[0])
                found[part].append(Rows(f"{one.name} ({part})", piece[first:]))
    return found


def text_parts(
    config: Config, table: Table, known: Sequence[int], rows: Sequence[Sequence[int]]
) -> dict[str, list[int]]:
    """Texts of each part: `text.test` is drawn first, then `text.validation` of all."""
    text, seed, by = config.text, config.data.split_seed, config.split.by
    count = len(known)
    if count < _FEWEST:
        raise DataError(f"{table.source} must have at least three texts; it has {count}")
    if by == "time":
        tests, held = (max(1, round(share * count)) for share in (text.test, text.validation))
        order = list(range(count))
        return {
            "train": order[: count - tests - held],
            "validation": order[count - tests - held : count - tests],
            "test": order[count - tests :],
        }
    if by in ("column", "group"):
        cells = table[split_column(config)].texts()
        words = [cells[some[0]] for some in rows]
        if by == "column":
            return _by_words(words, table.source, config.split.column)
        shares = {"test": text.test, "validation": text.validation}
        index = split(count, shares, seed, groups=words)
        return {name: some.tolist() for name, some in index.items()}
    settings = "text.validation and text.test"
    first = split(count, {"test": text.test}, seed, settings=settings)
    rest = first["train"]
    share = text.validation / (1 - text.test)
    second = split(len(rest), {"validation": share}, seed, settings=settings)
    return {
        "train": rest[second["train"]].tolist(),
        "validation": rest[second["validation"]].tolist(),
        "test": first["test"].tolist(),
    }


def split_column(config: Config) -> str:
    if not config.split.column:
        raise ConfigError(f"split.by = '{config.split.by}' needs split.column, a column's name")
    return config.split.column


def _by_words(words: Sequence[str], source: str, column: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {name: [] for name in PARTS}
    for number, word in enumerate(words):
        part = _WORDS.get(word.strip().lower())
        if part is None:
            raise DataError(
                f"{source}: split.column = '{column}' must say train, validation or test in every "
                f"row; got '{word}'"
            )
        found[part].append(number)
    empty = [name for name, some in found.items() if not some]
    if empty:
        raise DataError(f"{source}: split.column = '{column}' leaves the {empty[0]} part empty")
    return found
