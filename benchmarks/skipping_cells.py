"""Training steps of SRU and RG-LRU against the published equations in torch, eager and with the
step of the loop under torch.compile, and MinGRU.

CPU time of the process, on one thread, in interleaved rounds; medians of ratios:

    python benchmarks/skipping_cells.py [ROUNDS]
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable

import torch
import torch._dynamo
from in_turn import measure as in_turn
from in_turn import ratio, steps_of
from torch import Tensor
from torch.nn import functional as F

import carousel

SHAPES = [(28, 128, 28, 128), (100, 32, 256, 256), (784, 1, 128, 128)]  # T, B, I, H


Step = Callable[..., tuple[Tensor, Tensor]]


def sru_step(
    a_f: Tensor, a_r: Tensor, n: Tensor, s: Tensor, c: Tensor, v: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    """The state after a step, and the output."""
    H = len(v) // 2
    f = torch.sigmoid(a_f + v[:H] * c + b[:H])
    r = torch.sigmoid(a_r + v[H:] * c + b[H:])
    c = f * c + (1 - f) * n
    return c, r * c + (1 - r) * s


def sru(step: Step, x: Tensor, w: Tensor, v: Tensor, b: Tensor) -> Tensor:
    """Products of all steps at once, then a loop over time (Lei et al. 2018)."""
    H = len(v) // 2
    a_f, a_r, n, *skip = torch.split(x @ w.T, H, dim=-1)
    s, c, outputs = skip[0] if skip else x, x.new_zeros(x.size(1), H), []
    for parts in steps_of(a_f, a_r, n, s):
        c, y = step(*parts, c, v, b)
        outputs.append(y)
    return torch.stack(outputs)


def rg_lru_step(a: Tensor, new: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """The state after a step, which is the output."""
    h = a * h + new
    return h, h


def rg_lru(step: Step, x: Tensor, w: Tensor, decay: Tensor, b: Tensor) -> Tensor:
    """The same of De et al. 2024."""
    H = len(decay)
    a_r, a_i, *projected = torch.split(x @ w.T, H, dim=-1)
    r, i = torch.sigmoid(a_r + b[:H]), torch.sigmoid(a_i + b[H:])
    log_a = -8 * r * F.softplus(-decay)
    a, new = log_a.exp(), (-torch.expm1(2 * log_a)).sqrt() * i * (projected[0] if projected else x)
    h, outputs = x.new_zeros(x.size(1), H), []
    for parts in steps_of(a, new):
        h, y = step(*parts, h)
        outputs.append(y)
    return torch.stack(outputs)


def training(run: Callable[[], Tensor]) -> Callable[[], None]:
    """A forward and a backward pass."""
    return lambda: run().sum().backward()  # type: ignore[no-untyped-call]


def measure(shape: tuple[int, int, int, int], rounds: int) -> dict[str, float]:
    """Medians of the ratios of one shape."""
    T, B, inputs, hidden = shape
    torch._dynamo.reset()  # which compiles a function a few times, then no more
    x, least = torch.randn(T, B, inputs), carousel.MinGRU(inputs, hidden)
    runs: dict[str, Callable[[], Tensor]] = {"MinGRU": lambda: least(x)[0]}
    for layer, equations, step in (
        (carousel.SRU(inputs, hidden), sru, sru_step),
        (carousel.RGLRU(inputs, hidden), rg_lru, rg_lru_step),
    ):
        name, weights = type(layer).__name__, list(layer.parameters())
        runs[name] = lambda layer=layer: layer(x)[0]
        runs[f"{name} in torch"] = lambda e=equations, s=step, w=weights: e(s, x, *w)
        compiled = torch.compile(step)
        runs[f"{name} compiled"] = lambda e=equations, s=compiled, w=weights: e(s, x, *w)
    times = in_turn({name: training(run) for name, run in runs.items()}, rounds)
    ratios = {}
    for name in ("SRU", "RGLRU"):
        pairs_of = ((name, "MinGRU"), (f"{name} in torch", name), (f"{name} compiled", name))
        for over, under in pairs_of:
            ratios[f"{over} / {under}"] = ratio(times[over], times[under])
    return ratios


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # torch.compile's own
    for shape in SHAPES:
        print(
            shape,
            {k: round(v, 2) for k, v in measure(shape, int((sys.argv[1:] or [6])[0])).items()},
        )
