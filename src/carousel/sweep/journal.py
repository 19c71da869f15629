"""The journal of a sweep: a file of lines that machines on a shared folder append to."""

from __future__ import annotations

import os
from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock


class _MendingLock(JournalFileSymlinkLock):
    """Cuts a line off that was never written whole, before anything is appended to it: a full disk
    or a machine that lost its power leaves one, and all that came after could not be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path

    def acquire(self) -> bool:
        taken = super().acquire()
        with self._path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            whole = size
            while whole:
                start = max(0, whole - 4096)
                file.seek(start)
                found = file.read(whole - start).rfind(b"\n")
                if found >= 0:
                    whole = start + found + 1
                    break
                whole = start
            if whole < size:
                file.truncate(whole)
        return taken


def open_journal(path: Path) -> JournalStorage:
    """The journal in that file, which is made if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.resolve()  # the lock is a link to it, which must lead there from anywhere
    return JournalStorage(JournalFileBackend(str(path), lock_obj=_MendingLock(path)))
