"""Content of a file in one piece, unpacked; of a large one it is said first what that takes."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from carousel.data.files.recordings import say_large
from carousel.errors import DataError


def content_of(path: Path, is_text: bool = False) -> bytes:
    """The bytes of a file, unpacked if they are gzipped. is_text: it becomes a table of cells.

    Raises `DataError` for a file that cannot be read.
    """
    try:
        say_large([path], _needs(path.stat().st_size) if is_text else "")
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _needs(size: int) -> str:
    """Needs of a table in text of so many bytes: as measured (docs/own-data.md), for orientation.

    >>> _needs(300_000_000)
    ': about 6 s and 1.5 GB of memory'
    """
    return f": about {max(1, round(size / 50e6))} s and {5 * size / 1e9:.1f} GB of memory"
