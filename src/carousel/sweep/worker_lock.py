"""A sign of life of a worker: a file whose lock the operating system drops with its process."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from carousel.run.layout import is_locked
from carousel.run.sweep_results import WORKERS


def here(folder: Path) -> str:
    """This machine since it was started, and a folder on it: containers of one machine have the
    same name where they see the same locks, and only there."""
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        machine = f"{uuid.getnode():x}"
    place = folder.stat()
    return f"{machine} {place.st_dev}:{place.st_ino}"


@contextmanager
def alive(folder: Path) -> Iterator[str]:
    """Hold a lock in the folder of a sweep inside the block; gives its name, "" where the file
    system has no locks."""
    place = folder / WORKERS
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{uuid.uuid4().hex}.lock"
    with filelock.FileLock(path):
        try:
            yield path.name if is_locked(path) else ""
        finally:
            path.unlink(missing_ok=True)


def is_gone(folder: Path, machine: str, lock: str) -> bool:
    """True if a worker of this machine has surely ended; of others its lock says nothing here."""
    return bool(lock) and machine == here(folder) and not is_locked(folder / WORKERS / lock)
