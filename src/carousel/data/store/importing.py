"""Imports of tables: files are read once, in blocks, and their columns written to a folder.

A new table is written aside and renamed when it is whole. What is appended is written behind the
end of the columns, and counts when `store.json` says so. A process that is killed leaves either the
table as it was or no table.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from carousel.data.counting import counted
from carousel.data.files.file_kind import require_file
from carousel.data.store.blocks import Block, Known, grows, tables, together
from carousel.data.store.folder import (
    FILE,
    LONG,
    Segment,
    Store,
    StoredColumn,
    StoredFile,
    is_store,
)
from carousel.data.store.growing import Growing, OtherKindError
from carousel.data.table import Column, is_table
from carousel.errors import DataError
from carousel.run.durable import sync_folder
from carousel.terminal import notice

_AT_ONCE = 1 << 22
_LOCK_SECONDS = 0.5

Progress = Callable[[float, int], None]


@dataclass(frozen=True)
class Imported:
    """Result of an import: the table, the rows that it added, and what became of the files."""

    store: Store
    added: int
    said: tuple[str, ...]


def import_files(
    files: Sequence[str | Path],
    path: str | Path,
    ignore: Sequence[str] = (),
    progress: Progress = lambda done, rows: None,
    wait: float = _LOCK_SECONDS,
) -> Imported:
    """Import tables into a folder, one behind the other: CSV, Parquet, NDJSON, Arrow, Excel.

    Rows that were appended to a file, and files that are new, are added to a table that is there;
    where a file was changed in another way, all is read again. ignore: columns that are left out.
    progress: is told the share that is done, and the number of rows. wait: seconds for another
    process that imports into the folder; as long as it takes, if below 0. Memory is bounded by a
    block of 8 MB of text, or 250,000 rows. Raises `DataError`.
    """
    # x.csv and ../here/x.csv are one file; a link keeps its own name, for it may lead elsewhere.
    path, sources = Path(path), [Path(os.path.abspath(file)) for file in files]  # noqa: PTH100
    for file in sources:
        require_file(file)
        if not is_table(file):
            raise DataError(f"{file} has no suffix of a table, such as .csv or .parquet")
    if path.exists() and not is_store(path) and (not path.is_dir() or any(path.iterdir())):
        raise DataError(f"{path} is there, and is no imported table: name another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path, wait):
        for left in path.parent.iterdir():
            if re.fullmatch(rf"\.{re.escape(path.name)}\.\d+(\.old)?\.importing", left.name):
                shutil.rmtree(left)
        old, said = None, []
        if is_store(path):
            old = Store.open(path)
            ignore = ignore or old.ignored
            why = _changed(old, sources, ignore)
            if why:
                said.append(f"all files are read again: {why}")
                sources, old = _all(old, sources), None
        return _import(sources, path, old, tuple(ignore), said, progress)


@contextmanager
def _locked(path: Path, wait: float) -> Iterator[None]:
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=wait)
    except filelock.Timeout:
        raise DataError(f"another process imports into {path}: wait until it has ended") from None
    try:
        yield
    finally:
        lock.release()


def _changed(old: Store, sources: Sequence[Path], ignore: Sequence[str]) -> str:
    """Why a table cannot be added to, in words; "" if it can."""
    if tuple(ignore) != old.ignored:
        return "other columns are left out"
    known = {file.path: file for file in old.files}
    for file in sources:
        before = known.get(str(file))
        if before is None:
            continue
        size = file.stat().st_size
        if size < before.size or _digest(file, before.size) != before.digest:
            return f"{file} was changed, not appended to"
        if size > before.size and not grows(file):
            return f"{file} has grown, and files of its kind cannot be read from their middle"
        if size > before.size and not before.ends and _byte(file, before.size) != b"\n":
            return f"the last row of {file} was changed"
    return ""


def _all(old: Store, sources: Sequence[Path]) -> list[Path]:
    """The files of a table that is read again, and those that come to it. Raises `DataError`."""
    found = list(dict.fromkeys([*(Path(file.path) for file in old.files), *sources]))
    for file in found:
        if not file.is_file():
            raise DataError(
                f"{file} is gone, and all files of {old.path} would have to be read again: put it "
                f"back, or import what there is into another folder"
            )
    return found


def _digest(file: Path, size: int) -> str:
    state = hashlib.blake2b(digest_size=16)
    with file.open("rb") as content:
        while size and (some := content.read(min(size, _AT_ONCE))):
            state.update(some)
            size -= len(some)
    return state.hexdigest()


def _byte(file: Path, place: int) -> bytes:
    with file.open("rb") as content:
        content.seek(place)
        return content.read(1)


def _import(
    sources: Sequence[Path],
    path: Path,
    old: Store | None,
    ignore: tuple[str, ...],
    said: list[str],
    progress: Progress,
) -> Imported:
    """Import, from the beginning again where a column turns out to be of another kind."""
    forced: set[str] = set(old.forced) if old else set()
    long = {column.name for column in old.columns if column.kind == LONG} if old else set()
    orders: dict[str, str] = {}
    commas = old.commas if old else False
    while True:
        folder = path if old else path.with_name(f".{path.name}.{os.getpid()}.importing")
        one = _Import(folder, old, Told(forced, long, orders, commas), ignore, progress)
        try:
            store, added, more = one.run(sources)
            break
        except OtherKindError as error:
            if error.order:
                orders[error.column] = error.order
                long = long - {error.column}
                how = f"'{error.column}' is read so throughout"
            elif error.long:
                long = long | {error.column}
                how = f"'{error.column}' is kept as long texts"
            elif error.column:
                forced = forced | {error.column}
                how = f"'{error.column}' is kept as texts"
            else:
                commas, how = True, "commas are decimal"
            said.append(f"{error}: all is read again, and {how}")
            notice(said[-1])
            if old:
                sources, old = _all(old, sources), None
        except OSError as error:
            raise DataError(_unwritten(folder, old, error)) from None
        finally:
            one.close()
    if old is None:
        store = _put(store, path)
    _sweep(store)
    return Imported(store, added, (*said, *more))


def _unwritten(folder: Path, old: Store | None, error: OSError) -> str:
    """Sentence on an import that could not be written, or whose files could not be read."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{folder} cannot be written: {error}"
    left = "the table is as it was" if old else "nothing was imported"
    why = os.strerror(error.errno)
    return f"{folder} cannot be written ({why}), and {left}: make room, then import again"


