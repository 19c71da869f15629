"""Movie review sentences: tenth `data.fold` of a fixed shuffle judges, as it is cross-validated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.labelled_text import LabelledText

SOURCE = Source(
    "Movie review sentences (MR): 10,662 of 2 classes, English",
    "no licence stated; research use",
    "Pang and Lee 2005",
    "https://www.cs.cornell.edu/people/pabo/movie-review-data/",
    archives=("rt-polaritydata.tar.gz",),
    packed={
        "rt-polarity.neg": "4ace77d558c3714723843f1d65b60c01e3417b208180f0728808d76ad0eeeaca",
        "rt-polarity.pos": "2da124ec187a9d5a29c9f04e91c540e02baed5af8868f550a26bd6fd4dbf8bf0",
    },
)

_FOLDS = 10


def read(config: Config) -> LabelledText:
    """The parts; `text.validation` of what is left validates."""
    from carousel.data.labelled_text import LabelledText, Sentences, draw
    from carousel.data.splits import fold

    pairs = []
    for label, file in enumerate(("rt-polarity.neg", "rt-polarity.pos")):
        text = sources.read("mr-polarity", file).decode("latin-1")
        pairs += [(label, line.strip()) for line in text.split("\n") if line.strip()]
    whole, seed = Sentences.of(pairs), config.data.split_seed
    index = fold(len(whole), config.data.fold, _FOLDS, seed)
    rest = whole.take(index["train"])
    train, validation = draw(rest, "validation", config.text.validation, seed)
    return LabelledText(train, validation, whole.take(index["test"]))


READERS = {"classify_text": {"mr": read}}
