"""Tables in text that are too large to be read into memory: imported by themselves, once."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from carousel.data.store.blocks import grows
from carousel.data.store.importing import import_files, in_words
from carousel.data.store.opened import MappedTable, memory, open_table
from carousel.places import cache
from carousel.terminal import notice

_COPIES = 5
"""Bytes of memory that each byte of a table in text takes while it is read."""


def is_too_large(path: Path) -> bool:
    """True for a table in text that reading would fill half of the memory with, or more."""
    return grows(path) and 2 * _COPIES * path.stat().st_size > memory()


def imported(path: Path) -> MappedTable:
    """The table, imported into the cache; what is there already is not read again. Raises
    `DataError`."""
    state = path.stat()
    return open_table(_folder(path.absolute(), state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=16)
def _folder(path: Path, size: int, modified: int) -> Path:
    """Folder that it was imported into. size, modified: for the cache of this function, so that a
    file that changed is read."""
    key = hashlib.blake2b(str(path).encode(), digest_size=6).hexdigest()
    folder = cache() / "imported" / f"{path.stem}-{key}"
    notice(
        f"{path} has {size / 1e9:.1f} GB, too much for half of the memory here: imported into "
        f"{folder}, and read from there"
    )
    done = import_files([path], folder, wait=-1)  # by another process of the same training
    for line in (*done.said, in_words(done)):
        notice(line)
    return folder
