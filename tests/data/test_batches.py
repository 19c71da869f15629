"""Splits, scaling and batches: nothing is lost, nothing leaks, everything follows from the seed."""

import pytest
import torch

from carousel.data.batches import ShuffledBatches, in_order
from carousel.data.labelled_images import Images
from carousel.data.scaling import PixelScaler
from carousel.data.splits import hold_out
from carousel.errors import DataError


@pytest.fixture
def part():
    """37 images, each marked by its label in every pixel of a 20 x 20 block in the middle."""
    labels = torch.arange(37)
    images = torch.zeros(37, 28, 28, dtype=torch.uint8)
    images[:, 4:24, 4:24] = (labels + 100).to(torch.uint8)[:, None, None]
    return Images(images, labels)


def test_hold_out_parts_the_data_by_its_seed():
    train, validation = hold_out(100, 30, seed=3)
    assert sorted(torch.cat((train, validation)).tolist()) == list(range(100))
    again = hold_out(100, 30, seed=3)
    assert torch.equal(train, again[0])
    assert not torch.equal(validation, hold_out(100, 30, seed=4)[1])


def test_hold_out_of_everything_is_refused():
    with pytest.raises(DataError, match=r"data\.validation = 100 leaves nothing"):
        hold_out(100, 100, seed=0)


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_an_epoch_gives_every_example_once_with_its_label(part, shift):
    batches = ShuffledBatches(part, batch_size=8, seed=0, shift=shift)
    seen = list(batches.epoch(0))
    assert len(seen) == len(batches) == 5
    assert [len(labels) for _, labels in seen] == [8, 8, 8, 8, 5]
    images, labels = (torch.cat(parts) for parts in zip(*seen, strict=True))
    assert sorted(labels.tolist()) == list(range(37))
    assert labels.tolist() != list(range(37))
    assert torch.equal(images.amax((1, 2)).long(), labels + 100)


def test_a_shift_moves_the_image_by_every_offset_and_fills_with_black():
    image = torch.randint(1, 256, (1, 28, 28), dtype=torch.uint8)
    part = Images(image, torch.tensor([3]))
    found = set()
    for epoch in range(200):
        ((moved, _),) = ShuffledBatches(part, 1, seed=1, shift=1).epoch(epoch)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                expected = torch.zeros(30, 30, dtype=torch.uint8)
                expected[1 + dy : 29 + dy, 1 + dx : 29 + dx] = image[0]
                if torch.equal(moved[0], expected[1:29, 1:29]):
                    found.add((dy, dx))
    assert len(found) == 9


@pytest.mark.parametrize("shift", [0, 2])
def test_an_epoch_from_the_middle_is_the_rest_of_the_same_epoch(part, shift):
    batches = ShuffledBatches(part, batch_size=8, seed=5, shift=shift)
    whole = list(batches.epoch(2))
    rest = list(ShuffledBatches(part, 8, 5, shift).epoch(2, start=3))
    assert len(rest) == 2
    for (images, labels), (more_images, more_labels) in zip(whole[3:], rest, strict=True):
        assert torch.equal(images, more_images)
        assert torch.equal(labels, more_labels)


def test_epochs_and_seeds_have_their_own_order(part):
    def order(seed, epoch):
        batches = ShuffledBatches(part, 37, seed).epoch(epoch)
        return next(batches)[1].tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


def test_in_order_keeps_the_order(part):
    labels = torch.cat([labels for _, labels in in_order(part, 10)])
    assert torch.equal(labels, part.labels)


def test_standard_scaling_gives_zero_mean_and_unit_deviation():
    images = torch.randint(0, 256, (50, 28, 28), dtype=torch.uint8)
    scaled = PixelScaler.fit(images, "standard")(images)
    assert abs(float(scaled.mean())) < 1e-5
    assert abs(float(scaled.std(correction=0)) - 1) < 1e-5


def test_unit_scaling_maps_bytes_to_zero_to_one():
    images = torch.tensor([[0, 51, 255]], dtype=torch.uint8)
    (scaled,) = PixelScaler.fit(images, "unit")(images).tolist()
    assert scaled == pytest.approx([0, 0.2, 1])


def test_scaling_a_constant_image_stays_finite():
    images = torch.full((3, 28, 28), 9, dtype=torch.uint8)
    assert torch.isfinite(PixelScaler.fit(images, "standard")(images)).all()
