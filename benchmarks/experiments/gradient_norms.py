"""How far back does the gradient reach? Its norm against the time lag, by cell.

Networks read MNIST pixel by pixel, 784 steps; the loss is taken after the last. What is measured,
in float64, on 64 validation images: the mean over images of |dL/ds_{T-k}|, the gradient with
respect to the state k steps before the end (s: h, and of the LSTM c too), at initialisation and
after a short training.

    python benchmarks/experiments/gradient_norms.py [--report]
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
import torch
from common import Results, Row, figure, save, spread, table, train, write_table
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

SEEDS = range(5)
IMAGES = 64
LAGS = (*range(32), *range(32, 128, 4), *range(128, 784, 16), 783)
TRAINING = (
    "model.hidden_size=64",
    "data.train_limit=12800",
    "data.validation=1000",
    "optimizer.name=adam",
    "schedule.name=constant",
    "training.batch_size=64",
    "training.epochs=1",
)
LSTM = ("mnist-pixels", "model.cell=lstm", "initialization.name=torch")
CELLS: dict[str, tuple[str, ...]] = {  # the name: a recipe and what is set in it
    "tanh RNN": ("mnist-pixels", "model.cell=rnn", "initialization.name=torch"),
    "IRNN": ("mnist-pixels-irnn",),
    "LSTM, forget bias 0": (*LSTM, "model.forget_bias=0.0"),
    "LSTM, forget bias 1": (*LSTM, "model.forget_bias=1.0"),
    "GRU": ("mnist-pixels", "model.cell=gru", "initialization.name=torch"),
}
RATE = {"IRNN": 1e-4}  # the recipe's; 1e-3 for the others


def norms(task: Any, net: nn.Module) -> Row:
    """The mean gradient norms at `LAGS`, by part of the state."""
    images, labels = task.parts.validation.images[:IMAGES], task.parts.validation.labels[:IMAGES]
    x = task._sequences(images).double()
    net = copy.deepcopy(net).double()
    states: list[tuple[Tensor, ...]] = []
    hx: Any = None
    for step in range(x.size(1)):
        _, hx = net.recurrent.step(x[:, step], hx)  # type: ignore[union-attr,operator]
        parts = hx if isinstance(hx, tuple) else (hx,)
        for part in parts:
            part.requires_grad_().retain_grad()
        states.append(parts)
    logits = net.head(states[-1][0][-1])  # type: ignore[operator]
    torch.autograd.backward(F.cross_entropy(logits, labels, reduction="sum"))
    found: Row = {}
    for name, parts in zip("hc", zip(*states, strict=True), strict=False):
        gradients = [parts[-1 - lag].grad for lag in LAGS]
        found[name] = [_mean_norm(gradient) for gradient in gradients]
    return found


def _mean_norm(gradient: Tensor | None) -> float:
    """The mean over images; nothing depends on the last c, whose gradient is None."""
    if gradient is None or not gradient.any():
        return 0.0
    scale = gradient.abs().max()  # squares of what is left after 784 steps would underflow
    return float(f"{scale * (gradient[-1] / scale).norm(dim=1).mean():.4g}")


def one_run(cell: str, seed: int) -> Row:
    recipe, *settings = CELLS[cell]
    settings += [*TRAINING, f"optimizer.learning_rate={RATE.get(cell, 1e-3)}"]
    return {
        "recipe": recipe,
        "settings": settings,
        "lags": list(LAGS),
        **train(recipe, settings, seed, look=norms),
    }


def curves(rows: list[Row], when: str, part: str) -> NDArray[np.float64]:
    """(seeds, lags): the norms of a part of the state over those one step before the end."""
    found = np.array([row[when][part] for row in rows])
    return np.asarray(found / found[:, 1:2])


def per_step(curve: NDArray[np.float64], low: int = 24, high: int = 104) -> NDArray[np.float64]:
    """The factor by which the norm changes per step: the geometric mean between two lags."""
    change = curve[:, LAGS.index(high)] / curve[:, LAGS.index(low)]
    return np.asarray(change ** (1 / (high - low)))


def reach(curve: NDArray[np.float64]) -> list[int]:
    """For each seed the first lag at which the norm is below a millionth."""
    below = (curve < 1e-6) & (np.array(LAGS) > 1)
    return [LAGS[row.argmax()] if row.any() else LAGS[-1] + 1 for row in below]


def report(results: Results, rows: dict[str, list[Row]]) -> None:
    lines = []
    for cell, runs in rows.items():
        for part in [part for part in "hc" if part in runs[0]["start"]]:
            line = [f"{cell}: {part}"]
            for when in ("start", "end"):
                curve = curves(runs, when, part)
                line.append(spread(per_step(curve), "{:.3f}"))
                line.append(spread(reach(curve), "{:.0f}").replace("784", "never"))
            lines.append(line)
    columns = ("", "start: per step", "a millionth at", "trained: per step", "a millionth at")
    write_table(results, "norms", table(columns, lines))
    accuracy = [
        (cell, spread((100 * row["validation"]["accuracy"] for row in runs), "{:.1f}"))
        for cell, runs in rows.items()
    ]
    write_table(results, "accuracy", table(("", "validation accuracy, %"), accuracy))


def draw(results: Results, rows: dict[str, list[Row]]) -> None:
    drawn, axes = figure(2, 11, 4.6)
    titles = {"start": "at initialisation", "end": "after 200 steps of training"}
    for axis, (when, title) in zip(axes[0], titles.items(), strict=True):
        for number, (cell, runs) in enumerate(rows.items()):
            curve = curves(runs, when, "h")[:, 1:]
            # Some lie on each other: the first is dashed, on top.
            style = {"color": f"C{number}", "ls": "-" if number else "--", "zorder": 3 - number / 9}
            axis.plot(LAGS[1:], np.median(curve, 0), label=cell, **style)
            low, high = curve.min(0), curve.max(0)
            axis.fill_between(LAGS[1:], low, high, color=f"C{number}", alpha=0.2, lw=0)
        axis.set_yscale("log")
        axis.set_ylim(1e-20, 1e4)
        axis.set_xlim(0, LAGS[-1])
        axis.set_xlabel("lag k, steps before the end")
        axis.set_title(title)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("|dL/dh at T - k| / |dL/dh at T - 1|")
    drawn.legend(
        *axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(rows)
    )
    save(drawn, results)


def main() -> None:
    results = Results("gradient-norms")
    rows: dict[str, list[Row]] = {cell: [] for cell in CELLS}
    for seed in SEEDS:
        for cell in CELLS:
            row = results.once({"cell": cell, "seed": seed}, partial(one_run, cell, seed))
            rows[cell] += [row] if row else []
    rows = {cell: runs for cell, runs in rows.items() if runs}
    report(results, rows)
    draw(results, rows)


if __name__ == "__main__":
    main()
