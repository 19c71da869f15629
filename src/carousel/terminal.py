"""Words on terminals: letters that they lack, lines that they cannot rewrite, and notices."""

from __future__ import annotations

import codecs
import logging
import os
import sys
from typing import TextIO

_SPELLED = {
    "…": "...", "–": "-", "—": "-", "−": "-", "×": "x", "·": "*", "→": "->", "±": "+/-",
    "≤": "<=", "≥": ">=", "≈": "~", "‘": "'", "’": "'", "“": '"', "”": '"', "\u202f": " ",
}  # fmt: skip
_HANDLER = "carousel.spelled"

# Between WARNING and INFO: said on the command line, and not by a library that nobody asked.
NOTICE = 25
logging.addLevelName(NOTICE, "NOTICE")
logger = logging.getLogger("carousel")


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    # A sign that has no likeness is written by its number, so that nothing is lost.
    known = (_SPELLED.get(c) or c.encode("ascii", "backslashreplace").decode() for c in letters)
    return "".join(known), error.end


codecs.register_error(_HANDLER, _spell)


def spelled(text: str, encoding: str | None) -> str:
    r"""Text in letters that an encoding has.

    >>> spelled("1 × 2 … 끝", "latin-1")
    '1 × 2 ... \\ub05d'
    """
    name = encoding or "utf-8"
    return text.encode(name, _HANDLER).decode(name)


def write_anything(*streams: TextIO) -> None:
    """Have streams of this process write what their encoding lacks in other letters, not fail."""
    for stream in streams:
        if hasattr(stream, "reconfigure"):  # not where somebody put an object of their own
            stream.reconfigure(errors=_HANDLER)


def say(text: str) -> None:
    """Print a line to standard error at once, whatever its encoding."""
    print(spelled(text, getattr(sys.stderr, "encoding", None)), file=sys.stderr, flush=True)


def notice(text: str) -> None:
    """Log a line that a person at the keyboard should read and a program need not."""
    logger.log(NOTICE, "%s", text)


def rewrites_lines(stream: TextIO) -> bool:
    """True for a terminal that can draw bars: no pipe, and none that calls itself dumb.

    `FORCE_COLOR` is about colours: it makes no terminal of a pipe.
    """
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def writes_utf8(stream: TextIO) -> bool:
    """True if a stream can write every letter."""
    return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name == "utf-8"
