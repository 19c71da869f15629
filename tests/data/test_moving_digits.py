"""Films of moving digits: what a frame shows, what its label is, whose digits they are."""

import numpy as np
import pytest
import torch
from small_frames import film_config

from carousel.data import mnist, moving_digits
from carousel.data.labelled_images import Images
from carousel.data.moving_digits import digits_of_parts, films, shrink
from carousel.data.parts import NAMES


def made(*more, parts=NAMES):
    config = film_config(*more)
    return {part: films(config.data, config.scenes, part) for part in parts}


@pytest.mark.slow
def test_films_follow_from_the_seed_alone():
    first, again, other = made(), made(), made("data.split_seed=5")
    for part in first:
        for name, film in first[part].items():
            np.testing.assert_array_equal(film.values, again[part][name].values)
            assert film.labels == again[part][name].labels
    assert any(film.labels != other["test"][name].labels for name, film in first["test"].items())


def test_more_films_begin_with_the_fewer():
    few, more = made("scenes.count=3"), made("scenes.count=5")
    assert len(few["train"]) == 3
    for name, film in few["train"].items():
        np.testing.assert_array_equal(film.values, more["train"][name].values)


def test_the_labels_compare_each_digit_with_the_one_before(monkeypatch):
    # One image of each digit, of one grey each: then a frame says which digit it shows.
    images = (torch.arange(1, 11).view(10, 1, 1) * 20).expand(10, 28, 28).to(torch.uint8)
    digits = Images(images.contiguous(), torch.arange(10))
    monkeypatch.setattr(moving_digits, "digits_of_parts", lambda data: {"train": digits})
    dark = 0
    for film in made(parts=["train"])["train"].values():
        before = shown = None
        for frame, label in zip(film.values, film.labels, strict=True):
            grey = frame.max()
            dark += not grey
            if grey and grey != shown:
                before, shown = shown, grey
            wanted = "first" if before is None else "higher" if shown > before else "lower"
            assert label == wanted or not grey
    assert dark


def test_the_parts_have_digits_of_their_own():
    parts = digits_of_parts(film_config().data)
    rows = {n: {i.numpy().tobytes() for i in part.images} for n, part in parts.items()}
    assert len(parts["train"]) + len(parts["validation"]) == 60000
    torch.testing.assert_close(parts["test"].images, mnist.load_test().images)
    assert not rows["train"] & rows["validation"]


def test_a_shrunk_image_has_the_means_of_the_pixels():
    image = torch.randint(0, 256, (28, 28), dtype=torch.uint8)
    blocks = image.double().view(14, 2, 14, 2).mean((1, 3))
    assert np.abs(shrink(image, 14) - blocks.numpy()).max() <= 0.5
