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
RATES = (0.3, 0.5)
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


def run(results: Results, kind: str, rate: float, seed: int) -> list[Row]:
    """The run, if it is there."""
    extra = [f"{key}={rate}" for key in KINDS[kind]]
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
    colors = [f"C{list(KINDS).index(arm.split()[0])}" for arm in rows]
    dots(axes[0][0], values, colors)
    axes[0][0].set_xlabel("test perplexity: each seed, and the median")
    for (arm, found), color in zip(rows.items(), colors, strict=True):
        epochs = np.array([[end["perplexity"] for end in row["epochs"]] for row in found])
        x = range(1, epochs.shape[1] + 1)
        style = "--" if arm.endswith(str(RATES[1])) else "-"
        axes[0][1].plot(x, np.median(epochs, 0), style, color=color, label=arm)
        axes[0][1].fill_between(x, epochs.min(0), epochs.max(0), color=color, alpha=0.15, lw=0)
    axes[0][1].set_xlabel("epoch")
    axes[0][1].set_ylabel("validation perplexity, median of the seeds")
    axes[0][1].grid(alpha=0.3)
    axes[0][1].legend(fontsize="small")
    save(drawn, results)


def order(item: tuple[str, list[Row]]) -> tuple[int, str]:
    """By kind, then by rate."""
    return list(KINDS).index(item[0].split()[0]), item[0]


def main() -> None:
    results = Results("dropout")
    arms = [("none", 0.0), *((kind, rate) for rate in RATES for kind in list(KINDS)[1:])]
    rows: dict[str, list[Row]] = {f"{kind} {rate:g}" if rate else kind: [] for kind, rate in arms}
    for rate in (0.0, *RATES):
        for seed in SEEDS:
            for arm, (kind, its_rate) in zip(rows, arms, strict=True):
                if rate == its_rate:
                    rows[arm] += run(results, kind, rate, seed)
    rows = {arm: found for arm, found in sorted(rows.items(), key=order) if found}
    report(rows, results)
    draw(rows, results)


if __name__ == "__main__":
    main()
