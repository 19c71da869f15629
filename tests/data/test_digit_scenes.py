"""Scenes of digits: the picture holds what the caption says, and follows from the seed."""

import re

import numpy as np
from small_scenes import scenes_config

from carousel.data.digit_scenes import NUMBERS, PLACES, describe, scenes

THING = re.compile(rf"({'|'.join(map(re.escape, PLACES))}) a (small|large) ({'|'.join(NUMBERS)})")


def made(part, *more):
    config = scenes_config(*more)
    return scenes(config.data, config.scenes, part)


def things_of(caption):
    """(size, digit, place) of each thing, by another reading of the grammar than its writing."""
    told = re.split(r", | and ", caption)
    found = [THING.fullmatch(thing).groups() for thing in told]
    return [(size, NUMBERS.index(digit), PLACES.index(place)) for place, size, digit in found]


def test_scenes_follow_from_the_seed_alone_and_parts_differ():
    pictures, captions = made("train")
    again, same = made("train")
    np.testing.assert_array_equal(pictures, again)
    assert captions == same
    assert captions != made("train", "data.split_seed=7")[1]
    assert made("validation")[1] != made("test")[1] != captions[:8]


def test_there_is_ink_where_the_caption_says_and_nowhere_else():
    pictures, captions = made("train", "scenes.count=60")
    counts = set()
    for picture, caption in zip(pictures, captions, strict=True):
        ink = picture.reshape(3, 12, 3, 12).max((1, 3)).flatten() > 0
        places = [place for _, _, place in things_of(caption)]
        assert np.flatnonzero(ink).tolist() == places == sorted(set(places))
        counts.add(len(places))
    assert counts == {1, 2, 3, 4}


def test_large_digits_are_higher_than_small_ones():
    heights = {"small": [], "large": []}
    for picture, caption in zip(*made("train", "scenes.count=80"), strict=True):
        for size, _, place in things_of(caption):
            row, column = divmod(place, 3)
            cell = picture[row * 12 : row * 12 + 12, column * 12 : column * 12 + 12]
            heights[size].append(np.ptp(np.flatnonzero(cell.max(1))) + 1)
    assert max(heights["small"]) <= 9
    assert np.median(heights["large"]) > np.median(heights["small"])


def test_one_thing_needs_no_and():
    assert describe([(0, False, 4)]) == "in the middle a small zero"
    assert things_of(describe([(0, False, 4), (9, True, 8)])) == [("small", 0, 4), ("large", 9, 8)]
