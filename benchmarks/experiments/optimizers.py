"""Which optimiser, when each has its learning rate tuned by the same budget?

Five optimisers on two tasks. Each tries six rates, half a decade apart, with seed 0; the one best
on validation data is run with seeds 1, 2 and 3 and judged on the test part.

    python benchmarks/experiments/optimizers.py [--report]
"""

from __future__ import annotations

from collections.abc import Sequence

from common import MNIST, PTB, Results, Row, Setting, figure, save, spread, table, write_table
from matplotlib.ticker import LogLocator

SEEDS = (1, 2, 3)
RATES = {
    "sgd": (0.03, 0.1, 0.3, 1, 3, 10),
    "nesterov": (0.003, 0.01, 0.03, 0.1, 0.3, 1),
    "rmsprop": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "adagrad": (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3),
    "adam": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
}
TOP = {"mnist-rows": 25, "ptb-small": 300}  # of the picture; what failed is above it
NAMES = {
    "sgd": "SGD",
    "nesterov": "Nesterov",
    "rmsprop": "RMSProp",
    "adagrad": "AdaGrad",
    "adam": "Adam",
}


def tried(results: Results, setting: Setting, optimizer: str) -> list[Row]:
    """The runs of the rates that were tried."""
    rows = [run(results, setting, optimizer, rate, seed=0) for rate in RATES[optimizer]]
    return [row for row in rows if row]


def final(results: Results, setting: Setting, optimizer: str) -> list[Row]:
    """The runs of the rate that is best on validation data."""
    found = tried(results, setting, optimizer)
    if not found:
        return []
    rate = setting.best(found)["rate"]
    rows = [run(results, setting, optimizer, rate, seed) for seed in SEEDS]
    return [row for row in rows if row]


def run(results: Results, setting: Setting, optimizer: str, rate: float, seed: int) -> Row | None:
    extra = (f"optimizer.name={optimizer}", f"optimizer.learning_rate={rate}")
    label = {"optimizer": optimizer, "rate": rate}
    return setting.run(results, label, extra, seed, test=seed in SEEDS)


def report(results: Results, setting: Setting) -> None:
    lines = []
    for optimizer in reported(results, setting):
        rows = tried(results, setting, optimizer)
        rate = setting.best(rows)["rate"]
        finals = final(results, setting, optimizer)
        lines.append(
            (
                NAMES[optimizer],
                f"{rate:g}" + ("" if rate in RATES[optimizer][1:-1] else ", at the edge"),
                spread((setting.of(row, "validation") for row in finals), setting.show),
                spread((setting.of(row, "test") for row in finals), setting.show),
                str(sum("diverged" in row for row in rows)),
            )
        )
    columns = ("optimiser", "rate", "validation", "test", "diverged")
    write_table(results, setting.recipe, table(columns, lines))


def reported(results: Results, setting: Setting) -> list[str]:
    """The optimisers of which there are runs."""
    return [name for name in RATES if tried(results, setting, name)]


def draw(results: Results, settings: Sequence[Setting]) -> None:
    """Validation score against rate; the runs of the chosen rate as crosses."""
    drawn, axes = figure(len(settings), 5.5 * len(settings), 4.4)
    for axis, setting in zip(axes[0], settings, strict=True):
        for optimizer in reported(results, setting):
            color = f"C{list(RATES).index(optimizer)}"
            rows = tried(results, setting, optimizer)
            points = [(row["rate"], setting.height(row)) for row in rows]
            drawable = [point for point in points if point[1] < float("inf")]
            axis.plot(*zip(*drawable, strict=True), "o-", ms=4, color=color, label=NAMES[optimizer])
            crosses = [(r["rate"], setting.height(r)) for r in final(results, setting, optimizer)]
            if crosses:
                axis.plot(*zip(*crosses, strict=True), "x", ms=8, mew=1.5, color=color)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_ylim(top=TOP[setting.recipe])
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("")
        axis.grid(alpha=0.3)
        axis.set_xlabel("learning rate")
        axis.set_ylabel(f"validation {setting.axis}")
        axis.set_title(setting.recipe)
    drawn.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    save(drawn, results)


def main() -> None:
    results = Results("optimizers")
    done = []
    for setting in (MNIST, PTB):
        if results.may_run:
            for optimizer in RATES:
                final(results, setting, optimizer)
        if any(row["recipe"] == setting.recipe for row in results.rows):
            report(results, setting)
            done.append(setting)
    draw(results, done)


if __name__ == "__main__":
    main()
