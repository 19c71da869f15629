"""The softmax over a vocabulary: ours against torch's linear layer and cross-entropy.

Forward and backward of one training step, in turn in one process; medians of the times and of
their paired ratios. Then the peak memory of one step of each, in a process of its own. Rows are
the tokens of a window (steps x batch).

    python benchmarks/cross_entropy.py [rounds]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from carousel.layers.cross_entropy import linear_cross_entropy

SHAPES = {  # rows, hidden, vocabulary
    "ptb-small": (400, 200, 10_000),
    "ptb-medium": (700, 650, 10_000),
    "ptb-512": (4096, 512, 10_000),
    "characters": (8192, 320, 66),
}


def example(rows: int, hidden: int, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x = torch.randn(rows, hidden, requires_grad=True)
    weight = (0.1 * torch.randn(size, hidden)).requires_grad_()
    return x, weight, torch.zeros(size, requires_grad=True), torch.randint(0, size, (rows,))


def theirs(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(F.linear(x, weight, bias), targets, reduction="sum")


LOSSES: dict[str, Callable[..., Tensor]] = {"torch": theirs, "carousel": linear_cross_entropy}


def step(name: str, inputs: tuple[Tensor, ...]) -> None:
    for leaf in inputs[:3]:
        leaf.grad = None
    LOSSES[name](*inputs).backward()


def peak(name: str, shape: str) -> float:
    """MB that one step needs on top of its inputs, in a new process."""
    code = f"import cross_entropy; cross_entropy.report_peak({name!r}, {shape!r})"
    folder = __file__.rsplit("/", 1)[0]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    return float(done.stdout)


def report_peak(name: str, shape: str) -> None:
    step(name, example(16, 8, 16))  # what is loaded once does not count
    inputs = example(*SHAPES[shape])
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = resident("VmRSS")
    step(name, inputs)
    print(resident("VmHWM") - before)


def resident(name: str) -> float:
    """MB of memory: VmRSS now, VmHWM at its peak."""
    status = Path("/proc/self/status").read_text()
    return int(next(x for x in status.splitlines() if x.startswith(name)).split()[1]) / 1024


def main(rounds: int) -> None:
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    print("shape        rows  hidden  vocabulary   torch ms   ours ms   ratio   torch MB   ours MB")
    for shape, sizes in SHAPES.items():
        inputs = example(*sizes)
        times: dict[str, list[float]] = {name: [] for name in LOSSES}
        for number in range(rounds + 2):
            for name in LOSSES:
                started = time.perf_counter()
                step(name, inputs)
                if number >= 2:  # the first rounds warm up
                    times[name].append(time.perf_counter() - started)
        ratio = statistics.median(
            a / b for a, b in zip(times["torch"], times["carousel"], strict=True)
        )
        ms = {name: 1e3 * statistics.median(values) for name, values in times.items()}
        mb = {name: peak(name, shape) for name in LOSSES}
        print(
            f"{shape:<11}{sizes[0]:>6}{sizes[1]:>8}{sizes[2]:>12}{ms['torch']:>11.1f}"
            f"{ms['carousel']:>10.1f}{ratio:>8.2f}{mb['torch']:>11.0f}{mb['carousel']:>10.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
