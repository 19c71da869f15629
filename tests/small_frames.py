"""Recordings that a small network labels in a second: what a frame is depends on its past."""

import random

from carousel.config import Config


def write_recordings(folder, count=8, frames=150, seed=0):
    """CSV files: a pulse starts a state, which lasts until the pulse of another; the other column
    is noise. A frame between pulses says nothing by itself. Some frames have no label."""
    chance = random.Random(seed)
    folder = folder / "recordings"
    folder.mkdir()
    for number in range(count):
        state, rows = 0, ["pulse,noise,label"]
        for t in range(frames):
            pulse = 0.0
            if t == 0 or chance.random() < 0.08:
                state = chance.randrange(3)
                pulse = (-1.0, 1.0, 2.0)[state]
            label = "" if chance.random() < 0.1 else ["low", "mid", "high"][state]
            rows.append(f"{pulse},{chance.gauss(0, 0.1):.3f},{label}")
        (folder / f"r{number}.csv").write_text("\n".join(rows) + "\n")
    return folder


def frames_config(path, *more):
    return Config(task="label_frames").override(
        [
            "data.name=recordings",
            f"data.path='{path}'",
            "frames.window=40",
            "model.hidden_size=16",
            "optimizer.learning_rate=2e-2",
            "optimizer.clip_norm=1",
            "training.epochs=60",
            "training.batch_size=4",
            *more,
        ]
    )


def film_config(*more):
    return Config(task="label_frames").override(
        [
            "data.name=moving-digits",
            "scenes.count=40",
            "scenes.held=10",
            "scenes.side=16",
            "encoder.width=8",
            "encoder.features=16",
            "encoder.stages=2",
            "model.hidden_size=24",
            "optimizer.learning_rate=1e-2",
            "optimizer.clip_norm=1",
            "training.epochs=2",
            "training.batch_size=8",
            *more,
        ]
    )
