"""Training steps of SRU and RG-LRU against the published equations in torch, and MinGRU.

CPU time of the calling thread, on one thread, in interleaved rounds; medians of ratios:

    python benchmarks/skipping_cells.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

import carousel

SHAPES = [(28, 128, 28, 128), (100, 32, 256, 256), (784, 1, 128, 128)]  # T, B, I, H


def sru(x: Tensor, w: Tensor, v: Tensor, b: Tensor) -> Tensor:
    """Products of all steps at once, then a loop over time (Lei et al. 2018)."""
    H = len(v) // 2
    a_f, a_r, n, *skip = torch.split(x @ w.T, H, dim=-1)
    s, c, outputs = skip[0] if skip else x, x.new_zeros(x.size(1), H), []
    for t in range(len(x)):
        f = torch.sigmoid(a_f[t] + v[:H] * c + b[:H])
        r = torch.sigmoid(a_r[t] + v[H:] * c + b[H:])
        c = f * c + (1 - f) * n[t]
        outputs.append(r * c + (1 - r) * s[t])
    return torch.stack(outputs)


def rg_lru(x: Tensor, w: Tensor, decay: Tensor, b: Tensor) -> Tensor:
    """The same of De et al. 2024."""
    H = len(decay)
    a_r, a_i, *projected = torch.split(x @ w.T, H, dim=-1)
    r, i = torch.sigmoid(a_r + b[:H]), torch.sigmoid(a_i + b[H:])
    log_a = -8 * r * F.softplus(-decay)
    a, new = log_a.exp(), (-torch.expm1(2 * log_a)).sqrt() * i * (projected[0] if projected else x)
    h, outputs = x.new_zeros(x.size(1), H), []
    for t in range(len(x)):
        h = a[t] * h + new[t]
        outputs.append(h)
    return torch.stack(outputs)


def seconds(run: Callable[[], Tensor]) -> float:
    """CPU time of a forward and a backward pass."""
    start = time.thread_time()
    run().sum().backward()  # type: ignore[no-untyped-call]
    return time.thread_time() - start


def measure(shape: tuple[int, int, int, int], rounds: int) -> dict[str, float]:
    """Medians of the ratios of one shape."""
    T, B, inputs, hidden = shape
    x, least = torch.randn(T, B, inputs), carousel.MinGRU(inputs, hidden)
    runs: dict[str, Callable[[], Tensor]] = {"MinGRU": lambda: least(x)[0]}
    for layer, equations in (
        (carousel.SRU(inputs, hidden), sru),
        (carousel.RGLRU(inputs, hidden), rg_lru),
    ):
        name, weights = type(layer).__name__, list(layer.parameters())
        runs[name] = lambda layer=layer: layer(x)[0]
        runs[f"{name} in torch"] = lambda e=equations, w=weights: e(x, *w)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            times[name].append(seconds(run))
    ratios = {}
    for name in ("SRU", "RGLRU"):
        for over, under in ((name, "MinGRU"), (f"{name} in torch", name)):
            pairs = zip(times[over][1:], times[under][1:], strict=True)
            ratios[f"{over} / {under}"] = statistics.median(a / b for a, b in pairs)
    return ratios


if __name__ == "__main__":
    torch.set_num_threads(1)
    for shape in SHAPES:
        print(
            shape,
            {k: round(v, 2) for k, v in measure(shape, int((sys.argv[1:] or [6])[0])).items()},
        )
