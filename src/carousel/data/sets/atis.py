"""ATIS: its own test part; `text.validation` of the rest validates."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.files.columns import Labelled
    from carousel.data.labelled_words import LabelledWords

SOURCE = Source(
    "ATIS: 5,871 questions about flights, a slot label per word, English",
    "research use only (from LDC93S5, LDC94S19)",
    "Hemphill et al. 1990; Tur et al. 2010",
    "https://raw.githubusercontent.com/yvchen/JointSLU/master/data/",
    {
        "atis.train.w-intent.iob": (
            "e0a1e3de978345b4fbfa4f2eefa8bb974460f0f7f38330e179ccaecc80d68178"
        ),
        "atis.test.w-intent.iob": (
            "744bc272bce1c6a828df7b5580b47a4aee2ad2019e5d2376c348bea1c15f0d6e"
        ),
    },
)


def read(config: Config) -> LabelledWords:
    """The parts."""
    from carousel.data.labelled_words import LabelledWords, draw

    whole, share = _part("train"), config.text.validation
    train, validation = draw(whole, "validation", share, config.data.split_seed)
    return LabelledWords(train, validation, partial(_part, "test"))


def _part(part: str) -> Labelled:
    from carousel.data.files.columns import Labelled

    words, labels = [], []
    for line in sources.text("atis", f"atis.{part}.w-intent.iob").splitlines():
        sentence, _, slots = line.partition("\t")
        # BOS and EOS carry no slot; where the label of EOS would be stands the intent.
        words.append(sentence.split()[1:-1])
        labels.append(slots.split()[1:-1])
    return Labelled(words, labels)


READERS = {"label_words": {"atis": read}}
