"""Attention over a memory against sums written out, and the padding that must not matter."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carousel.layers.attention import step_mask
from carousel.layers.memory_attention import (
    AdditiveAttention,
    MultiplicativeAttention,
    make_attention,
)

each = pytest.mark.parametrize("how", ["dot", "general", "additive"])


def score(attend, how, q, m):
    """Of one query (H,) and one place (M,), as the papers have it."""
    if how == "dot":
        return sum(a * b for a, b in zip(q.tolist(), m.tolist(), strict=True))
    if how == "general":
        return float(q @ (attend.project.weight @ m))
    hidden = attend.query.weight @ q + attend.key.weight @ m + attend.key.bias
    return float(attend.score.weight[0] @ torch.tanh(hidden))


@each
@torch.no_grad()
def test_contexts_and_weights_are_the_sums_that_the_docstring_states(how):
    torch.manual_seed(4)
    M = 5 if how == "dot" else 7
    attend = make_attention(how, 5, M).double()
    queries = torch.randn(2, 3, 5, dtype=torch.float64)
    memory = torch.randn(2, 6, M, dtype=torch.float64)
    lengths = torch.tensor([6, 4])
    contexts, weights = attend(queries, memory, step_mask(lengths, 6))
    for row, length in enumerate(lengths.tolist()):
        for t in range(3):
            e = [
                math.exp(score(attend, how, queries[row, t], memory[row, s])) for s in range(length)
            ]
            wanted = [value / sum(e) for value in e]
            assert weights[row, t, :length].tolist() == pytest.approx(wanted)
            assert (weights[row, t, length:] == 0).all()
            by_hand = sum(a * memory[row, s] for s, a in enumerate(wanted))
            torch.testing.assert_close(contexts[row, t], by_hand)


@each
@given(rows=st.lists(st.integers(0, 5), min_size=1, max_size=4), extra=st.integers(0, 3))
def test_padding_never_changes_a_context_or_a_gradient(how, rows, extra):
    torch.manual_seed(len(rows))
    attend, lengths = make_attention(how, 3, 3), torch.tensor(rows)
    queries = torch.randn(len(rows), 2, 3)
    memory = torch.randn(len(rows), 5, 3)
    results = []
    for padding in (0, extra):
        longer = torch.cat((memory, 9 * torch.randn(len(rows), padding, 3)), 1).requires_grad_()
        contexts, _ = attend(queries, longer, step_mask(lengths, 5 + padding))
        (gradient,) = torch.autograd.grad(contexts.square().sum(), longer)
        for row, length in enumerate(rows):
            assert not gradient[row, length:].any()
        results.append((contexts, gradient[:, :5]))
    torch.testing.assert_close(*results)
    for row, length in enumerate(rows):
        if not length:
            assert not results[0][0][row].any()


@each
def test_keys_computed_before_give_the_same(how):
    attend = make_attention(how, 4, 4)
    queries, memory = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    for wanted, got in zip(
        attend(queries, memory), attend(queries, memory, keys=attend.keys(memory)), strict=True
    ):
        assert torch.equal(wanted, got)


def test_gradients_of_additive_attention_are_those_of_finite_differences():
    attend = AdditiveAttention(3, 2, 4).double()
    q = torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)
    m = torch.randn(1, 4, 2, dtype=torch.float64, requires_grad=True)
    mask = step_mask(torch.tensor([3]), 4)
    assert torch.autograd.gradcheck(lambda *x: attend(*x, mask)[0], (q, m))


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="3 and 5: use general"):
        MultiplicativeAttention("dot", 3, 5)
    with pytest.raises(ValueError, match="must be dot or general, got 'cosine'"):
        make_attention("cosine", 3, 3)
