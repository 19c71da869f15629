"""Pairs of sentences that a small network learns to translate in seconds."""

import random

from carousel.config import Config

WORDS = {
    "rot": "red", "blau": "blue", "gross": "big", "klein": "small", "alt": "old",
}  # fmt: skip
NOUNS = {"Hund": "dog", "Katze": "cat", "Vogel": "bird", "Fisch": "fish"}
VERBS = {"rennt": "runs", "schläft": "sleeps", "singt": "sings"}


def some_pairs(count, seed=0):
    """The verb comes first in the source and last in the target: they are not word for word."""
    chance = random.Random(seed)
    pairs = []
    for _ in range(count):
        verb, noun = chance.choice(list(VERBS)), chance.choice(list(NOUNS))
        adjectives = [chance.choice(list(WORDS)) for _ in range(chance.randint(0, 3))]
        source = " ".join([verb, *adjectives, noun]) + "."
        target = " ".join(["the", *map(WORDS.get, adjectives), NOUNS[noun], VERBS[verb]]) + "."
        pairs.append((source, target))
    return pairs


def write_pairs(folder, count=600):
    path = folder / "pairs.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in some_pairs(count)), encoding="utf-8")
    return path


def pair_config(path, *more):
    return Config(task="translate").override(
        [
            "data.name=pairs",
            f"data.path='{path}'",
            "text.level=subword",
            "text.max_vocabulary=90",
            "text.validation=0.1",
            "text.test=0.1",
            "model.cell=gru",
            "model.hidden_size=48",
            "model.bidirectional=true",
            "regularization.dropout=0.05",
            "optimizer.learning_rate=5e-3",
            "optimizer.clip_norm=1",
            "training.epochs=24",
            "training.batch_size=16",
            "loss.label_smoothing=0.05",
            *more,
        ]
    )
