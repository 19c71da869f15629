"""Windows of recordings: each has something to learn, and a resumed epoch goes on as it was."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carousel.data.ragged import Ragged
from carousel.data.windows import LabelledWindows
from carousel.errors import DataError


def make(lengths, steps, rows, seed=0, labelled=0.3, passes=1):
    """Values say which recording and frame they are; labels are -1 or the frame modulo 5."""
    generator = torch.Generator().manual_seed(seed)
    recordings, labels = [], []
    for number, length in enumerate(lengths):
        frame = torch.arange(length)
        recordings.append(torch.stack((torch.full((length,), number), frame), 1).float())
        row = torch.where(torch.rand(length, generator=generator) < labelled, frame % 5, -1)
        row[int(torch.randint(length, (1,), generator=generator))] = 0
        labels.append(row)
    windows = LabelledWindows(Ragged.of(recordings), torch.cat(labels), steps, rows, seed, passes)
    return windows, recordings, labels


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(0, 25), st.integers(1, 5))
def test_windows_are_pieces_of_recordings_with_their_labels(lengths, steps, rows):
    windows, recordings, labels = make(lengths, steps, rows, passes=2)
    drawn = list(windows.epoch(1))
    assert len(drawn) == len(windows)
    per_recording = [0] * len(lengths)
    for values, kept, targets in drawn:
        for row, length, target in zip(values, kept.tolist(), targets, strict=True):
            number, first = int(row[0, 0]), int(row[0, 1])
            assert length == min(steps or max(lengths), lengths[number])
            assert torch.equal(row[:length], recordings[number][first : first + length])
            assert torch.equal(target[:length], labels[number][first : first + length])
            assert (target[length:] == -1).all()
            assert (target >= 0).any()
            per_recording[number] += 1
    steps = steps or max(lengths)
    assert per_recording == [2 * -(-length // steps) for length in lengths]


def test_an_epoch_from_batch_k_on_is_the_rest_of_the_whole_one():
    windows, *_ = make([50, 80, 20], steps=10, rows=3)
    whole, rest = list(windows.epoch(4)), list(windows.epoch(4, start=2))
    for one, other in zip(whole[2:], rest, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    other = list(windows.epoch(5))
    assert not all(torch.equal(a[0], b[0]) for a, b in zip(whole, other, strict=True))


def test_every_frame_is_met_sooner_or_later():
    windows, *_ = make([37], steps=8, rows=2, labelled=1.0)
    met = {
        int(frame)
        for epoch in range(40)
        for values, _, _ in windows.epoch(epoch)
        for frame in values[..., 1].flatten()
    }
    assert met == set(range(37))


def test_recordings_without_any_label_are_left_out_or_refused():
    values = Ragged.of([torch.zeros(5, 1), torch.ones(4, 1)])
    labels = torch.tensor([-1] * 5 + [2, -1, -1, -1])
    windows = LabelledWindows(values, labels, 0, 4, seed=0)
    ((drawn, _, _),) = windows.epoch(0)
    assert (drawn == 1).all()
    with pytest.raises(DataError, match="no frame of the training part has a label"):
        LabelledWindows(values, torch.full((9,), -1), 0, 4, seed=0)
