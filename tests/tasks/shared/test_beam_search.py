"""Beam search against every sequence there is, and against the same search written plainly."""

import itertools
import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carousel.tasks.shared.beam_search import Search, beam_search

END = 0


class Tree:
    """A distribution that depends on the whole beginning, different for each sentence."""

    def __init__(self, seeds, size, sharpness=1.5):
        self.seeds, self.size, self.sharpness = seeds, size, sharpness

    def chances(self, sentence, beginning):
        chance = random.Random(f"{self.seeds[sentence]} {beginning}")
        return torch.tensor(
            [self.sharpness * chance.gauss(0, 1) for _ in range(self.size)]
        ).log_softmax(0)

    def cursor(self):
        return TreeCursor(self)


class TreeCursor:
    def __init__(self, tree):
        self.tree, self.steps = tree, 0
        self.rows = [(n, [()]) for n in range(len(tree.seeds))]

    def step(self, tokens):
        self.steps += 1
        if self.steps > 1:
            self.rows = [
                (n, [(*b, t) for b, t in zip(beams, row, strict=True)])
                for (n, beams), row in zip(self.rows, tokens.tolist(), strict=True)
            ]
        return torch.stack(
            [torch.stack([self.tree.chances(n, b) for b in beams]) for n, beams in self.rows]
        )

    def select(self, sentences, beams):
        self.rows = [
            (self.rows[row][0], [self.rows[row][1][k] for k in some])
            for row, some in zip(sentences.tolist(), beams.tolist(), strict=True)
        ]


def log_probability(tree, sentence, tokens):
    closed = (*tokens, END)
    return sum(float(tree.chances(sentence, closed[:i])[t]) for i, t in enumerate(closed))


def every_sentence(tree, sentence, limit, search, banned=()):
    """(score, tokens) of all sentences within the limit, best first."""
    words = [t for t in range(tree.size) if t not in (END, *banned)]
    all_of_them = (
        (search.score(log_probability(tree, sentence, tokens), length + 1), list(tokens))
        for length in range(limit)
        for tokens in itertools.product(words, repeat=length)
    )
    return sorted(all_of_them, key=lambda pair: -pair[0])


def plainly(tree, sentence, limit, search, banned=()):
    """The same beam search for one sentence, without stopping early."""
    live, found = [((), 0.0)], []
    for length in range(1, limit + 1):
        continuations = []
        for beginning, log_p in live:
            chances = tree.chances(sentence, beginning).tolist()
            for token, chance in enumerate(chances):
                if token not in banned and (length < limit or token == END):
                    continuations.append(((*beginning, token), log_p + chance))
        continuations.sort(key=lambda pair: -pair[1])
        live = []
        for tokens, log_p in continuations[: search.beam - len(found)]:
            if tokens[-1] == END:
                found.append((search.score(log_p, length), list(tokens[:-1])))
            else:
                live.append((tokens, log_p))
    return sorted(found, key=lambda pair: -pair[0])[: search.best]


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("banned", [(), (2,)])
def test_a_beam_wide_enough_finds_the_best_of_all_sentences(alpha, banned):
    tree, limits = Tree(range(5), 4), [4, 1, 2, 4, 3]
    search = Search(beam=200, length_penalty=alpha, best=5)
    found = beam_search(tree.cursor(), torch.tensor(limits), END, banned, search)
    for sentence, limit in enumerate(limits):
        wanted = every_sentence(tree, sentence, limit, search, banned)[:5]
        assert [h.tokens for h in found[sentence]] == [tokens for _, tokens in wanted]
        for hypothesis, (score, tokens) in zip(found[sentence], wanted, strict=True):
            assert hypothesis.score == pytest.approx(score, abs=1e-5)
            wanted_log_p = log_probability(tree, sentence, tokens)
            assert hypothesis.log_probability == pytest.approx(wanted_log_p, abs=1e-5)


@settings(max_examples=60)
@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
    beam=st.integers(1, 6),
    alpha=st.sampled_from([0.0, 0.7, 1.0, 1.5]),
    limits=st.lists(st.integers(1, 9), min_size=5, max_size=5),
    data=st.data(),
)
def test_many_sentences_at_once_give_what_each_alone_gives_without_stopping(
    seeds, beam, alpha, limits, data
):
    tree = Tree(seeds, 6)
    best = data.draw(st.integers(1, beam))
    search, limits = Search(beam, alpha, best), limits[: len(seeds)]
    found = beam_search(tree.cursor(), torch.tensor(limits), END, (3,), search)
    for sentence, limit in enumerate(limits):
        wanted = plainly(tree, sentence, limit, search, (3,))
        assert [h.tokens for h in found[sentence]] == [tokens for _, tokens in wanted]


@given(seed=st.integers(0, 10**6), limit=st.integers(1, 12))
def test_a_beam_of_one_is_greedy(seed, limit):
    tree = Tree([seed], 5)
    tokens = ()
    while len(tokens) < limit - 1 and (best := int(tree.chances(0, tokens).argmax())) != END:
        tokens = (*tokens, best)
    (found,) = beam_search(tree.cursor(), torch.tensor([limit]), END, search=Search(beam=1))
    assert [h.tokens for h in found] == [list(tokens)]


def test_the_search_ends_when_nothing_better_can_come():
    class Sure:
        """Ends at once with 0.9; what goes on instead cannot catch up."""

        steps = 0

        def step(self, tokens):
            self.steps += 1
            return torch.tensor([0.9, 0.1]).log().expand(*tokens.shape, 2)

        def select(self, sentences, beams): ...

    cursor = Sure()
    (found,) = beam_search(cursor, torch.tensor([1000]), END, search=Search(4, 0.0))
    assert [h.tokens for h in found] == [[]]
    assert cursor.steps == 1


def test_banned_tokens_never_come_and_the_limit_holds():
    tree = Tree(range(20), 5, sharpness=0.1)
    for sentence in beam_search(
        tree.cursor(), torch.full((20,), 7), END, (1, 4), Search(3, 1.0, 3)
    ):
        for hypothesis in sentence:
            assert len(hypothesis.tokens) < 7
            assert set(hypothesis.tokens) <= {2, 3}
            assert math.isfinite(hypothesis.score)


def test_nothing_to_search_is_nothing_found():
    assert beam_search(Tree([], 3).cursor(), torch.empty(0, dtype=torch.int64), END) == []


def test_more_wanted_than_searched_is_refused():
    with pytest.raises(ValueError, match=r"best \(4\) must be at most beam \(3\)"):
        beam_search(Tree([1], 3).cursor(), torch.tensor([3]), END, search=Search(3, 1.0, 4))
