"""The folder of a sweep: sweep.json, and a run in each folder beside it.

sweep.json     what is searched, every trial with what came of it, and what was confirmed
journal.log    who works on which trial, where no database holds that (see carousel.sweep.ledger)
trial-0000 …   the run of each trial, an ordinary one whose test part stays closed
best.toml      the chosen settings as a recipe
.workers/      a file that each worker of this machine holds locked while it lives
confirm/       runs of the best settings and of the recipe as it was, with other seeds
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from carousel.run.several import read_json, write_json

SWEEP = "sweep.json"
JOURNAL = "journal.log"
BEST = "best.toml"
CONFIRM = "confirm"
WORKERS = ".workers"
FORMAT = 1


def is_sweep(path: Path) -> bool:
    """True if a folder is one of a sweep."""
    return (path / SWEEP).is_file()


def read_sweep(path: Path) -> dict[str, Any]:
    """Contents of sweep.json in a folder. Raises `RunError` if there is none, or it is damaged."""
    return read_json(path / SWEEP, FORMAT, {"trials": list, "over": dict})


def write_sweep(path: Path, content: dict[str, Any]) -> None:
    """Put sweep.json in place, whole or not at all."""
    write_json(path / SWEEP, content)
