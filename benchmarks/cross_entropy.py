"""The softmax over a vocabulary: ours against torch's linear layer and cross-entropy.

Forward and backward of one training step, in turn in one process; medians of the times and of
their paired ratios. Then the peak memory of one step of each, in a process of its own. Rows are
the tokens of a window (steps x batch); a word's frequency falls with its number, as in Zipf's law.
The adaptive softmax has its 2,000 most frequent words in the first step.

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

from carousel.layers.adaptive_softmax import AdaptiveSoftmax
from carousel.layers.cross_entropy import linear_cross_entropy

SHAPES = {  # rows, hidden, vocabulary
    "ptb-small": (400, 200, 10_000),
    "ptb-medium": (700, 650, 10_000),
    "ptb-512": (4096, 512, 10_000),
    "characters": (8192, 320, 66),
}
_FREQUENT = 2000


def example(rows: int, hidden: int, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x = torch.randn(rows, hidden, requires_grad=True)
    weight = (0.1 * torch.randn(size, hidden)).requires_grad_()
    targets = torch.multinomial(1 / torch.arange(1.0, size + 1), rows, replacement=True)
    return x, weight, torch.zeros(size, requires_grad=True), targets


def theirs(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(F.linear(x, weight, bias), targets, reduction="sum")


def adaptive(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    frequent = min(_FREQUENT, len(weight) // 2)
    loss: Tensor = AdaptiveSoftmax(x.size(1), len(weight), frequent)(x, weight, bias, targets)
    return loss


LOSSES: dict[str, Callable[..., Tensor]] = {
    "torch": theirs,
    "carousel": linear_cross_entropy,
    "adaptive": adaptive,
}


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
    print(f"{'shape':<11}{'rows':>6}{'hidden':>8}{'words':>8}  loss        ms  torch / it    MB")
    for shape, sizes in SHAPES.items():
        inputs = example(*sizes)
        times: dict[str, list[float]] = {name: [] for name in LOSSES}
        for number in range(rounds + 2):
            for name in LOSSES:
                started = time.perf_counter()
                step(name, inputs)
                if number >= 2:  # the first rounds warm up
                    times[name].append(time.perf_counter() - started)
        for name in LOSSES:
            ratio = statistics.median(
                a / b for a, b in zip(times["torch"], times[name], strict=True)
            )
            print(
                f"{shape:<11}{sizes[0]:>6}{sizes[1]:>8}{sizes[2]:>8}  {name:<8}"
                f"{1e3 * statistics.median(times[name]):>6.1f}{ratio:>12.2f}"
                f"{peak(name, shape):>6.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
