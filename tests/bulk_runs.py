"""Small runs of every task that answers files, trained once for a module of tests."""

import os
import signal

from every_task import SMALL
from small_recordings import recordings_config, write_classes

from carousel.cli.parts import load
from carousel.training import train

OF_TASK = {**SMALL, "classify_recordings": lambda f: recordings_config(write_classes(f))}


def small_run(home):
    """A function that gives the run of a task and the folder of its data; each is trained once."""
    known = {}

    def run(task):
        if task not in known:
            (home / task).mkdir()
            config = OF_TASK[task](home / task).override({"training.epochs": 2})
            train(config, seed=0, threads=1, run_dir=home / f"run-{task}", quiet=True)
            known[task] = home / f"run-{task}", home / task
        return known[task]

    return run


def load_and_die(run):
    """Load a model in a worker that is killed once: when it has left no mark beside the run."""
    mark = run.parent / "died"
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return load(run)
    return os.kill(os.getpid(), signal.SIGKILL)


def always_die(run):
    """Kill the worker, whenever it is started."""
    os.kill(os.getpid(), signal.SIGKILL)
