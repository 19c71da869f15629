"""Files of answers, by their suffix: written under another name, in place only when whole."""

from __future__ import annotations

import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars

from carousel.bulk.tables import ERROR, Tables
from carousel.errors import ConfigError, DataError
from carousel.run.durable import sync_folder
from carousel.tasks.shared.answers import Answer

Keys = Sequence[dict[str, Any]]
Answers = Sequence[Answer | None]


class Sink(ABC):
    """A file that answers are added to, batch by batch. rows: how many it has so far."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, 0

    @abstractmethod
    def add(self, keys: Keys, answers: Answers, problems: dict[int, str]) -> None:
        """Answers to inputs; None where there is a problem."""

    def finish(self) -> None:  # noqa: B027  # most have nothing left to do
        """Everything has been added."""


class _TableSink(Sink):
    """Rows of a table. The first answer tells the columns: problems before it wait for it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._tables: Tables | None = None
        self._waiting: list[tuple[dict[str, Any], str]] = []

    def add(self, keys: Keys, answers: Answers, problems: dict[int, str]) -> None:
        if self._tables is None:
            first = next(((k, a) for k, a in zip(keys, answers, strict=True) if a), None)
            if first is None:
                self._waiting += [(keys[number], said) for number, said in problems.items()]
                return
            self._tables = Tables(*first)
            if self._waiting:
                before = dict(enumerate(said for _, said in self._waiting))
                self.add([key for key, _ in self._waiting], [None] * len(before), before)
        table = self._tables.table(keys, answers, problems)
        self._write(table)
        self.rows += len(table)

    @abstractmethod
    def _write(self, table: polars.DataFrame) -> None: ...


class _Csv(_TableSink):
    def _write(self, table: polars.DataFrame) -> None:
        with self.path.open("ab") as file:
            table.write_csv(file, include_header=not self.rows)


class _Parquet(_TableSink):
    """Batches are files of their own, which become one at the end, without all in memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._parts = path.with_name(f"{path.name}.parts")
        self._count = 0

    def _write(self, table: polars.DataFrame) -> None:
        self._parts.mkdir(exist_ok=True)
        table.write_parquet(self._parts / f"{self._count:09d}.parquet")
        self._count += 1

    def finish(self) -> None:
        parts = [self._parts / f"{number:09d}.parquet" for number in range(self._count)]
        if len(parts) == 1:
            parts[0].replace(self.path)
        else:
            polars.scan_parquet(parts).sink_parquet(self.path)
        shutil.rmtree(self._parts)


class _Lines(Sink):
    """JSON, a line for each input: what `--json` prints of it, and what it is known by."""

    def add(self, keys: Keys, answers: Answers, problems: dict[int, str]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            for number, (key, answer) in enumerate(zip(keys, answers, strict=True)):
                found = {ERROR: problems[number]} if answer is None else answer.to_json()
                found = found if isinstance(found, dict) else {"forecast": found}
                file.write(json.dumps({**key, **found}, ensure_ascii=False) + "\n")
                self.rows += 1


_SINKS: dict[str, type[Sink]] = {".csv": _Csv, ".parquet": _Parquet, ".ndjson": _Lines}
SUFFIXES = tuple(_SINKS)


def check(path: Path, source: Path) -> None:
    """Raise `ConfigError` or `DataError` unless answers to a source can be written to `path`."""
    if path.suffix.lower() not in _SINKS:
        raise ConfigError(
            f"out must end with {', '.join(_SINKS)}, which says how the answers are written; "
            f"got {path}",
            "out",
        )
    if path.is_dir():
        raise DataError(f"{path} is a folder: name a file for the answers")
    if path.exists() and source.exists() and path.samefile(source):
        raise DataError(f"{path} is the input, which the answers would replace: name another file")
    if not path.parent.is_dir():
        raise DataError(f"there is no folder {path.parent} to write {path.name} into: make it")


@contextmanager
def writing(path: Path) -> Iterator[Sink]:
    """A sink whose file stands in place of `path` after the block, whole; nothing is left of it
    where the block is left by an exception."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.writing")
    aside.unlink(missing_ok=True)
    sink = _SINKS[path.suffix.lower()](aside)
    try:
        yield sink
        sink.finish()
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(path)
        sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)
        shutil.rmtree(aside.with_name(f"{aside.name}.parts"), ignore_errors=True)
