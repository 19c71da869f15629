"""The text of a custom file: UTF-8, perhaps gzipped; what is none is refused in words."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from carousel.data.files.file_kind import refuse_binary, require_file
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.text import TextParts

MAX_LINE = 1000
_LOOKED_AT = 4096


def suffix_of(path: Path) -> str:
    """Ending of a file's name in small letters, that of what is packed where it is gzipped.

    >>> suffix_of(Path("a.CSV")), suffix_of(Path("a.b.tsv.gz")), suffix_of(Path("a"))
    ('.csv', '.tsv', '')
    """
    return Path(path.name.lower().removesuffix(".gz")).suffix


def packed(path: Path) -> Path:
    """Path of a file, or, where only a gzipped one of that name is there, of that."""
    other = path.with_name(f"{path.name}.gz")
    return other if other.is_file() and not path.is_file() else path


def stem_of(path: Path) -> str:
    """Name of a file without its ending, and without that of gzip.

    >>> stem_of(Path("f/a.b.csv.gz")), stem_of(Path("f/a.csv"))
    ('a.b', 'a')
    """
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file, also gzipped; line breaks of any system become "\\n".

    Raises `DataError` if there is no such file, it is empty, or it is not UTF-8.
    """
    path = Path(path)
    require_file(path)
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    return decode(content, str(path))


def decode(content: bytes, source: str) -> str:
    """The text in the bytes of a file. `source` names it in errors. Raises `DataError`."""
    refuse_binary(content, source)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{source} is UTF-16, not UTF-8: convert it (iconv -f UTF-16 -t UTF-8)")
    if (name := _bare_utf16(content)) is not None:
        raise DataError(f"{source} is UTF-16, not UTF-8: convert it (iconv -f {name} -t UTF-8)")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(_not_utf8(content, error.start, source)) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{source} holds zero bytes, the first in line {line}: it is not a text")
    if not text.strip():
        raise DataError(f"{source} is empty")
    # A byte order mark inside comes from files that were put end to end: it is no letter of a line.
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n\ufeff", "\n")


def _bare_utf16(content: bytes) -> str | None:
    """UTF-16 of Latin letters without its mark: every other byte is zero, and no other."""
    some = content[:_LOOKED_AT]
    if not some or len(content) % 2:
        return None
    zeros = (not any(some[::2]) and all(some[1::2]), not any(some[1::2]) and all(some[::2]))
    return "UTF-16BE" if zeros[0] else "UTF-16LE" if zeros[1] else None


def _not_utf8(content: bytes, place: int, source: str) -> str:
    """Message: what is wrong, where, and what to do; a file of mixed encodings cannot be
    converted."""
    line = content.count(b"\n", 0, place) + 1
    wrong = f"{source} is not UTF-8: byte 0x{content[place]:02x} in line {line} does not fit; "
    if any(byte < 9 or 13 < byte < 27 for byte in content[:_LOOKED_AT]):
        return f"{wrong}it holds control characters as well: it is not a text"
    others = [row for row in content.split(b"\n") if not row.isascii()]
    if any(_fits(row) for row in others):
        return f"{wrong}other lines are UTF-8, so the encodings are mixed: mend that line"
    return f"{wrong}convert it, for example with iconv -f WINDOWS-1252 -t UTF-8 (Korean: -f CP949)"


def _fits(row: bytes) -> bool:
    try:
        row.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_lines(folder: str | Path) -> dict[str, list[str]]:
    """Labelled lines: one file <label>.txt per label, one short item a line, blank ones dropped.

    An item that stands twice under a label counts once. Raises `DataError` if there is no such
    file, or a line is too long to be an item.
    """
    folder = Path(folder)
    inside = folder.iterdir() if folder.is_dir() else iter(())
    files = sorted(path for path in inside if suffix_of(path) == ".txt" and path.is_file())
    if not files:
        raise DataError(f"{folder} is not a folder with a file <label>.txt per label")
    for one, other in pairwise(sorted(files, key=stem_of)):
        if stem_of(one) == stem_of(other):
            raise DataError(f"{one} and {other} would be one label: rename or remove one")
    return {stem_of(path): items_of(read_text(path), str(path)) for path in files}


def items_of(text: str, source: str) -> list[str]:
    """The items of a file, one a line, each once. Raises `DataError` as `read_lines`."""
    items = dict.fromkeys(line.strip() for line in text.split("\n"))
    items.pop("", None)
    longest = max(items, key=len)
    if len(longest) > MAX_LINE:
        raise DataError(
            f"{source} has a line of {len(longest):,} characters, beginning with "
            f"'{longest[:20]}': labelled lines have at most {MAX_LINE}; read a running text with "
            f"data.name = 'text'"
        )
    return list(items)


def read_running(config: Config) -> TextParts:
    """The parts of the text in `data.path`."""
    from carousel.data.shares import shares
    from carousel.data.text import TextParts

    text = read_text(_path(config, "the text file"))
    return TextParts.of_text(text, config.text, shares(config, config.text))


def read_labelled(config: Config) -> TextParts:
    """The parts of the labelled lines in the folder `data.path`."""
    from carousel.data.text import TextParts

    folder = _path(config, "the folder of <label>.txt files")
    return TextParts.of_lines(read_lines(folder), config)


def _path(config: Config, what: str) -> str:
    if not config.data.path:
        raise ConfigError(f"data.name = '{config.data.name}' needs data.path, {what}")
    return config.data.path


READERS = {"generate": {"text": read_running, "lines": read_labelled}}
