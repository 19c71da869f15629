"""Where does dropout belong? Zaremba's claim on Penn Treebank words, with equal budgets.

No dropout; dropout on the vertical connections alone (Zaremba et al. 2014); the same with fresh
masks on the recurrent path too (naive); masks constant over time on input, state and output (Gal
and Ghahramani 2016). Each rate is run with three seeds; nothing is chosen on the test part.

    python benchmarks/experiments/dropout.py [--report]
"""

from __future__ import annotations

import statistics
from dataclasses import replace

import numpy as np
from common import PTB, Results, Row, dots, figure, save, spread, table, write_table

SEEDS = (0, 1, 2)
RATES = (0.2, 0.4)
SETTING = replace(
    PTB,
    settings=(
        "data.train_limit=60000",
        "text.max_vocabulary=2000",
        "text.loss_scale=mean",
        "model.num_layers=2",
        "model.hidden_size=100",
        "optimizer.name=adam",
        "optimizer.learning_rate=0.003",
        "optimizer.clip_norm=1.0",
        "schedule.name=constant",
        "training.epochs=8",
    ),
)
KINDS = {
    "none": (),
    "vertical": ("regularization.dropout",),
    "naive": ("regularization.dropout", "regularization.naive_recurrent_dropout"),
    "variational": ("regularization.variational",),
}
ARMS = [("none", 0.0)] + [(kind, rate) for kind in list(KINDS)[1:] for rate in RATES]


def runs(results: Results, kind: str, rate: float) -> list[Row]:
    extra = [f"{key}={rate}" for key in KINDS[kind]]
    label = {"dropout": kind, "rate": rate}
    found = [SETTING.run(results, label, extra, seed) for seed in SEEDS]
    return [row for row in found if row]


def name(kind: str, rate: float) -> str:
    return f"{kind} {rate:g}" if rate else kind


def report(rows: dict[str, list[Row]], results: Results) -> None:
    lines = []
    for arm, found in rows.items():
        best = [1 + int(np.argmin([e["perplexity"] for e in row["epochs"]])) for row in found]
        lines.append(
            (
                arm,
                spread((SETTING.of(row, "validation") for row in found), SETTING.show),
                spread((SETTING.of(row, "test") for row in found), SETTING.show),
                spread((np.exp(row["train_loss"][-1]) for row in found), "{:.0f}"),
                spread(best, "{:.0f}"),
            )
        )
    columns = ("dropout", "validation", "test", "training, last epoch", "best epoch")
    write_table(results, "dropout", table(columns, lines))


def draw(rows: dict[str, list[Row]], results: Results) -> None:
    """Left: test perplexity per seed; right: validation perplexity per epoch, median of seeds."""
    drawn, axes = figure(2, 11, 4.4)
    values = {arm: [SETTING.of(row, "test") for row in found] for arm, found in rows.items()}
    kinds = list(KINDS)
    colors = [f"C{kinds.index(arm.split()[0])}" for arm in rows]
    dots(axes[0][0], values, colors)
    axes[0][0].set_xlabel("test perplexity: each seed, and the median")
    for (arm, found), color in zip(rows.items(), colors, strict=True):
        epochs = np.array([[end["perplexity"] for end in row["epochs"]] for row in found])
        style = "--" if arm.endswith(f"{RATES[1]:g}") else "-"
        x = range(1, epochs.shape[1] + 1)
        axes[0][1].plot(x, np.median(epochs, 0), style, color=color, label=arm)
    best = min(statistics.median(found) for found in values.values())
    axes[0][1].set_ylim(0.95 * best, 1.6 * best)
    axes[0][1].set_xlabel("epoch")
    axes[0][1].set_ylabel("validation perplexity, median of the seeds")
    axes[0][1].grid(alpha=0.3)
    axes[0][1].legend(fontsize="small")
    save(drawn, results)


def main() -> None:
    results = Results("dropout")
    rows = {name(kind, rate): runs(results, kind, rate) for kind, rate in ARMS}
    rows = {arm: found for arm, found in rows.items() if found}
    report(rows, results)
    draw(rows, results)


if __name__ == "__main__":
    main()
