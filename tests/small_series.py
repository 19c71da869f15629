"""A series that a small network forecasts in a second."""

import math
import random
from datetime import date, timedelta

from carousel.config import Config


def write_series(folder, count=600, seed=0):
    """A daily CSV: a wave whose size another column announces, and a slow rise."""
    chance = random.Random(seed)
    lines = ["day,wave,size"]
    for t in range(count):
        size = 1 + (t // 40) % 2
        wave = size * math.sin(2 * math.pi * t / 10) + 0.01 * t + chance.gauss(0, 0.5)
        lines.append(f"{date(2001, 1, 1) + timedelta(t)},{wave:.4f},{size}")
    path = folder / "series.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def series_config(path, *more):
    return Config(task="forecast").override(
        [
            "data.name=series",
            f"data.path='{path}'",
            "forecast.context=20",
            "forecast.horizon=5",
            "forecast.season=10",
            "forecast.targets=wave",
            "model.hidden_size=16",
            "optimizer.learning_rate=1e-2",
            "optimizer.clip_norm=1",
            "training.epochs=25",
            "training.batch_size=32",
            *more,
        ]
    )
