"""Recordings of unequal length with one number each, or two, that a small network finds."""

import random

from carousel.config import Config


def write_whole(folder, count=24, seed=0, groups=(), missing=0):
    """CSV files and targets.csv: the area under x, and, where it is not left out, its last value
    times a thousand. `missing` of the areas are not known."""
    chance = random.Random(seed)
    folder = folder / "whole"
    folder.mkdir()
    table = ["file,area,last" + (",group" if groups else "")]
    for number in range(count):
        x = [chance.uniform(-1, 1) for _ in range(chance.randrange(5, 15))]
        rows = ["x,noise", *(f"{value:.4f},{chance.gauss(0, 1):.3f}" for value in x)]
        (folder / f"w{number:02}.csv").write_text("\n".join(rows) + "\n")
        area = "" if number < missing else f"{sum(x) + 10:.4f}"
        group = f",{groups[number % len(groups)]}" if groups else ""
        table.append(f"w{number:02}.csv,{area},{1000 * x[-1]:.2f}{group}")
    (folder / "targets.csv").write_text("\n".join(table) + "\n")
    return folder


def only_area(folder):
    """The same with one number each."""
    rows = [line.split(",") for line in (folder / "targets.csv").read_text().splitlines()]
    (folder / "targets.csv").write_text("\n".join(f"{row[0]},{row[1]}" for row in rows) + "\n")
    return folder


def whole_config(path, *more):
    return Config(task="regress").override(
        [
            "data.name=recordings",
            f"data.path='{path}'",
            "model.hidden_size=16",
            "optimizer.learning_rate=2e-2",
            "optimizer.clip_norm=1",
            "training.epochs=40",
            "training.batch_size=4",
            *more,
        ]
    )
