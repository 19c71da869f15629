"""A sweep whose trials take a moment each."""

import os
import signal
from multiprocessing import parent_process

from small import small_config

from carousel.sweep import sweep

OVER = ("model.hidden_size=6,12", "optimizer.learning_rate=1e-4:1e-1:log")
SETTINGS = ("data.train_limit=600", "training.epochs=3", "data.validation=200")


def small_sweep(folder, **how):
    """Sweep the small configuration in that folder."""
    given = {"runs": 3, "confirm": 0, "threads": 1, "quiet": True, "run_dir": folder, "seed": 4}
    over = how.pop("over", OVER)
    return sweep(small_config(*SETTINGS), over, **{**given, **how})


def values_of(swept):
    """Settings and values of the trials, in order of their numbers."""
    return [(one["settings"], one["value"], one["state"]) for one in swept.result["trials"]]


def killed_once(file, text):
    """Note what a sweep says; the first worker process that says something is killed by it."""
    first = not file.exists()
    with file.open("a") as notes:
        notes.write(text + "\n")
    if first and parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
