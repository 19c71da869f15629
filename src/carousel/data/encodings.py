"""Bytes of a text file as text: their encoding is found, and said if it is not UTF-8."""

from __future__ import annotations

import codecs

from carousel.data.files.file_kind import refuse_binary
from carousel.data.files.text import _bare_utf16, _not_utf8
from carousel.errors import DataError

_HANGUL = (0xAC00, 0xD7A3)
_UTF16 = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_HANGUL_SHARE = 0.8


def decoded(content: bytes, source: str) -> tuple[str, tuple[str, ...]]:
    """The text of a file and what is to be said of its encoding; line breaks become "\\n".

    UTF-8 needs no word. UTF-16 is known by its mark or its zero bytes; other bytes are read as
    CP949 (Korean) if that makes letters of Hangul of them, else as Windows-1252 (Western Europe).
    Raises `DataError` for a binary file, an empty one, and one of mixed encodings.

    >>> decoded("a;ü".encode("cp1252"), "x.csv")
    ('a;ü', ('read as Windows-1252 (it is not UTF-8)',))
    """
    refuse_binary(content, source, "a table in text")
    text, notes = _decoded(content, source)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{source} holds zero bytes, the first in line {line}: it is not a text")
    if not text.strip():
        raise DataError(f"{source} is empty")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, notes


def _decoded(content: bytes, source: str) -> tuple[str, tuple[str, ...]]:
    wide = _UTF16.get(content[:2]) or _bare_utf16(content)
    if wide:
        try:
            return content.decode(wide), (f"read as {wide}",)
        except UnicodeDecodeError as error:
            raise DataError(f"{source} begins as {wide} and is not: {error.reason}") from None
    try:
        return content.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        said = _not_utf8(content, error.start, source)
        if "mixed" in said or "control characters" in said:
            raise DataError(said) from None
    for name, codec in (("CP949 (Korean)", "cp949"), ("Windows-1252", "cp1252")):
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if codec == "cp1252" or _is_korean(text):
            return text, (f"read as {name} (it is not UTF-8)",)
    raise DataError(said)


def _is_korean(text: str) -> bool:
    letters = [letter for letter in text if not letter.isascii()]
    hangul = sum(_HANGUL[0] <= ord(letter) <= _HANGUL[1] for letter in letters)
    return hangul >= _HANGUL_SHARE * len(letters)
