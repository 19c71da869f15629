"""Notes that a person writes about a run: board.json in its folder."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from carousel.errors import RunError
from carousel.run.layout import NOTES

LONGEST_NOTE = 20_000
LONGEST_TAG = 40
MOST_TAGS = 20


@dataclass(frozen=True)
class Notes:
    """A text and some tags. Text is text: nothing in it is ever read as HTML."""

    text: str = ""
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, tags: str) -> Notes:
        """Make notes from typed text; tags are separated by commas, doubles are dropped.

        Raises `RunError` if it is longer than a run's notes may be.

        >>> Notes.of("good start", "lr, baseline, lr").tags
        ('lr', 'baseline')
        """
        kept = tuple(dict.fromkeys(tag.strip() for tag in tags.split(",") if tag.strip()))
        if (
            len(text) > LONGEST_NOTE
            or len(kept) > MOST_TAGS
            or any(len(tag) > LONGEST_TAG for tag in kept)
        ):
            raise RunError(
                f"notes take up to {LONGEST_NOTE:,} characters and {MOST_TAGS} tags of up to "
                f"{LONGEST_TAG}: shorten them"
            )
        return cls(text, kept)


def read(run: Path) -> Notes:
    """The notes of a run; none where the file is missing or no such file."""
    path = run / NOTES
    try:
        if path.is_symlink() or path.stat().st_size > 16 * LONGEST_NOTE:
            return Notes()
        found = json.loads(path.read_text(encoding="utf-8"))
        return Notes(str(found["text"]), tuple(str(tag) for tag in found["tags"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Notes()


def write(run: Path, notes: Notes) -> None:
    """Put the notes in place, whole or not at all. Raises `RunError` where that is not possible."""
    text = json.dumps(asdict(notes), indent=2, ensure_ascii=False) + "\n"
    try:
        handle, aside = tempfile.mkstemp(prefix=f".{NOTES}.", dir=run)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(aside).replace(run / NOTES)  # a link of that name is replaced, not followed
        except BaseException:
            with suppress(OSError):
                Path(aside).unlink()
            raise
    except OSError as error:
        raise RunError(f"the notes of {run} cannot be written: {error.strerror}") from None
