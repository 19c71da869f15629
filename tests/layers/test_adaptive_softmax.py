"""The adaptive softmax against torch's, and against its own definition, in float64."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from carousel.layers.adaptive_softmax import AdaptiveSoftmax


def example(rows, hidden, size, frequent, seed=0):
    torch.manual_seed(seed)
    softmax = AdaptiveSoftmax(hidden, size, frequent).double()
    x = torch.randn(rows, hidden, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(size, hidden, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(size, dtype=torch.float64, requires_grad=True)
    return softmax, x, weight, bias, torch.randint(-1, size, (rows,))


def torch_twin(softmax, weight):
    """torch's module, whose groups have a projection of their own: here the identity."""
    *inner, size = softmax.bounds
    hidden = weight.size(1)
    twin = nn.AdaptiveLogSoftmaxWithLoss(hidden, size, inner, div_value=1.0).double()
    with torch.no_grad():
        twin.head.weight.copy_(torch.cat([weight[: inner[0]], softmax.groups.weight]))
        for (down, out), low, high in zip(twin.tail, inner, softmax.bounds[1:], strict=True):
            down.weight.copy_(torch.eye(hidden))
            out.weight.copy_(weight[low:high])
    return twin


@given(st.integers(1, 19), st.integers(1, 6), st.integers(2, 60), st.data())
def test_loss_and_gradients_are_those_of_its_probabilities(rows, hidden, size, data):
    frequent = data.draw(st.integers(1, size - 1))
    softmax, x, weight, bias, targets = example(rows, hidden, size, frequent, seed=rows)
    kept = targets >= 0
    picked = softmax.log_probabilities(x, weight, bias)[kept].gather(1, targets[kept, None])
    wanted, got = -picked.sum(), softmax(x, weight, bias, targets)
    assert torch.allclose(got, wanted, rtol=1e-10)
    leaves = [x, weight, bias, *softmax.parameters()]
    # 0.37: what comes from above must reach every gradient.
    for ours, theirs in zip(
        torch.autograd.grad(0.37 * got, leaves),
        torch.autograd.grad(0.37 * wanted, leaves),
        strict=True,
    ):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-11)


@given(st.integers(2, 150), st.data())
def test_probabilities_add_up_to_one(size, data):
    frequent = data.draw(st.integers(1, size - 1))
    softmax, x, weight, bias, _ = example(3, 4, size, frequent)
    total = softmax.log_probabilities(x, weight, bias).exp().sum(-1)
    assert torch.allclose(total, torch.ones_like(total))


@pytest.mark.parametrize(("size", "frequent"), [(7, 2), (10, 2), (11, 2), (60, 2), (60, 59)])
def test_without_a_bias_it_is_torchs(size, frequent):
    softmax, x, weight, _, targets = example(23, 5, size, frequent)
    nn.init.zeros_(softmax.groups.bias)
    twin, bias = torch_twin(softmax, weight), torch.zeros(size, dtype=torch.float64)
    assert torch.allclose(softmax.log_probabilities(x, weight, bias), twin.log_prob(x))
    kept = targets >= 0
    losses = softmax.token_losses(x, weight, bias, targets)
    assert torch.allclose(losses, -twin(x[kept], targets[kept]).output)
    assert softmax(x, weight, bias, targets).item() == pytest.approx(losses.sum().item())


def test_groups_grow_and_the_last_one_ends_with_the_vocabulary():
    assert AdaptiveSoftmax(3, 10_000, 2000).bounds == (2000, 10_000)
    assert AdaptiveSoftmax(3, 10_001, 2000).bounds == (2000, 10_000, 10_001)
    assert AdaptiveSoftmax(3, 267_735, 4000).bounds == (4000, 20_000, 100_000, 267_735)


def test_losses_come_in_the_order_of_time_in_any_shape():
    softmax, x, weight, bias, targets = example(12, 3, 20, 4)
    losses = softmax.token_losses(x.view(3, 4, 3), weight, bias, targets.view(3, 4))
    assert torch.equal(losses, softmax.token_losses(x, weight, bias, targets))
    assert len(losses) == int((targets >= 0).sum())


@pytest.mark.parametrize("targets", [[0, 1], [5, 17], [-1, -1]])
def test_words_that_are_nobodys_target_get_a_gradient_all_the_same(targets):
    softmax, x, weight, bias, _ = example(2, 3, 20, 4)
    loss = softmax(x, weight, bias, torch.tensor(targets))
    loss.backward()
    gradients = (weight.grad, bias.grad, softmax.groups.weight.grad)
    assert all(g is not None and g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("frequent", [0, 20, 21])
def test_a_first_step_of_no_or_all_words_is_refused(frequent):
    with pytest.raises(ValueError, match=rf"between 1 and size - 1 = 19, got {frequent}"):
        AdaptiveSoftmax(3, 20, frequent)


def test_time_is_spent_on_frequent_words():
    """Of 1,000 rows with frequent targets none sees the logits of rare words."""
    softmax, x, weight, bias, _ = example(1000, 4, 5000, 50)
    with torch.profiler.profile(with_flops=True) as profile:
        softmax(x, weight, bias, torch.randint(0, 50, (1000,)))
    assert 0 < sum(event.flops for event in profile.key_averages()) < 2 * 1000 * 4 * 100
