"""Kneser-Ney against a direct transcription of its definition, counting with dictionaries."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carousel.config import Config, DataConfig, TextConfig
from carousel.data.text import Corpus
from carousel.tasks.generate.ngrams import NGram, _discounts


def direct(tokens, order, size):
    """P(w | context), recursively, straight from Chen and Goodman's equations."""
    raw = [Counter(zip(*(tokens[i:] for i in range(n)), strict=False)) for n in range(1, order + 1)]
    adjusted = []
    for n in range(order):
        if n == order - 1:
            adjusted.append(raw[n])
        else:
            before = defaultdict(set)
            for gram in raw[n + 1]:
                before[gram[1:]].add(gram[0])
            adjusted.append(Counter({gram: len(left) for gram, left in before.items()}))

    def discount(n, count):
        n1, n2, n3, n4 = (sum(c == k for c in adjusted[n].values()) for k in (1, 2, 3, 4))
        if not (n1 and n2 and n3 and n4):
            return (0, 0.5, 1.0, 1.5)[min(count, 3)]
        y = n1 / (n1 + 2 * n2)
        d = (0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)[min(count, 3)]
        if d <= 0:  # what takes nothing leaves nothing for tokens that never followed
            d = (0, 0.5, 1.0, 1.5)[min(count, 3)]
        return min(d, min(count, 3))

    def chance(word, context):
        n = len(context)
        lower = chance(word, context[1:]) if n else 1 / size
        followers = {g[-1]: c for g, c in adjusted[n].items() if g[:-1] == context}
        total = sum(followers.values())
        if not total:
            return lower
        left = sum(discount(n, c) for c in followers.values()) / total
        own = followers.get(word, 0)
        return (own - discount(n, own)) / total + left * lower

    return chance


@settings(max_examples=30)
@given(st.integers(1, 4), st.lists(st.integers(0, 5), min_size=8, max_size=60), st.data())
def test_probabilities_are_those_of_the_definition(order, tokens, data):
    text = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=12))
    chance = direct(tuple(tokens), order, size=7)
    got = NGram(np.array(tokens), order, size=7).probabilities(np.array(text))
    wanted = [chance(word, tuple(text[max(0, i - order + 1) : i])) for i, word in enumerate(text)]
    # At the text's beginning, where the context is shorter than the order's, so is the model.
    assert got == pytest.approx(wanted, rel=1e-9)


@given(st.integers(1, 4), st.lists(st.integers(0, 8), max_size=4), st.integers(0, 2**31))
def test_they_sum_to_one_over_the_vocabulary(order, context, seed):
    tokens = np.random.default_rng(seed).zipf(1.5, 300).clip(max=8)
    model = NGram(tokens, order, size=9)
    total = sum(model.probabilities(np.array([*context, word]))[-1] for word in range(9))
    assert total == pytest.approx(1, rel=1e-9)


def test_no_token_is_impossible():
    chances = NGram(np.zeros(50, int), 3, size=10).probabilities(np.array([0, 0, 9, 9]))
    assert (chances > 0).all()


def test_no_token_is_impossible_where_an_estimated_discount_is_nothing():
    # Of the pairs 9 have one, 1 two, 8 three and 1 four: D(2) = 2 - 3 (9 / 11) 8 / 1 is negative.
    followed = [1] * 9 + [2] + [3] * 8 + [4]
    counts = np.array(followed)
    assert (_discounts(counts)[1:] > 0).all()
    for seed in range(300):
        draw = np.random.default_rng(seed)
        kinds = int(draw.integers(2, 12))
        tokens = draw.integers(0, kinds, int(draw.integers(20, 200)))
        chances = NGram(tokens, 3, kinds + 3).probabilities(draw.integers(0, kinds + 3, 200))
        assert (chances > 0).all()


def test_penn_treebank_scores_the_published_perplexity(shared_data):
    shared_data("penn-treebank")
    corpus = Corpus.read(Config(data=DataConfig(name="penn-treebank"), text=TextConfig()))
    train, test = (corpus.part(part).ids.numpy() for part in ("train", "test"))
    chances = NGram(train, 5, len(corpus.vocabulary)).probabilities(test)
    # 141.2 is what Mikolov and Zweig 2012 report for the Kneser-Ney 5-gram.
    assert np.exp(-np.log(chances[1:]).mean()) == pytest.approx(141.2, abs=1)
