"""Training steps of QRNN and LRU against the published equations in torch, eager and compiled.

    python benchmarks/scanned_cells.py [ROUNDS]

CPU time of the process, on one thread, in interleaved rounds; medians of ratios. The peers
form the products of all steps at once, then loop over time; `compiled` is that loop's step under
torch.compile. MinGRU, the cell with the least to do, stands beside them.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable

import torch
from in_turn import measure as in_turn
from in_turn import ratio
from torch import Tensor
from torch.nn import functional as F

import carousel

SHAPES = [(28, 128, 28, 128), (100, 32, 256, 256), (784, 1, 128, 128)]  # T, B, I, H
Run = Callable[[Tensor], Tensor]


def pooling(z: Tensor, f: Tensor, o: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """fo-pooling of Bradbury et al. 2017."""
    c = f * c + (1 - f) * z
    return o * c, c


def qrnn(layer: carousel.QRNN, step: Callable[..., tuple[Tensor, Tensor]]) -> Run:
    """A convolution over time, then a loop."""
    names = ("weight_ph_l0", "weight_ih_l0")[2 - layer.window :]

    def whole(x: Tensor) -> Tensor:
        kernel = torch.stack([getattr(layer, name) for name in names], -1)
        padded = F.pad(x.permute(1, 2, 0), (layer.window - 1, 0))
        z, f, o = F.conv1d(padded, kernel, layer.bias_ih_l0).permute(2, 0, 1).chunk(3, -1)
        z, f, o = z.tanh(), f.sigmoid(), o.sigmoid()
        c, outputs = x.new_zeros(x.size(1), layer.hidden_size), []
        for t in range(len(x)):
            h, c = step(z[t], f[t], o[t], c)
            outputs.append(h)
        return torch.stack(outputs)

    return whole


def turning(
    c: Tensor, n: Tensor, along: Tensor, across: Tensor, p: Tensor, q: Tensor
) -> tuple[Tensor, Tensor]:
    """One step of Orvieto et al. 2023, in real numbers, as torch compiles those alone."""
    return along * c - across * n + p, along * n + across * c + q


def lru(layer: carousel.LRU, step: Callable[..., tuple[Tensor, Tensor]]) -> Run:
    """Products of all steps with B and D, a loop, and one product with C."""

    def whole(x: Tensor) -> Tensor:
        size, angle = torch.exp(-layer.weight_nu_l0.exp()), layer.weight_theta_l0.exp()
        along, across = size * angle.cos(), size * angle.sin()
        g, p, q = (x @ layer.weight_ih_l0.T).chunk(3, -1)
        p, q = layer.weight_gamma_l0.exp() * p, layer.weight_gamma_l0.exp() * q
        c = n = x.new_zeros(x.size(1), layer.hidden_size)
        states = []
        for t in range(len(x)):
            c, n = step(c, n, along, across, p[t], q[t])
            states.append(torch.cat((c, n), -1))
        return torch.stack(states) @ layer.weight_sh_l0.T + g + layer.bias_ih_l0

    return whole


def training(run: Run, x: Tensor) -> Callable[[], None]:
    """A forward and a backward pass."""
    return lambda: run(x).sum().backward()  # type: ignore[no-untyped-call]


def measure(shape: tuple[int, int, int, int], rounds: int) -> None:
    """Print the medians of the ratios of one shape."""
    T, B, inputs, hidden = shape
    x, least = torch.randn(T, B, inputs), carousel.MinGRU(inputs, hidden)
    narrow, wide = carousel.QRNN(inputs, hidden), carousel.QRNN(inputs, hidden, window=2)
    turned = carousel.LRU(inputs, hidden, r_min=0.9)
    runs: dict[str, Run] = {"MinGRU": lambda x: least(x)[0]}
    for name, layer, peer, step in (
        ("QRNN", narrow, qrnn, pooling),
        ("QRNN of two", wide, qrnn, pooling),
        ("LRU", turned, lru, turning),
    ):
        runs[name] = lambda x, layer=layer: layer(x)[0]
        runs[f"{name} eager"] = peer(layer, step)
        runs[f"{name} compiled"] = peer(layer, torch.compile(step))
        torch.testing.assert_close(runs[name](x), runs[f"{name} eager"](x), rtol=1e-3, atol=1e-4)
    times = in_turn({name: training(run, x) for name, run in runs.items()}, rounds)
    for name, taken in times.items():
        base = times[name.removesuffix(" eager").removesuffix(" compiled")]
        base = times["MinGRU"] if base is taken else base
        print(f"{shape} {name}: best {1e3 * min(taken):.2f} ms, ratio {ratio(taken, base):.2f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}, {carousel.active_isa()}")
    for shape in SHAPES:
        measure(shape, int((sys.argv[1:] or [6])[0]))
