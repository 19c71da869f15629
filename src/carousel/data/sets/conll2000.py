"""CoNLL-2000: its own test part; `text.validation` of the rest validates."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.files.columns import Labelled
    from carousel.data.labelled_words import LabelledWords

SOURCE = Source(
    "CoNLL-2000: 10,948 sentences of news, a chunk label per word, English",
    "research use (from the Penn Treebank)",
    "Tjong Kim Sang and Buchholz 2000",
    "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/",
    archives=("conll2000.zip",),
    packed={
        "train.txt": "82033cd7a72b209923a98007793e8f9de3abc1c8b79d646c50648eb949b87cea",
        "test.txt": "73b7b1e565fa75a1e22fe52ecdf41b6624d6f59dacb591d44252bf4d692b1628",
    },
)


def read(config: Config) -> LabelledWords:
    """The parts."""
    from carousel.data.labelled_words import LabelledWords, draw

    tag = config.text.tag
    whole, share = _part("train", tag), config.text.validation
    train, validation = draw(whole, "validation", share, config.data.split_seed)
    return LabelledWords(train, validation, partial(_part, "test", tag))


def _part(part: str, tag: str) -> Labelled:
    from carousel.data.files.columns import read_columns

    file = f"{part}.txt"
    return replace(read_columns(sources.text("conll2000", file), file, tag=tag), note="")


READERS = {"label_words": {"conll2000": read}}
