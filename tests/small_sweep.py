"""A sweep whose trials take a moment each."""

import os
import signal
import time
from multiprocessing import parent_process
from pathlib import Path

from small import small_config

from carousel.sweep import sweep, worker
from carousel.sweep.ledger import Patience
from carousel.sweep.run import plan_of
from carousel.sweep.worker import Work, work
from carousel.sweep.workers import Book

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


def small_book(storage, folder, *, lost=2.0, name="s"):
    """The small sweep of drawn settings without pruning, in a storage, with runs in a folder."""
    how = {"sampler": "random", "pruner": "none"}
    plan = plan_of(small_config(*SETTINGS), OVER, (), seed=4, **how)
    return Book(plan, storage, name, folder, Patience(beat=0.2, lost=lost))


def machine(storage, folder, runs, dies=0, hours=0.0):
    """Work on the small sweep as another machine would: on its own folder, by a clock that is
    hours ahead. dies: at the first epoch of so manieth trial that it takes, by SIGKILL."""
    clock, taken = time.time, set()
    time.time = lambda: clock() + 3600 * hours
    told = worker._Follower.told

    def told_or_killed(self, *given):
        taken.add(self.claim.number)
        if len(taken) == dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return told(self, *given)

    worker._Follower.told = told_or_killed
    work(small_book(storage, Path(folder)).open(), Work(runs, 1))
