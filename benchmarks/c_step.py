"""Times one step of one stream: the plain C that `carousel export` writes, and Carousel itself.

    taskset -c 1 python benchmarks/c_step.py
    taskset -c 1 python benchmarks/c_step.py --cells LSTM --sizes 8 64 --rounds 400

Everyone runs in one process, on one thread, in turn: in each round about 50 microseconds each,
after a few steps that are not timed. Printed are the best and, in brackets, the median of the
rounds in nanoseconds: of a step of the C for this processor and for one with AVX2, called from C;
of a step of the compiled kernels, called from Python by two addresses; of `Stream.step(x, out)`;
and of all of these in eight bits. Inputs have as many features as there are units.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

import carousel
from carousel.bench.timed_c import TimedC, flags_for
from carousel.export.c import format as c_format
from carousel.export.describing import subject_of
from carousel.export.formats import Asked
from carousel.export.int8 import in_eight_bits

NATIVE, AVX2 = "C, -march=native", "C, -march=haswell"
Contestant = Callable[[int], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--cells", nargs="+", default=["LSTM", "GRU"], choices=["LSTM", "GRU", "RNN"]
    )
    parser.add_argument("--sizes", nargs="+", type=int, default=[8, 16, 32, 64, 128])
    parser.add_argument("--rounds", type=int, default=600)
    parser.add_argument("--cc", default="gcc")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    said = subprocess.run([arguments.cc, "--version"], capture_output=True, text=True, check=True)
    print(f"{platform.processor() or platform.machine()}, {said.stdout.splitlines()[0]}")
    print(f"torch {torch.__version__}, processors {sorted(os.sched_getaffinity(0))}\n")
    for cell in arguments.cells:
        print(f"| {cell} | {' | '.join(map(str, arguments.sizes))} |")
        print("| --- |" + " ---: |" * len(arguments.sizes))
        columns = [measured(cell, n, arguments.rounds, arguments.cc) for n in arguments.sizes]
        for name in columns[0]:
            cells = [f"{min(c[name]):.0f} ({median(c[name]):.0f})" for c in columns]
            print(f"| {name} | {' | '.join(cells)} |")
        for name in [name for name in columns[0] if name != NATIVE]:
            ratios = [min(c[name]) / min(c[NATIVE]) for c in columns]
            print(f"| {name} / {NATIVE} | {' | '.join(f'{r:.2f}' for r in ratios)} |")
        print(flush=True)


def measured(cell: str, size: int, rounds: int, cc: str) -> dict[str, list[float]]:
    """Nanoseconds of a step in each round, by who took it."""
    torch.manual_seed(0)
    layer = getattr(carousel, cell)(size, size).eval()
    with tempfile.TemporaryDirectory() as folder:
        c_format.write(subject_of(layer), Asked("net"), Path(folder))
        contestants = {
            NATIVE: compiled(Path(folder), size, cc, "native"),
            AVX2: compiled(Path(folder), size, cc, "haswell"),
        }
        ranges = [np.ones(size, np.float32)]
        c_format.write(in_eight_bits(subject_of(layer), ranges), Asked("net"), Path(folder))
        contestants |= {
            f"{NATIVE}, int8": compiled(Path(folder), size, cc, "native"),
            f"{AVX2}, int8": compiled(Path(folder), size, cc, "haswell"),
            **streamed(layer, size),
            **streamed(layer, size, int8=True),
        }
    found: dict[str, list[float]] = {name: [] for name in contestants}
    steps = {name: max(8, int(50_000 / run(50))) for name, run in contestants.items()}
    for _ in range(rounds):
        for name, run in contestants.items():
            found[name].append(run(steps[name]))
    return found


def compiled(folder: Path, size: int, cc: str, march: str) -> Contestant:
    """The C, compiled for a processor, in a loop of its own."""
    x = 0.01 * np.arange(size, dtype=np.float32)
    timed = TimedC(folder, "net", x, size, cc, flags_for(march))

    def run(steps: int) -> float:
        timed.run(8)
        return 1e9 * timed.run(steps) / steps

    return run


def streamed(layer: torch.nn.Module, size: int, int8: bool = False) -> dict[str, Contestant]:
    """Carousel's stream, and the step of the kernels inside it, from Python."""
    calibration = torch.ones(1, 1, size) if int8 else None
    stream = carousel.Stream(layer, int8=int8, calibration=calibration)
    x = 0.01 * torch.arange(size, dtype=torch.float32)[None]
    out = torch.empty(1, size)
    stream.step(x, out)
    stepper = stream._stepper
    assert stepper is not None
    source, to = x.data_ptr(), out.data_ptr()

    def kernel(steps: int) -> float:
        advance = stepper._advance  # of a stepper that is kept: it has the memory of its states
        for _ in range(8):
            advance(source, to)
        start = time.perf_counter_ns()
        for _ in range(steps):
            advance(source, to)
        return (time.perf_counter_ns() - start) / steps

    def step(steps: int) -> float:
        for _ in range(8):
            stream.step(x, out)
        start = time.perf_counter_ns()
        for _ in range(steps):
            stream.step(x, out)
        return (time.perf_counter_ns() - start) / steps

    end = ", int8" if int8 else ""
    return {f"kernel, two addresses{end}": kernel, f"Stream.step(x, out){end}": step}


if __name__ == "__main__":
    main()
