"""Small runs of every task that answers files, trained once for a module of tests."""

from every_task import SMALL
from small_recordings import recordings_config, write_classes

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
