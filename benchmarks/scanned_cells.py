"""Training steps of QRNN, LRU and S6 against the published equations in torch, eager and compiled.

    python benchmarks/scanned_cells.py [ROUNDS [NAME]]

CPU time of the process, on one thread, in interleaved rounds; medians of ratios: of the peers to
the layer, and of the layer to MinGRU, the cell with the least to do. The peers form the products of
all steps at once, then loop over time; `compiled` is that loop's step under torch.compile.
`products` are those of the layer's training step alone, by torch.mm into memory that is there: what
nobody can do without. S6 has as many inputs as units, H, and 16 coefficients of each.
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
        for parts in steps_of(z, f, o):
            h, c = step(*parts, c)
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
        for parts in steps_of(p, q):
            c, n = step(c, n, along, across, *parts)
            states.append(torch.cat((c, n), -1))
        return torch.stack(states) @ layer.weight_sh_l0.T + g + layer.bias_ih_l0

    return whole


def selecting(c: Tensor, kept: Tensor, written: Tensor, read: Tensor) -> tuple[Tensor, Tensor]:
    """One step of `selective_scan_ref` of Gu and Dao 2023."""
    c = kept * c + written
    return c, torch.einsum("bhn,bn->bh", c, read)


def s6(layer: carousel.S6, step: Callable[..., tuple[Tensor, Tensor]]) -> Run:
    """Decays and inputs of all steps at once, then a loop."""

    def whole(x: Tensor) -> Tensor:
        delta = F.softplus(x @ layer.weight_ih_l0.T + layer.bias_delta_l0)
        b, read = x @ layer.weight_bx_l0.T, x @ layer.weight_cx_l0.T
        kept = torch.exp(torch.einsum("tbh,hn->tbhn", delta, -layer.weight_log_a_l0.exp()))
        written = torch.einsum("tbh,tbn,tbh->tbhn", delta, b, x)
        c, outputs = torch.zeros_like(kept[0]), []
        for parts in steps_of(kept, written, read):
            c, y = step(c, *parts)
            outputs.append(y)
        return torch.stack(outputs) + layer.weight_skip_l0 * x

    return whole


def products(layer: torch.nn.Module, x: Tensor) -> Callable[[], None]:
    """Products of the layer's matrices in a training step: sums, gradients of weights and states.

    Of weights (N, K): T B N K multiply-adds for each. Nobody asks for the gradients of the inputs.
    """
    jobs = []
    for name in ("weight_ih_l0", "weight_ph_l0", "weight_sh_l0", "weight_bx_l0", "weight_cx_l0"):
        weight = getattr(layer, name, None)
        if weight is None:
            continue
        weight = weight.detach()
        rows = torch.randn(x.size(0) * x.size(1), weight.size(1))
        sums = torch.randn(len(rows), len(weight))
        d_rows = torch.empty_like(rows) if name == "weight_sh_l0" else None
        jobs.append((weight, rows, sums, torch.empty_like(weight), d_rows))

    def run() -> None:
        for weight, rows, sums, d_weight, d_rows in jobs:
            torch.mm(rows, weight.T, out=sums)
            torch.mm(sums.T, rows, out=d_weight)
            if d_rows is not None:
                torch.mm(sums, weight, out=d_rows)

    return run


def training(run: Run, x: Tensor) -> Callable[[], None]:
    """A forward and a backward pass."""
    return lambda: run(x).sum().backward()  # type: ignore[no-untyped-call]


def measure(shape: tuple[int, int, int, int], rounds: int, only: str) -> None:
    """Print the medians of the ratios of one shape. only: how names of the cells begin."""
    T, B, inputs, hidden = shape
    torch._dynamo.reset()  # else sizes that change are no longer compiled as they are
    x, least = torch.randn(T, B, inputs), carousel.MinGRU(inputs, hidden)
    narrow, wide = carousel.QRNN(inputs, hidden), carousel.QRNN(inputs, hidden, window=2)
    turned = carousel.LRU(inputs, hidden, r_min=0.9)
    scan = carousel.S6(hidden, hidden)  # the published one has as many inputs as units
    calls = {"MinGRU": training(lambda x: least(x)[0], x)}
    for name, layer, peer, step in (
        ("QRNN", narrow, qrnn, pooling),
        ("QRNN of two", wide, qrnn, pooling),
        ("LRU", turned, lru, turning),
        ("S6", scan, s6, selecting),
    ):
        if not name.startswith(only):
            continue
        own: Run = lambda x, layer=layer: layer(x)[0]  # noqa: E731
        runs = {"": own, " eager": peer(layer, step), " compiled": peer(layer, torch.compile(step))}
        given = x if layer.input_size == inputs else torch.randn(T, B, hidden)
        for how, run in runs.items():
            torch.testing.assert_close(run(given), own(given), rtol=1e-3, atol=1e-4)
            calls[name + how] = training(run, given)
        calls[name + " products"] = products(layer, given)
    times = in_turn(calls, rounds)
    for name, taken in times.items():
        ours = name
        for end in (" eager", " compiled", " products"):
            ours = ours.removesuffix(end)
        base = times[ours]
        base = times["MinGRU"] if base is taken else base
        print(
            f"{shape} {name}: best {1e3 * min(taken):.2f} ms, ratio {ratio(taken, base):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}, {carousel.active_isa()}")
    for shape in SHAPES:
        measure(shape, int((sys.argv[1:] or [6])[0]), "".join(sys.argv[2:3]))
