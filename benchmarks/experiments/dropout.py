"""Where does dropout belong? Zaremba's claim on Penn Treebank words, with equal budgets.

No dropout; dropout on the vertical connections alone (Zaremba et al. 2014); the same with fresh
masks on the recurrent path too (naive); masks constant over time on input, state and output (Gal
and Ghahramani 2016). Three seeds each; nothing is chosen on the test part.

    python benchmarks/experiments/dropout.py [--report]
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from common import PTB, Results, Row, dots, figure, save, spread, table, write_table

SEEDS = (0, 1, 2)
RATE = 0.3
SETTING = replace(
    PTB,
    settings=(
        "data.train_limit=25000",
        "text.max_vocabulary=2000",
        "text.loss_scale=mean",
        "model.num_layers=2",
        "model.hidden_size=100",
        "model.forget_bias=1.0",
        "initialization.name=torch",
        "optimizer.name=adam",
        "optimizer.learning_rate=0.005",
        "optimizer.clip_norm=1.0",
        "schedule.name=constant",
        "training.epochs=14",
        "training.batch_size=10",
    ),
)
KINDS = {
    "none": (),
    "vertical": ("regularization.dropout",),
    "naive": ("regularization.dropout", "regularization.naive_recurrent_dropout"),
    "variational": ("regularization.variational",),
}


def run(results: Results, kind: str, seed: int) -> list[Row]:
    """The run, if it is there."""
    extra = [f"{key}={RATE}" for key in KINDS[kind]]
    row = SETTING.run(results, {"dropout": kind}, extra, seed)
    return [row] if row else []


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
    colors = [f"C{number}" for number in range(len(rows))]
    dots(axes[0][0], values, colors)
    axes[0][0].set_xlabel("test perplexity: each seed, and the median")
    for (arm, found), color in zip(rows.items(), colors, strict=True):
        epochs = np.array([[end["perplexity"] for end in row["epochs"]] for row in found])
        x = range(1, epochs.shape[1] + 1)
        axes[0][1].plot(x, np.median(epochs, 0), color=color, label=arm)
        axes[0][1].fill_between(x, epochs.min(0), epochs.max(0), color=color, alpha=0.15, lw=0)
    axes[0][1].set_xlabel("epoch")
    axes[0][1].set_ylabel("validation perplexity, median of the seeds")
    axes[0][1].grid(alpha=0.3)
    axes[0][1].legend(fontsize="small")
    save(drawn, results)


def main() -> None:
    results = Results("dropout")
    rows: dict[str, list[Row]] = {kind: [] for kind in KINDS}
    for seed in SEEDS:
        for kind in KINDS:
            rows[kind] += run(results, kind, seed)
    rows = {kind: found for kind, found in rows.items() if found}
    report(rows, results)
    draw(rows, results)


if __name__ == "__main__":
    main()
