"""The section on pairs of sentences: what is translated into what."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config.keys import KEPT, key


@dataclass(frozen=True)
class TranslateConfig:
    """Source and target language, and how sentences are paired, cut and judged.

    source, target: languages, such as "de" and "en"; of files of your own, how their names end.
    joint: one vocabulary, and one embedding, for both languages, instead of one of each.
    max_length: training pairs with more tokens on a side are left out, and counted (0: none).
    length_factor: a translation has at most so many times the tokens of its source, and 10.
    tokenize: how sacreBLEU cuts what it compares: "13a" (most languages), "intl", "zh", "char"
        (such as Japanese) or "none".
    validation_sentences: how many validation sentences are translated after each epoch, greedily;
        the loss is that of all of them (0: all).
    """

    source: str = key("", of_set=KEPT)
    target: str = key("", of_set=KEPT)
    joint: bool = False
    max_length: int = key(100, low=0)
    length_factor: float = key(1.5, above=0, high=100)
    tokenize: str = key("13a", choices=("13a", "intl", "zh", "char", "none"))
    validation_sentences: int = key(0, low=0)
