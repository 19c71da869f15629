"""Tiny Shakespeare: its beginning to train on, then the parts to validate and to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.text import TextParts

SOURCE = Source(
    "Tiny Shakespeare: 1.1 M characters of plays, 65 distinct",
    "public domain",
    "Karpathy 2015",
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",
    {"input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"},
)


def read(config: Config) -> TextParts:
    """The parts."""
    from carousel.data.text import TextParts

    return TextParts.of_text(sources.text("tiny-shakespeare", "input.txt"), config.text)


READERS = {"generate": {"tiny-shakespeare": read}}
