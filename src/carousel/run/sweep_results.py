"""The folder of a sweep: sweep.json, and a run in each folder beside it.

sweep.json     what is searched, every trial with what came of it, and what was confirmed
journal.log    who works on which trial, where no database holds that (see carousel.sweep.ledger)
trial-0000 …   the run of each trial, an ordinary one whose test part stays closed
best.toml      the chosen settings as a recipe
confirm/       runs of the best settings and of the recipe as it was, with other seeds
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from carousel.errors import RunError
from carousel.run.durable import replace_durably

SWEEP = "sweep.json"
JOURNAL = "journal.log"
BEST = "best.toml"
CONFIRM = "confirm"
FORMAT = 1


def is_sweep(path: Path) -> bool:
    """True if a folder is one of a sweep."""
    return (path / SWEEP).is_file()


def read_sweep(path: Path) -> dict[str, Any]:
    """Contents of sweep.json in a folder. Raises `RunError` if there is none, or it is damaged."""
    try:
        found: dict[str, Any] = json.loads((path / SWEEP).read_text(encoding="utf-8"))
        if found["format"] > FORMAT:
            raise RunError(
                f"{path} was written by a newer Carousel (format {found['format']}, this version "
                f"reads up to {FORMAT}): upgrade with pip install -U carousel-rnn"
            )
        if not isinstance(found["trials"], list) or not isinstance(found["over"], dict):
            raise TypeError("trials or settings are missing")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path / SWEEP} cannot be read: {error}") from None
    return found


def write_sweep(path: Path, content: dict[str, Any]) -> None:
    """Put sweep.json in place, whole or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    replace_durably(path / SWEEP, text.encode())
