"""Which parts of the LSTM matter? The variants of Greff et al. 2015 on two tasks.

Each variant leaves one part of the LSTM out, or adds one, and is trained like the others, with
three seeds.

    python benchmarks/experiments/lstm_variants.py [--report]
"""

from __future__ import annotations

from common import MNIST, PTB, Results, Row, Setting, dots, figure, save, spread, table, write_table

SEEDS = (0, 1, 2)
ADAM = ("optimizer.name=adam", "optimizer.learning_rate=0.003")
SETTINGS = (MNIST.also("training.epochs=1", *ADAM), PTB.also(*ADAM))
VARIANTS = {
    "LSTM": (),
    "peepholes": ("model.peephole=true",),
    "CIFG: f = 1 - i": ("model.coupled=true",),
    "NIG: i = 1": ("model.variant=NIG",),
    "NFG: f = 1": ("model.variant=NFG",),
    "NOG: o = 1": ("model.variant=NOG",),
    "NIAF: no tanh of the input": ("model.variant=NIAF",),
    "NOAF: no tanh of the output": ("model.variant=NOAF",),
}


def runs(results: Results, setting: Setting, variant: str) -> list[Row]:
    label = {"variant": variant.split(":")[0]}
    found = [setting.run(results, label, VARIANTS[variant], seed) for seed in SEEDS]
    return [row for row in found if row]


def report(results: Results, setting: Setting, rows: dict[str, list[Row]]) -> None:
    lines = [
        (
            variant,
            f"{found[0]['parameters']:,}",
            spread((setting.of(row, "validation") for row in found), setting.show),
            spread((setting.of(row, "test") for row in found), setting.show),
        )
        for variant, found in rows.items()
    ]
    columns = ("variant", "parameters", "validation", "test")
    write_table(results, setting.recipe, table(columns, lines))


def main() -> None:
    results = Results("lstm-variants")
    drawn, axes = figure(len(SETTINGS), 11, 4)
    for axis, setting in zip(axes[0], SETTINGS, strict=True):
        rows = {variant: runs(results, setting, variant) for variant in VARIANTS}
        rows = {variant: found for variant, found in rows.items() if found}
        report(results, setting, rows)
        heights = {v: [setting.height(row, "test") for row in found] for v, found in rows.items()}
        dots(axis, heights)
        axis.set_xlabel(f"test {setting.axis}: each seed, and the median")
        axis.set_title(setting.recipe)
    axes[0][-1].set_yticklabels([])
    save(drawn, results)


if __name__ == "__main__":
    main()
