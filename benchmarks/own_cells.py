"""Time of sLSTM and LMU against their published equations in torch, eager and compiled, in turn.

    python benchmarks/own_cells.py [--rounds 7] [--only LMU]

All run in one process on one thread, round after round; what is taken is the time of the processor,
which what else the machine does touches least. A ratio is that of one round; printed are their
median and the best (lowest) time of each. The
peers form the products with the inputs for all steps at once and loop over time, which is the best
that torch can do with the equations; `compiled` is that loop's step under torch.compile.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch._dynamo
from in_turn import measure as in_turn
from in_turn import ratio, steps_of
from torch import Tensor
from torch.nn import functional as F

import carousel

# (T, B, I, H), and what else the layer is made with
SHAPES: dict[str, list[tuple[tuple[int, int, int, int], dict[str, Any]]]] = {
    "SLSTM": [
        ((28, 128, 28, 128), {"heads": 1, "forget_bias": 1.0}),
        ((28, 128, 28, 128), {"heads": 4, "forget_bias": 1.0}),
        ((100, 32, 256, 256), {"heads": 4, "forget_bias": 1.0}),
    ],
    "LMU": [
        ((28, 128, 28, 128), {"order": 32, "theta": 28.0}),
        ((100, 32, 256, 256), {"order": 32, "theta": 100.0}),
        ((784, 1, 1, 212), {"order": 256, "theta": 784.0}),  # sequential MNIST, as in the paper
    ],
}


def slstm(layer: Any, compiled: bool) -> Callable[[Tensor], Tensor]:
    """The equations of the paper as its plain code has them: h of every step (T, B, H)."""
    heads, H = layer.heads, layer.hidden_size
    size = H // heads

    def step(
        wx: Tensor, r: Tensor, h: Tensor, c: Tensor, n: Tensor, m: Tensor
    ) -> tuple[Tensor, ...]:
        rh = torch.matmul(h.view(-1, heads, 1, size), r).view(-1, heads, 4, size)
        a_i, a_f, a_z, a_o = (wx + rh.transpose(1, 2).reshape(len(h), -1)).chunk(4, 1)
        held = F.logsigmoid(a_f) + m
        after = torch.maximum(held, a_i)
        i, f = torch.exp(a_i - after), torch.exp(held - after)
        c, n = f * c + i * torch.tanh(a_z), f * n + i
        return torch.sigmoid(a_o) * c / n, c, n, after

    run = torch.compile(step) if compiled else step

    def whole(x: Tensor) -> Tensor:
        wx = F.linear(x, layer.weight_ih_l0, layer.bias_ih_l0)
        blocks = layer.weight_hh_l0.view(4, heads, size, size)
        r = blocks.permute(1, 3, 0, 2).reshape(heads, size, 4 * size)
        h, c, n = (x.new_zeros(x.size(1), H) for _ in range(3))
        m = x.new_full((x.size(1), H), -1e30)
        outputs = []
        for (sums,) in steps_of(wx):
            h, c, n, m = run(sums, r, h, c, n, m)
            outputs.append(h)
        return torch.stack(outputs)

    return whole


def lmu(layer: Any, compiled: bool) -> Callable[[Tensor], Tensor]:
    """The same of Voelker et al. 2019."""

    def step(
        wx: Tensor, ux: Tensor, h: Tensor, m: Tensor, into: Tensor, weights: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        w_h, w_m, a, b = weights
        u = ux + torch.cat([h, m], 1) @ into
        m = m @ a.T + u[:, None] * b
        return torch.tanh(wx + h @ w_h.T + m @ w_m.T), m

    run = torch.compile(step) if compiled else step

    def whole(x: Tensor) -> Tensor:
        wx = F.linear(x, layer.weight_ih_l0, layer.bias_ih_l0)
        ux, into = x @ layer.weight_iu_l0, torch.cat([layer.weight_hu_l0, layer.weight_mu_l0])
        weights = [layer.weight_hh_l0, layer.weight_mh_l0, layer.memory_a_l0, layer.memory_b_l0]
        h, m = x.new_zeros(x.size(1), layer.hidden_size), x.new_zeros(x.size(1), layer.order)
        outputs = []
        for parts in steps_of(wx, ux):
            h, m = run(*parts, h, m, into, weights)
            outputs.append(h)
        return torch.stack(outputs)

    return whole


PUBLISHED = {"SLSTM": slstm, "LMU": lmu}


def measure(
    name: str, shape: tuple[int, int, int, int], given: dict[str, Any], training: bool, rounds: int
) -> None:
    """Print a line for each peer."""
    T, B, inputs, H = shape
    torch._dynamo.reset()  # which compiles a function a few times, then no more
    torch.manual_seed(0)
    layer = getattr(carousel, name)(inputs, H, **given)
    lstm = carousel.LSTM(inputs, H)
    x = torch.randn(T, B, inputs)

    def step(run: Callable[[Tensor], Tensor]) -> Callable[[], object]:
        def call() -> object:
            with torch.set_grad_enabled(training):
                y = run(x)
            if training:
                y.square().mean().backward()  # type: ignore[no-untyped-call]
            return y

        return call

    eager, compiled = PUBLISHED[name](layer, False), PUBLISHED[name](layer, True)
    with torch.no_grad():
        torch.testing.assert_close(layer(x)[0], eager(x), rtol=1e-4, atol=1e-4)
    runs = {
        name: step(lambda x: layer(x)[0]),
        "eager": step(eager),
        "compiled": step(compiled),
        "carousel.LSTM": step(lambda x: lstm(x)[0]),
    }
    times = in_turn(runs, rounds)
    for peer, own in times.items():
        print(
            f"{name} {shape} {given} {'training' if training else 'inference'} {peer}: best "
            f"{1e3 * min(own):.2f} ms, median of ratios {ratio(own, times[name]):.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=sorted(SHAPES), help="one of the cells")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}, {carousel.active_isa()}")
    for name in [arguments.only] if arguments.only else SHAPES:
        for shape, given in SHAPES[name]:
            for training in (False, True):
                measure(name, shape, given, training, arguments.rounds)


if __name__ == "__main__":
    main()
