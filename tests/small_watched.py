"""A series with anomalies that a small network finds in a second."""

import math
import random
from datetime import datetime, timedelta

from carousel.config import Config

COUNT = 900
ANOMALIES = ((600, 619), (750, 764))


def rows(count=COUNT, seed=0, anomalies=ANOMALIES):
    """(time, wave, other, label): a wave whose half stands still, and one of twice its pace that
    jumps: columns 0 and 1 are unusual in turn."""
    chance, found = random.Random(seed), []
    for t in range(count):
        inside = [n for n, (first, last) in enumerate(anomalies) if first <= t <= last]
        wave = math.sin(2 * math.pi * t / 12) + chance.gauss(0, 0.05)
        other = 5 + 3 * math.cos(2 * math.pi * t / 6) + chance.gauss(0, 0.1)
        if inside:
            wave, other = (0.0, other) if inside[0] % 2 == 0 else (wave, other + 6)
        found.append((datetime(2024, 1, 1) + timedelta(hours=t), wave, other, int(bool(inside))))
    return found


def write_watched(folder, name="series.csv", label=True, **how):
    lines = ["time,wave,other" + ",label" * label]
    for time, wave, other, wrong in rows(**how):
        lines.append(f"{time.isoformat()},{wave:.5f},{other:.5f}" + f",{wrong}" * label)
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def watched_args():
    """The settings of a small detector."""
    return [
        "anomaly.window=24",
        "anomaly.horizon=2",
        "anomaly.season=12",
        "anomaly.false_alarms=10",
        "model.cell=gru",
        "model.hidden_size=12",
        "optimizer.learning_rate=1e-2",
        "optimizer.clip_norm=1",
        "training.epochs=6",
        "training.batch_size=32",
    ]


def watched_config(path, *more):
    given = ["data.name=series", f"data.path='{path}'", *watched_args(), *more]
    return Config(task="anomaly").override(given)
