"""Labelled sentences that a small network learns in a second."""

import random

from carousel.config import Config
from carousel.data.files.sentences import read_labelled

GOOD = ("great", "lovely", "clever")
BAD = ("dull", "awful", "clumsy")
FILLERS = ("the", "film", "is", "was", "plot", "and", "quite", "really", "actors", "were")


def write_sentences(folder, count=400, seed=0):
    """A .tsv: sentences of 2 to 12 words, one of which gives the class away."""
    chance = random.Random(seed)
    lines = []
    for _ in range(count):
        label, words = chance.choice((("good", GOOD), ("bad", BAD)))
        sentence = [chance.choice(FILLERS) for _ in range(chance.randint(1, 11))]
        sentence.insert(chance.randrange(len(sentence) + 1), chance.choice(words))
        lines.append(f"{label}\t{' '.join(sentence)}")
    path = folder / "sentences.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def sentence_config(path, *more):
    return Config(task="classify_text").override(
        [
            "data.name=sentences",
            f"data.path='{path}'",
            "text.validation=0.15",
            "text.test=0.15",
            "model.hidden_size=12",
            "model.bidirectional=true",
            "model.pooling=max",
            "regularization.dropout=0.1",
            "regularization.input_dropout=0.1",
            "optimizer.learning_rate=2e-2",
            "training.epochs=4",
            "training.batch_size=16",
            *more,
        ]
    )


def read_rows(path):
    """The labels and sentences of a file."""
    return [(row.label, row.text) for row in read_labelled(path).rows]
