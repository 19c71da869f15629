"""A run's numbers as an event file of TensorBoard, for those who have their charts there."""

from __future__ import annotations

import math
from bisect import bisect_left
from pathlib import Path

from carousel.errors import RunError
from carousel.run import layout
from carousel.run.reading import events, reading
from carousel.runs.store import Run


def export(run: Run, folder: Path) -> int:
    """Write every finite number of every series as a scalar; returns how many.

    The time of a step lies between those of the epochs around it, which are recorded. Raises
    `RunError` if the run cannot be read, or the folder holds such a file already.
    """
    from tensorboardX import SummaryWriter  # brings protobuf

    path = layout.events_of(run.path)
    if not path.is_file():
        raise RunError(f"the run {run.path} has no {layout.EVENTS}")
    if folder.is_dir() and any(folder.glob("events.out.tfevents.*")):
        raise RunError(f"{folder} has a TensorBoard file already: name another folder with --out")
    clock, count = _Clock(run, path), 0
    with reading(path) as store, SummaryWriter(str(folder)) as writer:
        for name, signal in store.signals().items():
            for step, value in store.points(signal):
                if value is None or not math.isfinite(value):
                    continue
                writer.add_scalar(name, value, step, walltime=clock.at(step))
                count += 1
    return count


class _Clock:
    """Unix times of steps: known where an event was recorded, straight lines in between."""

    def __init__(self, run: Run, path: Path) -> None:
        known = {0: run.created} if run.created else {}
        known |= {event["step"]: event["time"] for event in events(path)}
        self._steps = sorted(known)
        self._times = [known[step] for step in self._steps]

    def at(self, step: int) -> float:
        place = bisect_left(self._steps, step)
        if not self._steps:
            return 0.0
        if place == len(self._steps):
            return self._times[-1]
        if self._steps[place] == step or place == 0:
            return self._times[place]
        (a, b), (at, then) = self._steps[place - 1 : place + 1], self._times[place - 1 : place + 1]
        return at + (then - at) * (step - a) / (b - a)
