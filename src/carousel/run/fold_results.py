"""The folder of runs that take turns at judging: folds.json, and a run in each folder beside it.

folds.json   the plan, and of each fold that has ended what was measured; then mean and spread
fold-1 …     the run of each fold, an ordinary one
final        the run on everything but a validation part, which nothing of its own judges
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from carousel.run.several import read_json, write_json

FOLDS = "folds.json"
FINAL = "final"
FORMAT = 1


def is_folds(path: Path) -> bool:
    """True if a folder is one of folds."""
    return (path / FOLDS).is_file()


def read_folds(path: Path) -> dict[str, Any]:
    """Contents of folds.json in a folder. Raises `RunError` if there is none, or it is damaged."""
    return read_json(path / FOLDS, FORMAT)


def write_folds(path: Path, content: dict[str, Any]) -> None:
    """Put folds.json in place, whole or not at all."""
    write_json(path / FOLDS, content)
