"""Throughput of two trainings side by side, and of more threads than cores.

Two processes train the same network, each with as many threads as there are cores: one after the
other, then both at once. The throughput of both at once is the time of one after the other over
the time of both; 100 % is what the cores can do, more is possible where one fills the other's
pauses. Then one process with twice as many threads as cores, against one with as many. Rounds are
interleaved, medians and quartiles printed, for carousel and for torch.nn.

The last column is CPU time: of a step on one thread over that of a step while both train, which is
what waiting leaves for work. It can be read on a busy machine, too; the others cannot.

    python benchmarks/side_by_side.py [--rounds 9] [--seconds 0.3] [--cores 2] [--spin default]

--spin: GOMP_SPINCOUNT of the processes, or "default" for none. Run it on a quiet machine:
whatever else wants the cores is a third training.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

SHAPES = {  # T, B, I, H
    "rows": (28, 128, 28, 128),
    "few rows": (50, 6, 128, 128),
    "speech": (100, 32, 256, 256),
}
LIBRARIES = ("carousel", "torch.nn")


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, and of CPU time in the processes that worked."""

    clock: float
    cpu: float


def training(library: str, shape: tuple[int, ...], threads: int) -> Callable[[], None]:
    """One step of training: an LSTM, a linear layer of its last state, cross-entropy, Adam."""
    import torch
    from torch.nn import functional as F

    import carousel

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    steps, batch, inputs, hidden = shape
    kind: Any = carousel.LSTM if library == "carousel" else torch.nn.LSTM
    layer, head = kind(inputs, hidden), torch.nn.Linear(hidden, 10)
    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()])
    x, labels = torch.randn(steps, batch, inputs), torch.randint(0, 10, (batch,))

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(head(layer(x)[0][-1]), labels).backward()
        optimizer.step()

    return step


def serve(pipe: Connection, library: str, shape: tuple[int, ...], threads: int) -> None:
    """Train as many steps as asked for, and answer with the time; until asked for none."""
    step = training(library, shape, threads)
    while count := pipe.recv():
        clock, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            step()
        pipe.send(Took(time.perf_counter() - clock, time.process_time() - cpu))


class Worker:
    """A process that trains when told to."""

    def __init__(self, library: str, shape: tuple[int, ...], threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        arguments = (other, library, shape, threads)
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()

    def close(self) -> None:
        self.pipe.send(0)
        self.process.join()


def run(workers: list[Worker], steps: int) -> Took:
    """All of them at once."""
    started = time.perf_counter()
    for worker in workers:
        worker.pipe.send(steps)
    answers = [worker.pipe.recv() for worker in workers]
    return Took(time.perf_counter() - started, sum(took.cpu for took in answers))


def steps_for(worker: Worker, seconds: float) -> int:
    """Steps that take about so long, counted after a first one that warms up."""
    run([worker], 2)
    steps = 1
    while (took := run([worker], steps).clock) < seconds / 4:
        steps *= 2
    return max(1, round(steps * seconds / took))


def percent(ratios: list[float]) -> str:
    """Median and quartiles, such as "93 % (91–95)".

    >>> percent([0.5, 0.9, 1.0])
    '90 % (70–95)'
    """
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{median:.0%} ({100 * low:.0f}–{100 * high:.0f})".replace("%", " %")


def measure(library: str, name: str, args: argparse.Namespace) -> tuple[str, ...]:
    """One row: throughput side by side and with twice the threads, and CPU time."""
    workers = [Worker(library, SHAPES[name], n * args.cores) for n in (1, 1, 2)]
    workers.append(Worker(library, SHAPES[name], 1))
    one, other, crowded, single = workers
    steps = min(steps_for(worker, args.seconds) for worker in (one, other))
    for worker in (crowded, single):
        run([worker], 2)
    side, cpu, many, step = [], [], [], []
    for _ in range(args.rounds):
        alone = [run([one], steps), run([other], steps)]
        both, crowd = run([one, other], steps), run([crowded], steps)
        side.append(sum(took.clock for took in alone) / both.clock)
        cpu.append(2 * run([single], steps).cpu / both.cpu)
        many.append(alone[0].clock / crowd.clock)
        step.append(alone[0].clock / steps)
    for worker in workers:
        worker.close()
    each = f"{statistics.median(step) * 1e3:.3g} ms"
    return library, name, each, percent(side), percent(many), percent(cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a training alone")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--spin", default="default", help='a count, or "default"')
    parser.add_argument("--only", default="", help="rows with this in library or shape")
    args = parser.parse_args()
    available = sorted(os.sched_getaffinity(0))
    if len(available) < args.cores:
        parser.error(f"--cores {args.cores}: this process may use {len(available)}")
    os.sched_setaffinity(0, available[: args.cores])
    os.environ.pop("GOMP_SPINCOUNT", None)
    if args.spin != "default":
        os.environ["GOMP_SPINCOUNT"] = args.spin
    title = (
        "library",
        "shape",
        "a step alone",
        "side by side",
        "twice the threads",
        "CPU for work",
    )
    print(" | ".join(f"{word:>18}" for word in title), flush=True)
    for name in SHAPES:
        for library in LIBRARIES:
            if args.only in f"{library} {name}":
                cells = measure(library, name, args)
                print(" | ".join(f"{cell:>18}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
