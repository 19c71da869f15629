"""Recordings with a number per step that a small network finds in a second."""

import random

from carousel.config import Config


def write_measured(folder, count=10, steps=60, seed=0):
    """CSV files: the number is the mean of the last three inputs; some are not given."""
    chance = random.Random(seed)
    folder = folder / "measured"
    folder.mkdir()
    for number in range(count):
        x, rows = [], ["x,noise,label"]
        for _ in range(steps):
            x.append(chance.uniform(-3, 3))
            wanted = sum(x[-3:]) / 3 + 10
            label = "" if chance.random() < 0.2 else f"{wanted:.4f}"
            rows.append(f"{x[-1]:.4f},{chance.gauss(0, 1):.3f},{label}")
        (folder / f"m{number}.csv").write_text("\n".join(rows) + "\n")
    return folder


def measured_config(path, *more):
    return Config(task="regress").override(
        [
            "data.name=recordings",
            f"data.path='{path}'",
            "frames.window=30",
            "model.hidden_size=16",
            "optimizer.learning_rate=2e-2",
            "optimizer.clip_norm=1",
            "training.epochs=40",
            "training.batch_size=4",
            *more,
        ]
    )
