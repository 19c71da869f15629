"""Windows and batches of tokens: every token is predicted once, from the one before it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carousel.data.text import Part
from carousel.data.text_batches import IGNORED, LineBatches, StreamWindows, all_of
from carousel.errors import DataError


@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 60))
def test_windows_are_contiguous_streams(rows, steps, extra):
    part = Part(torch.arange(rows * (steps + 1) + extra, dtype=torch.int32))
    windows = StreamWindows(part, rows, steps)
    seen = list(windows.epoch(0))
    assert len(seen) == len(windows) >= 1
    x, y = (torch.cat(side) for side in zip(*seen, strict=True))
    assert x.dtype == torch.int64
    assert torch.equal(y, x + 1)
    assert torch.equal(x[1:], x[:-1] + 1)  # window after window, each row goes on
    assert len(set(x.flatten().tolist())) == x.numel()
    # What is left out is less than a row's share of a window, plus what fills no row.
    assert len(part.ids) - x.numel() < rows * (steps + 1) + rows


def test_windows_from_the_middle_are_the_rest_of_the_epoch():
    windows = StreamWindows(Part(torch.randint(0, 9, (200,), dtype=torch.int32)), 3, 5)
    rest = list(windows.epoch(7, start=4))
    for (x, y), (more_x, more_y) in zip(list(windows.epoch(0))[4:], rest, strict=True):
        assert torch.equal(x, more_x)
        assert torch.equal(y, more_y)


def test_a_text_too_short_for_one_window_is_refused_with_the_numbers():
    with pytest.raises(DataError, match=r"has 20 tokens.*= 4 streams of text\.bptt \+ 1 = 6"):
        StreamWindows(Part(torch.arange(20)), 4, 5)
    assert len(StreamWindows(Part(torch.arange(24)), 4, 5)) == 1


@given(st.integers(2, 80), st.integers(1, 6), st.integers(1, 9))
def test_evaluation_windows_predict_every_token_but_the_first_once(count, rows, steps):
    part = Part(torch.arange(count, dtype=torch.int32))
    pairs = []
    for x, y in all_of(part, rows, steps):
        assert len(x) <= steps
        both = zip(x.flatten().tolist(), y.flatten().tolist(), strict=True)
        pairs += [(a, b) for a, b in both if b != IGNORED]
    assert sorted(pairs) == [(i, i + 1) for i in range(count - 1)]


@pytest.fixture
def lines():
    """Seven lines; line i holds the numbers 10 i, 10 i + 1, …, of 2 + i tokens."""
    lengths = [2 + i for i in range(7)]
    ids = torch.cat([torch.arange(10 * i, 10 * i + n) for i, n in enumerate(lengths)])
    return Part(ids.int(), torch.tensor([0, *lengths]).cumsum(0))


def as_lines(batches):
    """(first token, targets) of each row of each batch."""
    for x, y in batches:
        for row in range(x.size(1)):
            targets = [t for t in y[:, row].tolist() if t != IGNORED]
            assert x[: len(targets), row].tolist() == [x[0, row].item(), *targets[:-1]]
            yield x[0, row].item(), targets


def test_every_line_comes_once_an_epoch_whole_and_padded(lines):
    batches = LineBatches(lines, rows=3, seed=1)
    seen = dict(as_lines(batches.epoch(0)))
    assert len(batches) == 3
    assert seen == {10 * i: list(range(10 * i + 1, 10 * i + 2 + i)) for i in range(7)}
    assert list(as_lines(batches.in_order())) == sorted(seen.items())


def test_the_order_of_lines_follows_from_seed_and_epoch(lines):
    def order(seed, epoch, start=0):
        return [first for first, _ in as_lines(LineBatches(lines, 2, seed).epoch(epoch, start))]

    assert order(0, 3) == order(0, 3)
    assert order(0, 3, start=2) == order(0, 3)[4:]
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


def test_no_lines_at_all_are_refused():
    with pytest.raises(DataError, match="no lines"):
        LineBatches(Part(torch.empty(0), torch.tensor([0])), 2, 0)
