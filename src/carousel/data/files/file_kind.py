"""Kind of a file by its first bytes, whatever its name says, and the advice what to do with it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from carousel.errors import DataError

_SHEET = "save the sheet as CSV in UTF-8"
_TABLE = "write the table as CSV, for example with pandas: {}(PATH).to_csv(NEW, index=False)"
_COPY = "copy the text out of it into a plain UTF-8 file"
_UNPACK = "unpack it first"

_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"PAR1", "a Parquet table", _TABLE.format("pandas.read_parquet")),
    (0, b"ARROW1", "an Arrow or Feather table", _TABLE.format("pandas.read_feather")),
    (0, b"FEA1", "a Feather table", _TABLE.format("pandas.read_feather")),
    (0, b"ORC", "an ORC table", _TABLE.format("pandas.read_orc")),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write what is in it as CSV"),
    (0, b"SQLite format 3\0", "a SQLite database", "write the table as CSV"),
    (0, b"MATLAB 5.0", "a MATLAB file", "write what is in it as CSV"),
    (0, b"Obj\x01", "an Avro file", "write the table as CSV"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (.xls, .doc)", _SHEET),
    (0, b"\x93NUMPY", "a NumPy array (.npy)", "write it as CSV, for example with numpy.savetxt"),
    (0, b"%PDF-", "a PDF", _COPY),
    (0, b"{\\rtf", "an RTF document", _COPY),
    (0, b"\x1f\x8b", "a gzip file", "unpack it first (gunzip)"),
    (0, b"BZh", "a bzip2 file", "unpack it first (bunzip2)"),
    (0, b"\xfd7zXZ\0", "an xz file", "unpack it first (unxz)"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file", "unpack it first (unzstd)"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture", ""),
    (0, b"\xff\xd8\xff", "a JPEG picture", ""),
    (0, b"GIF87a", "a GIF picture", ""),
    (0, b"GIF89a", "a GIF picture", ""),
    (0, b"II*\0", "a TIFF picture", ""),
    (0, b"MM\0*", "a TIFF picture", ""),
    (8, b"WEBP", "a WebP picture", ""),
    (8, b"WAVE", "a WAV sound", ""),
    (0, b"fLaC", "a FLAC sound", ""),
    (0, b"OggS", "an Ogg sound", ""),
    (0, b"ID3", "an MP3 sound", ""),
    (4, b"ftyp", "an MP4 film or sound", ""),
    (0, b"\x7fELF", "a program", ""),
    (0, b"\0\0\x08", "an IDX file", "write what is in it as CSV"),
)
_PICKLES = tuple(bytes((0x80, version)) for version in range(2, 6))


def require_file(path: Path) -> None:
    """Raise `DataError` unless there is a file; a folder of that name is called one."""
    if path.is_dir():
        files = sorted(f.name for f in path.iterdir() if f.is_file() and f.name[0] != ".")
        such = f", such as {path / files[0]}" if files else ""
        raise DataError(f"{path} is a folder, not a file: name a file{such}")
    if not path.is_file():
        raise DataError(f"there is no file {path}")


@dataclass(frozen=True)
class FileKind:
    """Kind of a file, with its article, and how to get a text from it ("" if there is no way)."""

    name: str
    advice: str = ""

    @property
    def is_picture(self) -> bool:
        """True if it is an image in a format of pictures."""
        return self.name.endswith("picture")


def kind_of(content: bytes) -> FileKind | None:
    """The kind of a binary file by its signature; None for text and for what is not known.

    content: the file's bytes, or as many of its first as there are (of a zip, all: only its list
    at the end tells a workbook from an archive).

    >>> kind_of(b"PAR1\\x15\\x04").name
    'a Parquet table'
    >>> kind_of(b"label,text") is None
    True
    """
    if content[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_kind(content)
    if content[:2] in _PICKLES and content.rstrip()[-1:] == b".":
        return FileKind("a Python pickle", "write what is in it as CSV; pickles are never loaded")
    for start, magic, name, advice in _MAGIC:
        if content[start : start + len(magic)] == magic and _is_sure(content, magic):
            return FileKind(name, advice)
    return None


def refuse_binary(content: bytes, source: str, wanted: str = "a text") -> None:
    """Raises `DataError` that says what the file is, if its signature says that it is no text.

    source: names it in the error. wanted: what was expected.
    """
    kind = kind_of(content)
    if kind is not None:
        advice = f": {kind.advice}" if kind.advice else ""
        raise DataError(f"{source} is {kind.name}, not {wanted}{advice}")


def _is_sure(content: bytes, magic: bytes) -> bool:
    """Short signatures of letters may begin a text too: a binary file has zero bytes, or others
    that are no letters, near its beginning."""
    if not magic.isascii() or not magic.isalnum():
        return True
    return any(byte < 9 or 13 < byte < 27 for byte in content[:512])


def _zip_kind(content: bytes) -> FileKind:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            kind = archive.open("mimetype").read(80) if "mimetype" in names else b""
    except Exception:  # whatever is wrong inside, it is a zip
        return FileKind("a zip archive", _UNPACK)
    if any(name.startswith("xl/") for name in names):
        return FileKind("an Excel workbook (.xlsx)", _SHEET)
    if b"opendocument.spreadsheet" in kind:
        return FileKind("an OpenDocument spreadsheet (.ods)", _SHEET)
    if any(name.startswith("word/") for name in names):
        return FileKind("a Word document (.docx)", _COPY)
    if b"opendocument" in kind:
        return FileKind("an OpenDocument file", _COPY)
    if names and all(name.endswith(".npy") for name in names):
        return FileKind("a file of NumPy arrays (.npz)", "write them as CSV")
    return FileKind("a zip archive", _UNPACK)
