"""Files that hold tables, by their suffixes: binary ones, and texts."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from carousel.data.files.file_kind import kind_of as file_kind_of
from carousel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Frame = tuple["pl.DataFrame", tuple[str, ...]]


def _parquet(content: bytes) -> pl.DataFrame:
    import polars as pl

    return pl.read_parquet(io.BytesIO(content))


def _arrow(content: bytes) -> pl.DataFrame:
    import polars as pl

    if content[:6] == b"ARROW1":
        return pl.read_ipc(io.BytesIO(content))
    return pl.read_ipc_stream(io.BytesIO(content))


def _excel(content: bytes) -> pl.DataFrame:
    import fastexcel

    sheets = fastexcel.read_excel(content)
    return sheets.load_sheet(0).to_polars()


BINARY: dict[str, tuple[str, Callable[[bytes], pl.DataFrame], tuple[str, ...]]] = {
    ".parquet": ("a Parquet table", _parquet, ("a Parquet table",)),
    ".pq": ("a Parquet table", _parquet, ("a Parquet table",)),
    ".arrow": ("an Arrow table", _arrow, ("an Arrow or Feather table", "")),
    ".ipc": ("an Arrow table", _arrow, ("an Arrow or Feather table", "")),
    ".feather": ("an Arrow table", _arrow, ("an Arrow or Feather table",)),
    ".xlsx": ("an Excel workbook", _excel, ("an Excel workbook (.xlsx)",)),
    ".xlsm": ("an Excel workbook", _excel, ("an Excel workbook (.xlsx)",)),
    ".xlsb": ("an Excel workbook", _excel, ("an Excel workbook (.xlsx)",)),
    ".xls": ("an Excel workbook", _excel, ("an old Office file (.xls, .doc)",)),
    ".ods": ("an OpenDocument spreadsheet", _excel, ("an OpenDocument spreadsheet (.ods)",)),
}
TEXT = (".csv", ".tsv", ".txt", ".ndjson", ".jsonl", ".json")


def frame_of(content: bytes, suffix: str, source: str, blank: bool = False) -> Frame:
    """The cells in the content of a file of this suffix, and what was recognised; blank: as of
    `text_frame`. Raises `DataError`."""
    if suffix in BINARY:
        wanted, read, kinds = BINARY[suffix]
        found = file_kind_of(content)
        name = found.name if found is not None else ""
        if name not in kinds:
            raise DataError(
                f"{source} is not what its name says: {wanted} was expected, and it is "
                f"{name or ('empty' if not content else 'something else, perhaps a text')}: give "
                f"it the suffix of what it is"
            )
        try:
            return read(content), ()
        except Exception as error:  # polars and fastexcel raise errors of their own
            raise DataError(f"{source} cannot be read: {_first_line(error)}") from None
    if suffix not in TEXT:
        raise DataError(
            f"{source} has no suffix of a table ({', '.join((*TEXT, *BINARY))}, and .gz)"
        )
    from carousel.data.encodings import decoded
    from carousel.data.table_text import lines_frame, text_frame

    text, notes = decoded(content, source)
    del content  # which may be large, as may be the text
    if suffix in (".ndjson", ".jsonl", ".json"):
        return lines_frame(text, source), notes
    frame, more = text_frame(text, source, blank)
    return frame, (*notes, *more)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
