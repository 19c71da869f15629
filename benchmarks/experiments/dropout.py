"""Where does dropout belong? Zaremba's claim on Penn Treebank words, with equal budgets.

No dropout; dropout on the vertical connections alone (Zaremba et al. 2014); the same with fresh
masks on the recurrent path too (naive); masks constant over time on input, state and output (Gal
and Ghahramani 2016). Over all words, and over a few that are learned by heart. Three seeds where
the page does not say otherwise; nothing is chosen on the test part.

    python benchmarks/experiments/dropout.py [--report] [--only ptb-hour|ptb-small]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from common import PTB, Results, Row, Setting, dots, figure, save, spread, table, write_table

WHOLE, SHORT = (
    replace(
        PTB,
        recipe="ptb-hour",
        settings=("model.hidden_size=200", f"training.epochs={n}", "regularization.dropout=0.0"),
    )
    for n in (10, 6)
)
FEW = replace(
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
RATES = {WHOLE: (0.3, 0.5), SHORT: (0.3,), FEW: (0.3, 0.5)}
SEEDS = {WHOLE: (0, 1, 2), SHORT: (0,), FEW: (0, 1, 2)}
Arms = dict[str, list[Row]]


def run(results: Results, setting: Setting) -> Arms:
    """The runs of a setting that are there, in the order of the page."""
    arms = {"none": ("none", 0.0)}
    arms |= {f"{k} {rate:g}": (k, rate) for k in list(KINDS)[1:] for rate in RATES[setting]}
    rows: Arms = {arm: [] for arm in arms}
    for rate in (0.0, *RATES[setting]):
        for seed in SEEDS[setting]:
            for arm, (kind, its_rate) in arms.items():
                if rate == its_rate:
                    extra = [f"{key}={rate}" for key in KINDS[kind]]
                    row = setting.run(results, {"dropout": kind}, extra, seed)
                    rows[arm] += [row] if row else []
    return {arm: found for arm, found in rows.items() if found}


def report(name: str, setting: Setting, rows: Arms, results: Results) -> None:
    lines = []
    for arm, found in rows.items():
        best = [1 + int(np.argmin([e["perplexity"] for e in row["epochs"]])) for row in found]
        lines.append(
            (
                arm,
                spread((setting.of(row, "validation") for row in found), setting.show),
                spread((setting.of(row, "test") for row in found), setting.show),
                spread((np.exp(row["train_loss"][-1]) for row in found), "{:.0f}"),
                spread(best, "{:.0f}"),
            )
        )
    columns = ("dropout", "validation", "test", "training, last epoch", "best epoch")
    write_table(results, name, table(columns, lines))


def draw(axes: Sequence[Any], title: str, setting: Setting, rows: Arms) -> None:
    """Left: test perplexity per seed; right: validation perplexity per epoch, median of seeds."""
    values = {arm: [setting.of(row, "test") for row in found] for arm, found in rows.items()}
    colors = [f"C{list(KINDS).index(arm.split()[0])}" for arm in rows]
    dots(axes[0], values, colors)
    axes[0].set_title(title, loc="left")
    axes[0].set_xlabel("test perplexity: each seed, and the median")
    for (arm, found), color in zip(rows.items(), colors, strict=True):
        epochs = np.array([[end["perplexity"] for end in row["epochs"]] for row in found])
        x = range(1, epochs.shape[1] + 1)
        style = "--" if arm.endswith("0.5") else "-"
        axes[1].plot(x, np.median(epochs, 0), style, color=color, label=arm)
        axes[1].fill_between(x, epochs.min(0), epochs.max(0), color=color, alpha=0.15, lw=0)
    axes[1].set_xlabel("epoch")
    axes[1].set_ylabel("validation perplexity, median of the seeds")
    axes[1].grid(alpha=0.3)
    axes[1].legend(fontsize="small")


def main() -> None:
    results = Results("dropout")
    settings = {
        "whole": (WHOLE, "all words, 10 epochs"),
        "short": (SHORT, "all words, 6 epochs"),
        "few": (FEW, "25,000 words, 14 epochs"),
    }
    drawn, axes = figure(2, 11, 11, rows=len(settings))
    for row, (name, (setting, title)) in zip(axes, settings.items(), strict=True):
        found = run(results, setting)
        report(name, setting, found, results)
        draw(row, title, setting, found)
    save(drawn, results)


if __name__ == "__main__":
    main()
