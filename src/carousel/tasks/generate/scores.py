"""Metrics of a language model: of all tokens, by how frequent they are, and by label."""

from __future__ import annotations

import math

from torch import Tensor

from carousel.data.text import Vocabulary

_BANDS = ((0, 0), (1, 9), (10, 99), (100, 999), (1000, 9999), (10_000, None))


def measures(kind: str, loss: float) -> dict[str, float]:
    """The metrics of a mean loss in nats per token: perplexity of words, bits of characters.

    >>> round(measures("word", math.log(100))["perplexity"], 6)
    100.0
    >>> measures("character", math.log(2))["bits_per_character"]
    1.0
    """
    if kind == "word":
        return {"perplexity": math.exp(min(loss, 700.0)), "loss": loss}
    return {"bits_per_character": loss / math.log(2), "loss": loss}


def by_frequency(kind: str, losses: Tensor, counts: Tensor) -> dict[str, dict[str, float]]:
    """Metrics of tokens by how often training has them, and their share. losses, counts (N,)."""
    result = {}
    for low, high in _BANDS:
        inside = (counts >= low) & (counts <= high) if high is not None else counts >= low
        if inside.any():
            name = f"{low:,}+" if high is None else f"{low:,}-{high:,}" if high else "0"
            share = float(inside.double().mean())
            result[name] = {"share": share, **measures(kind, float(losses[inside].mean()))}
    return result


def by_label(
    kind: str, losses: Tensor, labels: Tensor, vocabulary: Vocabulary
) -> dict[str, dict[str, float]]:
    """Metrics of the tokens of each label. losses, labels (N,)."""
    return {
        vocabulary.tokens[number][1:-1]: measures(kind, float(losses[labels == number].mean()))
        for number in sorted(set(labels.tolist()))
    }
