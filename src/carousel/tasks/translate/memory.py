"""Translations without a network: what a new one must beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carousel.data.sentence_pairs import Pairs

_ROWS = 200


def copied(pairs: Pairs) -> list[str]:
    """Each source as it is: names, numbers and marks are right in it."""
    return pairs.sources


def remembered(memory: Pairs, sources: Sequence[str]) -> list[str]:
    """For each source the translation of the most similar one in memory; the first of equals.

    Similarity is the cosine of TF-IDF vectors over runs of 2 to 4 characters within words.

    >>> memory = Pairs(["ein Hund rennt", "eine Katze"], ["a dog runs", "a cat"])
    >>> remembered(memory, ["der Hund", "Katzen"])
    ['a dog runs', 'a cat']
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # slow to import

    vectorizer = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, dtype=np.float32
    )
    known = vectorizer.fit_transform(memory.sources).T.tocsr()
    asked = vectorizer.transform(sources)
    found: list[str] = []
    for first in range(0, asked.shape[0], _ROWS):
        similarity = (asked[first : first + _ROWS] @ known).toarray()
        found += [memory.targets[i] for i in similarity.argmax(1)]
    return found
