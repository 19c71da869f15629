"""Texts that a small language model learns in a second."""

import random

from carousel.config import Config


def write_text(folder, sentences=700, seed=0):
    """A text of an artificial language: subject, verb, object, each choosing the next."""
    chance = random.Random(seed)
    verbs = {"cats": ["chase", "eat"], "dogs": ["chase", "bark at"], "people": ["feed", "eat"]}
    objects = {"chase": "mice", "eat": "fish", "bark at": "birds", "feed": "dogs"}
    lines = []
    for _ in range(sentences):
        subject = chance.choice(list(verbs))
        verb = chance.choice(verbs[subject])
        lines.append(f"{subject} {verb} {objects[verb]}")
    path = folder / "text.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_lines(folder, count=120, seed=0):
    """Labelled lines: numbers that end in as many zeros or ones as their label says."""
    chance = random.Random(seed)
    folder = folder / "lines"
    folder.mkdir()
    for label, end in (("Zero", "00"), ("One", "11")):
        starts = chance.sample(range(1000), count)
        (folder / f"{label}.txt").write_text("\n".join(f"{n}{end}" for n in starts))
    return folder


def text_config(path, *more):
    return Config(task="generate").override(
        [
            "data.name=" + ("lines" if path.is_dir() else "text"),
            f"data.path='{path}'",
            "text.bptt=7",
            "text.validation=0.1",
            "text.test=0.1",
            "model.hidden_size=16",
            "optimizer.learning_rate=2e-2",
            "optimizer.clip_norm=1",
            "training.epochs=2",
            "training.batch_size=8",
            *more,
        ]
    )
