"""The folder of runs that take turns at judging: folds.json, and a run in each folder beside it.

folds.json   the plan, and of each fold that has ended what was measured; then mean and spread
fold-1 …     the run of each fold, an ordinary one
final        the run on everything but a validation part, which nothing of its own judges
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from carousel.errors import RunError
from carousel.run.durable import replace_durably

FOLDS = "folds.json"
FINAL = "final"
FORMAT = 1


def is_folds(path: Path) -> bool:
    """True if a folder is one of folds."""
    return (path / FOLDS).is_file()


def read_folds(path: Path) -> dict[str, Any]:
    """Contents of folds.json in a folder. Raises `RunError` if there is none, or it is damaged."""
    try:
        found: dict[str, Any] = json.loads((path / FOLDS).read_text(encoding="utf-8"))
        if found["format"] > FORMAT:
            raise RunError(
                f"{path} was written by a newer Carousel (format {found['format']}, this version "
                f"reads up to {FORMAT}): upgrade with pip install -U carousel-rnn"
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path / FOLDS} cannot be read: {error}") from None
    return found


def write_folds(path: Path, content: dict[str, Any]) -> None:
    """Put folds.json in place, whole or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    replace_durably(path / FOLDS, text.encode())
