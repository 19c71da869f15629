"""Scores of captions: BLEU-1 to -4 and chrF by sacreBLEU, and how many are right word for word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ORDERS = (1, 2, 3, 4)


def measure(found: Sequence[str], wanted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Scores of captions, each with the captions that people gave, of which there may be several.

    bleu_1 … bleu_4: of runs of up to so many words (Papineni et al. 2002), bleu being bleu_4; chrf:
    of runs of 1 to 6 characters (Popović 2015); all in lower case, 0 to 100, over the whole set
    (Post 2018). exact_match: share of captions that are one of those wanted, but for capitals and
    blanks.

    >>> scores = measure(["a dog runs", "a cat"], [["A dog runs", "a dog is running"], ["a dog"]])
    >>> scores["exact_match"], round(scores["bleu_1"], 1)
    (0.5, 80.0)
    """
    from sacrebleu import BLEU, CHRF  # slow to import

    most = max(map(len, wanted))
    # An image with fewer captions than another has none in the last streams.
    streams: Any = [[some[i] if i < len(some) else None for some in wanted] for i in range(most)]
    scores = {
        f"bleu_{order}": BLEU(lowercase=True, max_ngram_order=order, force=True) for order in ORDERS
    }
    result = {n: float(m.corpus_score(list(found), streams).score) for n, m in scores.items()}
    chrf = CHRF(lowercase=True)
    return {
        "bleu": result["bleu_4"],
        **result,
        "chrf": float(chrf.corpus_score(list(found), streams).score),
        "exact_match": exact(found, wanted),
    }


def exact(found: Sequence[str], wanted: Sequence[Sequence[str]]) -> float:
    """exact_match alone."""
    hits = [
        _plain(text) in {_plain(one) for one in some}
        for text, some in zip(found, wanted, strict=True)
    ]
    return sum(hits) / len(hits)


def signatures() -> dict[str, str]:
    """Signatures of the scores, in sacreBLEU's own words."""
    from sacrebleu import BLEU, CHRF  # slow to import

    metrics = {"bleu": BLEU(lowercase=True, force=True), "chrf": CHRF(lowercase=True)}
    for metric in metrics.values():
        metric.corpus_score(["a"], [["a"]])  # it knows the number of references only then
    return {name: str(metric.get_signature()) for name, metric in metrics.items()}


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
