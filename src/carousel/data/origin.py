"""Custom files as they lie on the disk, in a few numbers: to say what became of them."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from carousel.data.counting import unit_of
from carousel.data.store import Store, is_store
from carousel.errors import DataError

_NAMED = 3
_BYTES = 16


@dataclass(frozen=True)
class Origin:
    """A file, or a folder of files.

    rows: of a file, those that are not blank; of a table, what stands in quotation marks does not
    end a row. digest: of its rows in order. sums: of numbers of its rows, whatever their order.
    files: of a folder, a digest of each file by its name; hidden ones are left out.
    """

    rows: int = 0
    digest: str = ""
    sums: tuple[int, int] = (0, 0)
    files: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Origin:
        """Record of what lies there now. Raises `DataError` if it cannot be read."""
        if is_store(path):
            return cls(files=Store.open(path).verify())
        if not path.is_dir():
            return _read(path, -1)[0]
        try:
            return cls(files={name: _digest(path / name) for name in _names(path)})
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error}") from None

    @classmethod
    def restore(cls, facts: dict[str, Any]) -> Origin:
        """Rebuild from `facts`."""
        sums = facts.get("sums", (0, 0))
        return cls(**{**facts, "sums": (int(sums[0]), int(sums[1]))})

    def facts(self) -> dict[str, Any]:
        """Record as JSON can hold it."""
        of_folder = {"files": self.files}
        of_file = {"rows": self.rows, "digest": self.digest, "sums": list(self.sums)}
        return of_file if self.digest else of_folder

    def changes(self, path: Path) -> str:
        """Changes since, in words; empty if it is as it was. Raises `DataError` if it cannot be
        read."""
        if not path.exists():
            raise DataError(f"there is no {path}")
        if path.is_dir() != bool(self.files):
            return "a folder then, a file now" if self.files else "a file then, a folder now"
        if self.files:
            return "; ".join(self._of_files(Origin.of(path).files))
        now, beginning = _read(path, self.rows)
        return "" if now.digest == self.digest else self._of_rows(now, beginning, _row(path))

    def _of_rows(self, now: Origin, beginning: str, what: str) -> str:
        more = now.rows - self.rows
        header = what == "row"
        then, rows = self.rows - header, now.rows - header
        then_and_now = f"{then:,} {unit_of(then, f'{what}s')} then, {rows:,} now"
        if beginning == self.digest:
            were = f"{what} was" if more == 1 else f"{what}s were"
            return f"{more:,} {were} appended ({then_and_now})"
        if now.sums == self.sums:
            return f"the same {then:,} {what}s stand in another order"
        if more:
            return f"{what}s of it were changed, or came and went ({then_and_now})"
        return f"of its {then:,} {what}s some were changed"

    def lost(self, path: Path) -> str:
        """Files of a folder that were changed or are gone, in words: files that came are not
        counted."""
        return "; ".join(self._of_files(Origin.of(path).files, came=False))

    def _of_files(self, now: dict[str, str], came: bool = True) -> Iterator[str]:
        found = {
            "added": [name for name in now if name not in self.files] if came else [],
            "gone": [name for name in self.files if name not in now],
            "changed": [n for n, digest in self.files.items() if now.get(n, digest) != digest],
        }
        for what, names in found.items():
            if names:
                dots = ", …" * (len(names) > _NAMED)
                files = "file" if len(names) == 1 else "files"
                yield f"{len(names):,} {files} {what} ({', '.join(names[:_NAMED])}{dots})"


def _row(path: Path) -> str:
    """ "row" of a .csv, which begins with a header; else "line"."""
    return "row" if ".csv" in path.suffixes else "line"


def _read(path: Path, mark: int) -> tuple[Origin, str]:
    """The file, and the digest of its first `mark` rows; empty if it has no more than those."""
    state, beginning = hashlib.blake2b(digest_size=_BYTES), ""
    rows = blank = total = squares = 0
    try:
        with _open(path) as file:
            for row in _rows(file, ".csv" in path.suffixes):
                if not row.strip():
                    blank += 1
                    continue
                if rows == mark:
                    beginning = state.copy().hexdigest()
                # Blank lines between rows say something, as between sentences; at the end not.
                state.update(b"\n" * blank + row + b"\n")
                number = zlib.crc32(row)
                total, squares = total + number, squares + number * number
                rows, blank = rows + 1, 0
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    return Origin(rows, state.hexdigest(), (total, squares % (1 << 62))), beginning


def _rows(file: IO[bytes], table: bool) -> Iterator[bytes]:
    """Rows without their line breaks; of a table, a line break in quotation marks ends none."""
    begun: list[bytes] = []
    odd = False
    for number, line in enumerate(file):
        text = (line if number else line.removeprefix(b"\xef\xbb\xbf")).rstrip(b"\r\n")
        begun.append(text)
        odd ^= table and text.count(b'"') % 2 == 1
        if not odd:
            yield b"\n".join(begun)
            begun.clear()
    if begun:
        yield b"\n".join(begun)


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def _names(folder: Path) -> list[str]:
    found = (file.relative_to(folder) for file in sorted(folder.rglob("*")) if file.is_file())
    return [str(name) for name in found if not any(part[0] == "." for part in name.parts)]


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
