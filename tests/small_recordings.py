"""Recordings of unequal length whose class only their order tells, and sounds of one pitch each."""

import math
import random

import numpy as np
import soundfile

from carousel.config import Config


def write_classes(folder, count=12, seed=0, groups=()):
    """CSV files CLASS/[GROUP/]rN.csv: a pulse up and one down; which comes first is the class."""
    chance = random.Random(seed)
    folder = folder / "classes"
    for label, first in (("down-up", -1.0), ("up-down", 1.0)):
        for number in range(count):
            steps = chance.randrange(6, 25)
            place = chance.randrange(0, steps - 3)
            rows = ["pulse,noise"]
            for t in range(steps):
                pulse = {place: first, place + 2: -first}.get(t, 0.0)
                rows.append(f"{pulse},{chance.gauss(0, 0.1):.3f}")
            where = folder / label / (groups[number % len(groups)] if groups else "")
            where.mkdir(parents=True, exist_ok=True)
            (where / f"r{number}.csv").write_text("\n".join(rows) + "\n")
    return folder


def write_sounds(folder, count=6, rate=8000):
    """WAV files of a low and a high tone, of unequal length and loudness."""
    chance = random.Random(1)
    folder = folder / "sounds"
    for label, pitch in (("high", 1800), ("low", 300)):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            samples = tone(pitch + chance.uniform(-20, 20), chance.uniform(0.1, 0.3), rate)
            soundfile.write(folder / label / f"t{number}.wav", samples, rate)
    return folder


def tone(pitch, seconds, rate=8000, loudness=0.5):
    t = np.arange(round(seconds * rate)) / rate
    return loudness * np.sin(2 * math.pi * pitch * t)


def recordings_config(path, *more):
    return Config(task="classify_recordings").override(
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
