"""Softsign in place of tanh: what does it do to the speed and to the score?

Score: the LSTM on two tasks and a vanilla RNN on one; three learning rates are tried for each with
seed 0, and the one best on validation data is run with seeds 1, 2 and 3. Speed: forward and
backward of one layer with each activation in turn, one thread; the ratio of the CPU times.

    python benchmarks/experiments/softsign.py [--report]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from common import MNIST, PTB, Results, Row, Setting, dots, figure, save, spread, table, write_table
from torch import Tensor

import carousel

SEEDS = (1, 2, 3)
RATES = (0.001, 0.003, 0.01)
ACTIVATIONS = ("tanh", "softsign")
CELLS = {"mnist-rows": ("lstm", "rnn"), "ptb-small": ("lstm",)}
SETTINGS = (
    MNIST.also("training.epochs=1", "optimizer.name=adam"),
    PTB.also("optimizer.name=adam"),
)
SHAPES = ((28, 128, 28, 128), (100, 32, 256, 256))  # T, B, I, H
ROUNDS = 41


def final(results: Results, setting: Setting, cell: str, activation: str) -> list[Row]:
    """The runs of the rate that is best on validation data."""
    tried = [run(results, setting, cell, activation, rate, seed=0) for rate in RATES]
    found = [row for row in tried if row]
    if not found:
        return []
    rate = setting.best(found)["rate"]
    rows = [run(results, setting, cell, activation, rate, seed) for seed in SEEDS]
    return [row for row in rows if row]


def run(
    results: Results, setting: Setting, cell: str, activation: str, rate: float, seed: int
) -> Row | None:
    extra = [f"model.cell={cell}", f"optimizer.learning_rate={rate}"]
    if activation != "tanh":  # which is every cell's own
        extra.append(f"model.activation={activation}")
    label = {"cell": cell, "activation": activation, "rate": rate}
    return setting.run(results, label, extra, seed, test=seed in SEEDS)


def forward_and_backward(layer: torch.nn.Module, x: Tensor) -> None:
    torch.autograd.backward(layer(x)[0].sum())


def speed(cell: str, shape: tuple[int, int, int, int]) -> Row:
    """CPU milliseconds of forward and backward with each activation, measured in turn."""
    T, B, I, H = shape  # noqa: E741
    x = torch.randn(T, B, I)
    layer = {"lstm": carousel.LSTM, "rnn": carousel.RNN, "gru": carousel.GRU}[cell]
    steps: dict[str, Callable[[], None]] = {}
    for activation in ACTIVATIONS:
        option = {} if activation == "tanh" else {"activation": activation}
        steps[activation] = partial(forward_and_backward, layer(I, H, **option), x)
    times: dict[str, list[float]] = {activation: [] for activation in ACTIVATIONS}
    for number in range(ROUNDS + 2):
        for activation, step in steps.items():
            started = time.process_time()
            step()
            if number >= 2:  # the first rounds warm up
                times[activation].append(round(1e3 * (time.process_time() - started), 4))
    return {"milliseconds": times}


def report_score(results: Results) -> None:
    lines = []
    for setting in SETTINGS:
        for cell in CELLS[setting.recipe]:
            for activation in ACTIVATIONS:
                rows = final(results, setting, cell, activation)
                if rows:
                    validation = (setting.of(row, "validation") for row in rows)
                    test = (setting.of(row, "test") for row in rows)
                    lines.append(
                        (
                            f"{setting.recipe}, {setting.metric}",
                            f"{cell.upper()}, {activation}",
                            f"{rows[0]['rate']:g}",
                            spread(validation, setting.show),
                            spread(test, setting.show),
                        )
                    )
    columns = ("task", "cell", "rate", "validation", "test")
    write_table(results, "score", table(columns, lines))


def report_speed(results: Results) -> None:
    lines = []
    for cell in ("lstm", "gru", "rnn"):
        for shape in SHAPES:
            asked = {"cell": cell, "shape": list(shape), "rounds": ROUNDS}
            row = results.once(asked, partial(speed, cell, shape))
            if row:
                tanh, softsign = (np.array(row["milliseconds"][name]) for name in ACTIVATIONS)
                low, middle, high = np.percentile(softsign / tanh, (25, 50, 75))
                lines.append(
                    (
                        cell.upper(),
                        ", ".join(map(str, shape)),
                        f"{np.median(tanh):.2f}",
                        f"{np.median(softsign):.2f}",
                        f"{middle:.2f} ({low:.2f} … {high:.2f})",
                    )
                )
    columns = ("cell", "T, B, I, H", "tanh, ms", "softsign, ms", "softsign / tanh")
    write_table(results, "speed", table(columns, lines))


def draw(results: Results) -> None:
    drawn, axes = figure(len(SETTINGS), 11, 3.2)
    for axis, setting in zip(axes[0], SETTINGS, strict=True):
        values = {}
        for cell in CELLS[setting.recipe]:
            for activation in ACTIVATIONS:
                rows = final(results, setting, cell, activation)
                if rows:
                    heights = [setting.height(row, "test") for row in rows]
                    values[f"{cell.upper()}, {activation}"] = heights
        if values:
            dots(axis, values, [f"C{'tanh' not in name:d}" for name in values])
        axis.set_xlabel(f"test {setting.axis}: each seed, and the median")
        axis.set_title(setting.recipe)
    save(drawn, results)


def main() -> None:
    results = Results("softsign")
    report_speed(results)
    report_score(results)
    draw(results)


if __name__ == "__main__":
    main()
