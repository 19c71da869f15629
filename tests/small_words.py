"""Labelled words that a small network learns in a second."""

import random

from carousel.config import Config

CITIES = ("rome", "oslo", "new york", "san marino", "lima")


def write_columns(folder, count=300, seed=0):
    """Columns: journeys from one place to another; only the words around a place tell which."""
    chance = random.Random(seed)
    sentences = []
    for _ in range(count):
        parts = [("from", "from"), ("to", "to")]
        chance.shuffle(parts)
        lines = ["please O"] * chance.randint(0, 3) + ["go O"]
        for word, kind in parts:
            first, *rest = chance.choice(CITIES).split()
            lines += [f"{word} O", f"{first} B-{kind}", *(f"{w} I-{kind}" for w in rest)]
        sentences.append("\n".join(lines))
    path = folder / "journeys.txt"
    path.write_text("\n\n".join(sentences) + "\n")
    return path


def words_config(path, *more):
    return Config(task="label_words").override(
        [
            "data.name=columns",
            f"data.path='{path}'",
            "text.validation=0.15",
            "text.test=0.15",
            "text.features='word,suffix'",
            "model.hidden_size=12",
            "model.feature_size=4",
            "model.bidirectional=true",
            "regularization.dropout=0.1",
            "regularization.input_dropout=0.1",
            "optimizer.learning_rate=2e-2",
            "training.epochs=10",
            "training.batch_size=16",
            *more,
        ]
    )
