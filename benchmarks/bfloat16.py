"""How fast products of bfloat16 are: each layer with them, in turn with itself in float32.

The rows of `carousel bench --suite dense`, with torch.nn in float32 and under autocast to bfloat16
beside them; on one thread, or where `cpu` asks for it, by the time that the process had the
processors, on which threads that wait for others count, too. Prints, for each row, times over that
of our bfloat16, median and best of the rounds, and how far outputs and gradients of the input are
from float32's, as a share of the largest.

    python benchmarks/bfloat16.py [part of a row's name] [threads] [rounds] [cpu]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

import carousel
from carousel import kernels
from carousel.bench.cases import Case, cases, make_problem
from carousel.bench.peers.torch_layers import build


def caller(
    layer: nn.Module, case: Case, x: Tensor, cotangent: Tensor
) -> Callable[[], list[Tensor]]:
    """A call of the row: outputs, and in training the gradient of the input."""
    if case.mode == "inference":
        layer.eval()

        @torch.inference_mode()
        def infer() -> list[Tensor]:
            return [layer(x)[0]]

        return infer
    x = x.clone().requires_grad_()

    def train() -> list[Tensor]:
        y = layer(x)[0]
        return [y, *torch.autograd.grad(y, [x, *layer.parameters()], cotangent.to(y.dtype))]

    return train


def lowered(call: Callable[[], list[Tensor]]) -> Callable[[], list[Tensor]]:
    def run() -> list[Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            return call()

    return run


def distance(one: Tensor, other: Tensor) -> float:
    return ((one.float() - other).abs().max() / other.abs().max()).item()


def measure(case: Case, rounds: int, clock: Callable[[], float]) -> str:
    """The row in words."""
    problem = make_problem(case)
    x, cotangent = torch.from_numpy(problem.x), torch.from_numpy(problem.cotangent)
    layers = {"float32": build(getattr(carousel, case.cell), problem)}
    layers["bf16"] = build(getattr(carousel, case.cell), problem)
    layers["bf16"].precision = "bf16"
    theirs = build(getattr(nn, case.cell), problem)
    calls = {name: caller(layer, case, x, cotangent) for name, layer in layers.items()}
    calls["torch.nn"] = caller(theirs, case, x, cotangent)
    calls["torch.nn autocast"] = lowered(calls["torch.nn"])
    errors = [distance(a, b) for a, b in zip(calls["bf16"](), calls["float32"](), strict=True)]
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = clock()
            call()
            seconds[name].append(clock() - start)
    ours = seconds.pop("bf16")
    ratios = "; ".join(
        f"{name} {statistics.median(a / b for a, b in zip(each, ours, strict=True)):.2f}"
        f" ({min(each) / min(ours):.2f})"
        for name, each in seconds.items()
    )
    worst = " ".join(f"{error:.1e}" for error in errors[:2])
    return f"{case.title:32} {1e3 * min(ours):8.2f} ms  {ratios}  error {worst}"


def main() -> None:
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 or sys.argv[4:] == ["cpu"] else time.perf_counter
    print(f"{threads} threads; {kernels.product_of('bf16').reason}")
    for case in cases(("dense",), part, False, threads):
        print(measure(case, rounds, clock), flush=True)


if __name__ == "__main__":
    main()
