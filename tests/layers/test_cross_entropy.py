"""Linear cross-entropy against torch's, in float64, whatever the chunk."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from carousel.layers.cross_entropy import (
    _rows_at_a_time,
    linear_cross_entropy,
    smoothed_cross_entropy,
    token_losses,
)


def example(rows, hidden, size, seed=0, dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(rows, hidden, generator=generator, dtype=dtype)
    weight = torch.randn(size, hidden, generator=generator, dtype=dtype)
    bias = torch.randn(size, generator=generator, dtype=dtype)
    targets = torch.randint(-1, size, (rows,), generator=generator)
    return x, weight, bias, targets


@given(st.integers(1, 17), st.integers(1, 9), st.integers(1, 23), st.integers(0, 20), st.booleans())
def test_loss_and_gradients_are_those_of_separate_operators(rows, hidden, size, chunk, with_bias):
    x, weight, bias, targets = example(rows, hidden, size, seed=chunk)
    bias = bias if with_bias else None
    leaves = [t.requires_grad_() for t in (x, weight, bias) if t is not None]
    wanted = F.cross_entropy(F.linear(x, weight, bias), targets, reduction="sum", ignore_index=-1)
    got = linear_cross_entropy(x, weight, bias, targets, chunk)
    assert torch.allclose(got, wanted, rtol=1e-12, atol=1e-12)
    # 0.37: what comes from above must reach every gradient.
    for ours, theirs in zip(
        torch.autograd.grad(0.37 * got, leaves),
        torch.autograd.grad(0.37 * wanted, leaves),
        strict=True,
    ):
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@given(st.integers(1, 17), st.integers(1, 23), st.integers(0, 20), st.floats(0, 0.9))
def test_smoothed_loss_and_gradients_are_those_of_torch(rows, size, chunk, smoothing):
    x, weight, bias, targets = example(rows, 5, size, seed=chunk)
    leaves = [t.requires_grad_() for t in (x, weight, bias)]
    kept = targets >= 0
    logits, picked = F.linear(x, weight, bias)[kept], targets[kept]
    wanted = F.cross_entropy(logits, picked, reduction="sum", label_smoothing=smoothing)
    got, plain = smoothed_cross_entropy(x, weight, bias, targets, smoothing, chunk)
    assert torch.allclose(got, wanted, rtol=1e-10, atol=1e-10)
    assert torch.allclose(plain, F.cross_entropy(logits, picked, reduction="sum"), rtol=1e-10)
    assert not plain.requires_grad
    for ours, theirs in zip(
        torch.autograd.grad(0.37 * got, leaves),
        torch.autograd.grad(0.37 * wanted, leaves),
        strict=True,
    ):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-10)


def test_a_second_backward_gives_the_same():
    x, weight, bias, targets = example(5, 3, 4)
    loss = linear_cross_entropy(x.requires_grad_(), weight, bias, targets, chunk=2)
    first, second = (torch.autograd.grad(loss, x, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_gradcheck_passes():
    x, weight, bias, targets = example(5, 3, 4)
    leaves = [t.requires_grad_() for t in (x, weight, bias)]
    assert torch.autograd.gradcheck(lambda *args: linear_cross_entropy(*args, targets, 2), leaves)


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_what_needs_no_gradient_gets_none(frozen):
    x, weight, bias, targets = example(6, 3, 5)
    leaves = [t.requires_grad_(i != frozen) for i, t in enumerate((x, weight, bias))]
    linear_cross_entropy(*leaves, targets).backward()
    assert [leaf.grad is not None for leaf in leaves] == [i != frozen for i in range(3)]


def test_huge_logits_neither_overflow_nor_lose_the_loss():
    x, weight, bias, targets = example(8, 4, 9, dtype=torch.float32, scale=1e4)
    leaves = [t.requires_grad_() for t in (x, weight, bias)]
    loss = linear_cross_entropy(*leaves, targets)
    loss.backward()
    wanted = F.cross_entropy(
        F.linear(*(t.detach().double() for t in leaves)), targets, reduction="sum", ignore_index=-1
    )
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves)


def test_a_nan_stays_visible():
    x, weight, bias, targets = example(4, 3, 5)
    x[2, 1] = torch.nan
    targets[2] = 0
    assert linear_cross_entropy(x, weight, bias, targets).isnan()


def test_losses_per_token_come_in_order_without_the_ignored():
    x, weight, bias, targets = example(12, 5, 7)
    wanted = F.cross_entropy(F.linear(x, weight, bias), targets, reduction="none", ignore_index=-1)
    got = token_losses(x.view(3, 4, 5), weight, bias, targets.view(3, 4), chunk=5)
    assert torch.allclose(got, wanted[targets >= 0])


def test_no_targets_at_all_are_a_loss_of_zero():
    x, weight, bias, _ = example(3, 2, 4)
    x.requires_grad_()
    loss = linear_cross_entropy(x, weight, bias, torch.full((3,), -1))
    loss.backward()
    assert loss.item() == 0.0
    assert not x.grad.any()
    assert token_losses(x, weight, bias, torch.full((3,), -1)).shape == (0,)


def test_shapes_that_do_not_agree_are_refused_with_the_shapes():
    x, weight, bias, targets = example(3, 2, 4)
    with pytest.raises(ValueError, match=r"\(3, 2\), \(4, 2\) and \(2,\)"):
        linear_cross_entropy(x, weight, bias, targets[:2])


@pytest.mark.parametrize(("rows", "size"), [(700, 10_000), (1, 5), (4096, 10_000), (3, 10**7)])
def test_pieces_are_alike_and_bounded(rows, size):
    at_a_time = _rows_at_a_time(rows, size)
    assert 1 <= at_a_time <= max(16, (1 << 22) // size)
    pieces = -(-rows // at_a_time)
    assert pieces * at_a_time - rows < pieces  # the last has at most one row fewer per piece


def test_nothing_of_the_size_of_all_logits_is_ever_made():
    rows, hidden, size = 1024, 4, 16384  # all logits: 64 MB; a piece: 16 MB
    x, weight, bias, targets = example(rows, hidden, size, dtype=torch.float32)
    leaves = [t.requires_grad_() for t in (x, weight, bias)]
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        linear_cross_entropy(*leaves, targets).backward()
    largest = max(event.self_cpu_memory_usage for event in profile.events())
    assert 0 < largest <= 20 << 20
