"""The folder of a backtest: backtest.json, forecasts, and the runs that made them.

backtest.json     the plan, what was measured in every window, and over all of them
forecasts-1.npz … the forecasts of the windows after each training, with the truth
run-1 …           the run of each training, an ordinary one; none where a run was given
backtest.png      the picture
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from carousel.run.several import read_json, write_json

BACKTEST = "backtest.json"
PICTURE = "backtest.png"
FORMAT = 1


def is_backtest(path: Path) -> bool:
    """True if a folder is one of a backtest."""
    return (path / BACKTEST).is_file()


def read_backtest(path: Path) -> dict[str, Any]:
    """Contents of backtest.json in a folder. Raises `RunError` if there is none, or it is
    damaged."""
    return read_json(path / BACKTEST, FORMAT, {"plan": dict, "windows": list})


def write_backtest(path: Path, content: dict[str, Any]) -> None:
    """Put backtest.json in place, whole or not at all."""
    write_json(path / BACKTEST, content)


def forecasts_of(path: Path, training: int) -> Path:
    """File of the forecasts after a training, counted from 1."""
    return path / f"forecasts-{training}.npz"


def run_of(training: int) -> str:
    """Name of the run of a training, counted from 1, in the folder of its backtest."""
    return f"run-{training}"
