"""Sections of the tasks that write a sentence about what they have read or seen."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config.keys import key


@dataclass(frozen=True)
class DecoderConfig:
    """Decoder that writes a sentence about a memory, such as a source sentence or a picture.

    attention: how a state is compared with each place of the memory: "dot" and "general" (Luong et
        al. 2015) or "additive" (Bahdanau et al. 2015); see carousel.layers.memory_attention.
    scheduled_sampling: share of the tokens read in training that are the network's own instead of
        the true ones; it rises from 0 to this, evenly, over the run (Mihaylova and Martins 2019).
    beam: how many beginnings the search keeps (1: greedy).
    length_penalty: alpha; a sentence of n tokens, its end included, is worth log P / n^alpha
        (0: log P alone, which favours short sentences; 1: the mean).
    """

    attention: str = key("general", choices=("dot", "general", "additive"))
    scheduled_sampling: float = key(0.0, low=0, high=1)
    beam: int = key(5, low=1, high=1000)
    length_penalty: float = key(1.0, low=0, high=10)
