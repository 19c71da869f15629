"""Korean and English of Tatoeba: `text.test` and `text.validation` are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.sentence_pairs import Parallel

SOURCE = Source(
    "Tatoeba: 3,798 Korean sentences and their English translations, spring 2022",
    "CC BY 2.0 FR",
    "Tatoeba project; ManyThings.org",
    "https://www.manythings.org/anki/",
    archives=("kor-eng.zip",),
    packed={"kor.txt": "3988edfd32c892ccf4450772bc3a5906ebfcf3c8648f56012df204ddf27b8280"},
)


def read(config: Config) -> Parallel:
    """The parts, in whole groups of pairs that share a sentence. Raises `ConfigError`."""
    from carousel.data.sentence_pairs import Pairs, Parallel, check_languages

    check_languages(("en", "ko"), config)
    lines = sources.text("tatoeba-kor-eng", "kor.txt").split("\n")
    english_first = [tuple(line.split("\t")[:2]) for line in lines if line]
    turned = config.translate.source == "ko"
    whole = Pairs.of([(b, a) if turned else (a, b) for a, b in english_first])
    return Parallel.drawn({"train": whole}, config)


READERS = {"translate": {"tatoeba-kor-eng": read}}
