"""The Naver sentiment movie corpus: its own test part; `text.validation` of the rest validates."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.labelled_text import LabelledText, Sentences

SOURCE = Source(
    "Naver sentiment movie corpus: 200,000 comments of 2 classes, Korean",
    "CC0 1.0",
    "Park 2016",
    "https://raw.githubusercontent.com/e9t/nsmc/master/",
    {
        "ratings_train.txt": "e03b7d14e9e41be8d464a28057cd25d7396c53e67aa7fd5f7e552c59b0ee2940",
        "ratings_test.txt": "8ac9f64052f11dbf6ae0acb5e038f03d90a76f0eda7820cfb3a92d02edfcebda",
    },
)


def read(config: Config) -> LabelledText:
    """The parts."""
    from carousel.data.labelled_text import LabelledText, draw

    whole, share = _part("ratings_train.txt"), config.text.validation
    train, validation = draw(whole, "validation", share, config.data.split_seed)
    return LabelledText(train, validation, partial(_part, "ratings_test.txt"))


def _part(file: str) -> Sentences:
    from carousel.data.labelled_text import Sentences

    # Quotation marks in it are text, not quoting: its home page reads it so, too.
    lines = sources.text("nsmc", file).split("\n")[1:]
    rows = [line.split("\t") for line in lines if line]
    return Sentences.of([(int(label), text) for _, text, label in rows])


READERS = {"classify_text": {"nsmc": read}}
