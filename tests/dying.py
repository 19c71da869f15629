"""Processes that train and are killed, as by SIGKILL, at a chosen moment."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from carousel.config import Config
from carousel.training import checkpoint, resume, train
from carousel.training.loop import Trainer

MOMENTS = (
    "before a step",
    "after a step",
    "inside a checkpoint",
    "before its rename",
    "at the end",
)


def start(path: Path, config: Config, threads: int) -> None:
    """Train in a new run folder."""
    train(config, seed=5, threads=threads, run_dir=path, quiet=True)


def go_on_and_die(path: Path, steps: int, moment: str) -> None:
    """Resume, and be killed `steps` steps later at `moment`."""
    die_after(steps, moment)
    resume(path, quiet=True)


def start_and_die(path: Path, config: Config, threads: int, steps: int, moment: str) -> None:
    """Train in a new run folder, and be killed after `steps` steps at `moment`."""
    die_after(steps, moment)
    start(path, config, threads)


def go_on(path: Path) -> None:
    """Resume, to the end."""
    resume(path, quiet=True)


def die_after(steps: int, moment: str) -> None:
    left = [steps]
    step, write, rename = Trainer._step, checkpoint.write_durably, Path.rename

    def dying_step(self, batch):  # type: ignore[no-untyped-def]
        left[0] -= 1
        if left[0] <= 0 and moment == "before a step":
            _die()
        result = step(self, batch)
        if left[0] <= 0 and moment == "after a step":
            _die()
        return result

    def dying_write(file: Path, content: bytes) -> None:
        if left[0] <= 0 and moment == "inside a checkpoint" and file.name == "state.safetensors":
            file.write_bytes(content[: len(content) // 2])
            _die()
        write(file, content)

    def dying_rename(self: Path, target: Path) -> Path:
        if left[0] <= 0 and moment == "before its rename":
            _die()
        return rename(self, target)

    def dying_restore(*_: object) -> None:
        _die()

    Trainer._step = dying_step  # type: ignore[method-assign]
    checkpoint.write_durably = dying_write
    Path.rename = dying_rename  # type: ignore[method-assign,assignment]
    if moment == "at the end":
        from carousel.training.stopping import EarlyStopping

        EarlyStopping.restore = dying_restore  # type: ignore[method-assign,assignment]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