def _put(store: Store, path: Path) -> Store:
    """Rename a whole table into its place."""
    gone = path.with_name(f".{path.name}.{os.getpid()}.old.importing")
    if path.exists():
        path.rename(gone)
    store.path.rename(path)
    sync_folder(path.parent)
    shutil.rmtree(gone, ignore_errors=True)
    return replace(store, path=path)


def _sweep(store: Store) -> None:
    """Remove lists of levels that no longer count."""
    known = {FILE, *(c.file for c in store.columns), *(c.levels for c in store.columns)}
    for file in store.path.glob("*.json"):
        if file.name not in known:
            file.unlink()


@dataclass(frozen=True)
class Told:
    """Facts that later rows tell of all: columns that are texts (forced) or long ones (long), what
    dates begin with, by column (orders), and whether commas are decimal."""

    forced: set[str]
    long: set[str]
    orders: dict[str, str]
    commas: bool


class _Import:
    """One reading of files into a folder."""

    def __init__(
        self,
        folder: Path,
        old: Store | None,
        told: Told,
        ignore: tuple[str, ...],
        progress: Progress,
    ) -> None:
        self._folder, self._old, self._told = folder, old, told
        self._ignore, self._progress = ignore, progress
        self._columns: dict[str, Growing] = {}
        self._rows = old.rows if old else 0
        self._notes: list[str] = [*old.notes] if old else []
        if old is None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        else:
            for column in old.columns:
                self._columns[column.name] = Growing(folder, column, old.rows, old)

    def close(self) -> None:
        """Close what is open; an import aside that did not become a table is removed."""
        for column in self._columns.values():
            column.close()
        if self._old is None and not is_store(self._folder):
            shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, sources: Sequence[Path]) -> tuple[Store, int, list[str]]:
        """Read the files. Returns the table, the rows added, and what is to be said."""
        known = {file.path: file for file in self._old.files} if self._old else {}
        said = []
        whole = sum(file.stat().st_size for file in sources) or 1
        before = 0
        for file in sources:
            old, size = known.get(str(file)), file.stat().st_size
            if old is not None and old.size == size:
                said.append(f"{file} is imported already")
            else:
                start, rows = (0, 0) if old is None else (old.size, old.rows)
                first = self._rows
                self._read(file, start, (before / whole, size / whole))
                if file.stat().st_size != size:  # rows behind that would be read once more
                    raise DataError(
                        f"{file} was written to while it was read: import it when that is over, "
                        f"or a copy of it"
                    )
                if self._rows == first and old is None:
                    raise DataError(f"{file} has the names of columns and no row")
                if old is not None:
                    said.append(f"{file}: {self._rows - first:,} rows were appended")
                ends = _byte(file, size - 1) == b"\n"
                digest = _digest(file, size)
                known[str(file)] = StoredFile(
                    str(file), size, digest, rows + self._rows - first, ends
                )
            before += size
        return self._store(tuple(known.values()), said)

    def _read(self, file: Path, start: int, share: tuple[float, float]) -> None:
        first = True
        for block in tables(file, Known(self._quick, self._orders, self._told.commas), start):
            self._add(block, file, first)
            first = False
            self._progress(share[0] + block.done * share[1], self._rows)

    def _quick(self) -> set[str]:
        return {name for name, column in self._columns.items() if column.is_quick}

    def _orders(self) -> dict[str, str]:
        found = {name: column.order for name, column in self._columns.items() if column.order}
        return {**self._told.orders, **found}

    def _add(self, block: Block, file: Path, first: bool) -> None:
        table = block.table
        found = {c.name: c for c in table.columns if c.name not in self._ignore}
        if first:
            self._refuse_others(found, file, table.names)
        if not self._told.commas and any(column.style == "german" for column in found.values()):
            raise OtherKindError("", "numbers are written with decimal commas")
        for name in found:
            if name not in self._columns:
                self._begin(name)
        for name, growing in self._columns.items():
            if name in found:
                growing.add(found[name])
            else:
                growing.add_nothing(len(table))
        self._rows += len(table)
        self._notes += table.notes

    def _begin(self, name: str) -> None:
        place = len(self._columns)
        kind = LONG if name in self._told.long else "text" if name in self._told.forced else ""
        column = StoredColumn(name, kind, f"{place:05d}.bin")
        self._columns[name] = Growing(self._folder, column, 0, None)
        if self._rows:
            self._columns[name].add_nothing(self._rows)

    def _refuse_others(self, found: dict[str, Column], file: Path, names: Sequence[str]) -> None:
        """Tables of other columns are no parts of one table."""
        if lost := [name for name in self._ignore if name not in names and not self._rows]:
            raise DataError(
                f"{file} has no column '{lost[0]}' to leave out; it has: {', '.join(names[:12])}"
            )
        if not self._rows or file.suffix.lower() in (".ndjson", ".jsonl"):
            return
        lacks = [name for name in self._columns if name not in found]
        more = [name for name in found if name not in self._columns]
        if lacks or more:
            what = f"has no column '{lacks[0]}'" if lacks else f"has the column '{more[0]}' besides"
            raise DataError(
                f"{file} {what}, unlike what was imported before it: a table has the same columns "
                f"throughout"
            )

    def _store(
        self, files: tuple[StoredFile, ...], said: list[str]
    ) -> tuple[Store, int, list[str]]:
        added = self._rows - (self._old.rows if self._old else 0)
        finished = [column.finish() for column in self._columns.values()]
        segments = self._old.segments if self._old else ()
        if added:
            digests = {
                file: digest
                for column, some in finished
                if column.kind
                for file, digest in some.items()
            }
            segments = (*segments, Segment(added, digests))
        store = Store(
            self._folder,
            self._rows,
            tuple(column if column.kind else replace(column, kind="empty")
                  for column, _ in finished),
            files,
            segments,
            together(self._notes),
            tuple(sorted(self._told.forced)),
            self._told.commas,
            self._ignore,
        )  # fmt: skip
        sync_folder(self._folder)
        store.write()
        if not added:
            said.append("nothing is new")
        return store, added, said


def in_words(done: Imported) -> str:
    """Sentence on an import."""
    store = done.store
    return (
        f"{store.path}: {counted(store.rows, 'rows')}, {counted(len(store.columns), 'columns')}, "
        f"{store.bytes / 1e6:,.0f} MB on the disk; {done.added:,} added"
    )
