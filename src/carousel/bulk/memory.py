"""Memory that is kept from file to file, in place of being given back and asked for again."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_OF_POLARS = "_RJEM_MALLOC_CONF"
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_MOST = (1 << 31) - 1
_PAD = 64 << 20
_FILES = 8
"""Files after which everything that is free is given back: pieces of other sizes would add up."""


def keep_memory() -> None:
    """Keep what is freed for what comes next, in this process and those that it starts.

    Files of a million rows take a gigabyte each, in pieces of many megabytes, which the C library
    and polars give back at once: page by page, the next file asks for them again, which took up to
    half of the processor's time. To be called before polars is imported, which reads its setting
    then; one that somebody has set stays. Nothing happens where the C library is not GNU's.
    """
    os.environ.setdefault(_OF_POLARS, "dirty_decay_ms:10000,muzzy_decay_ms:10000")
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for name, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _MOST), (_TOP_PAD, _PAD)):
            mallopt(name, value)


def tidied(files: Iterable[T]) -> Iterator[T]:
    """The files, one by one; what is free is given back before every eighth, so that a process has
    what some files take, however many there are."""
    for number, file in enumerate(files):
        if number % _FILES == _FILES - 1:
            with suppress(OSError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)
        yield file
