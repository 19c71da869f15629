"""Time of the sLSTM against its published equations in torch, eager and compiled, in turn.

    python benchmarks/own_cells.py [--rounds 7]

All run in one process on one thread, round after round; what is taken is the time of the processor,
which what else the machine does touches least. A ratio is that of one round; printed are their
median and the best (lowest) time of each. The
peers form the products with the inputs for all steps at once and loop over time, which is the best
that torch can do with the equations; `compiled` is that loop's step under torch.compile.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

import carousel

# (T, B, I, H, heads)
SHAPES = [(28, 128, 28, 128, 1), (28, 128, 28, 128, 4), (100, 32, 256, 256, 4)]


def published(layer: carousel.SLSTM, compiled: bool) -> Callable[[Tensor], Tensor]:
    """The equations of the paper as its plain code has them: h of every step (T, B, H)."""
    heads, H = layer.heads, layer.hidden_size
    size = H // heads

    def step(
        wx: Tensor, r: Tensor, h: Tensor, c: Tensor, n: Tensor, m: Tensor
    ) -> tuple[Tensor, ...]:
        rh = torch.matmul(h.view(-1, heads, 1, size), r).view(-1, heads, 4, size)
        a_i, a_f, a_z, a_o = (wx + rh.transpose(1, 2).reshape(len(h), -1)).chunk(4, 1)
        held = torch.nn.functional.logsigmoid(a_f) + m
        after = torch.maximum(held, a_i)
        i, f = torch.exp(a_i - after), torch.exp(held - after)
        c, n = f * c + i * torch.tanh(a_z), f * n + i
        return torch.sigmoid(a_o) * c / n, c, n, after

    run = torch.compile(step) if compiled else step

    def whole(x: Tensor) -> Tensor:
        wx = torch.nn.functional.linear(x, layer.weight_ih_l0, layer.bias_ih_l0)
        blocks = layer.weight_hh_l0.view(4, heads, size, size)
        r = blocks.permute(1, 3, 0, 2).reshape(heads, size, 4 * size)
        h, c, n = (x.new_zeros(x.size(1), H) for _ in range(3))
        m = x.new_full((x.size(1), H), -1e30)
        outputs = []
        for t in range(len(x)):
            h, c, n, m = run(wx[t], r, h, c, n, m)
            outputs.append(h)
        return torch.stack(outputs)

    return whole


def timed(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def measure(shape: tuple[int, ...], training: bool, rounds: int) -> None:
    """Print a line for each peer."""
    T, B, inputs, H, heads = shape
    torch.manual_seed(0)
    layer = carousel.SLSTM(inputs, H, heads=heads, forget_bias=1.0)
    lstm = carousel.LSTM(inputs, H)
    x = torch.randn(T, B, inputs)

    def step(run: Callable[[Tensor], Tensor]) -> Callable[[], object]:
        def call() -> object:
            with torch.set_grad_enabled(training):
                y = run(x)
            if training:
                y.square().mean().backward()
            return y

        return call

    eager, compiled = published(layer, False), published(layer, True)
    with torch.no_grad():
        torch.testing.assert_close(layer(x)[0], eager(x), rtol=1e-4, atol=1e-5)
    runs = {
        "SLSTM": step(lambda x: layer(x)[0]),
        "eager": step(eager),
        "compiled": step(compiled),
        "carousel.LSTM": step(lambda x: lstm(x)[0]),
    }
    for call in runs.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, call in runs.items():
            times[name].append(timed(call))
    for name, own in times.items():
        ratios = [one / base for one, base in zip(own, times["SLSTM"], strict=True)]
        print(
            f"{shape} {'training' if training else 'inference'} {name}: best "
            f"{1e3 * min(own):.2f} ms, median of ratios {statistics.median(ratios):.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}, {carousel.active_isa()}")
    for shape in SHAPES:
        for training in (False, True):
            measure(shape, training, arguments.rounds)


if __name__ == "__main__":
    main()
