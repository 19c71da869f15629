"""Scenes of MNIST digits with a caption in words, made with a seed: nothing to download.

A scene is a grid of nine places, of which one to four hold a digit, small or large, somewhere in
its place. The caption tells them from the top left to the bottom right by a grammar:

    caption: thing | thing "and" thing | thing "," thing … "and" thing
    thing: place "a" ("small" | "large") ("zero" | … | "nine")
    place: "at the" ("top" | "bottom") ["left" | "right"] | "on the" ("left" | "right")
           | "in the middle"

The place comes first, so that a reader, and a network, knows where to look for what follows.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.config import DataConfig, ScenesConfig
from carousel.data.labelled_images import Images
from carousel.data.moving_digits import digits_of_parts, shrink

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLACES = (
    "at the top left", "at the top", "at the top right",
    "on the left", "in the middle", "on the right",
    "at the bottom left", "at the bottom", "at the bottom right",
)  # fmt: skip
_MOST = 4
_MARGIN = 3
"""Pixels that are left off each side of an MNIST image: nearly all have nothing there."""
_SMALL, _LARGE = (0.66, 0.75), (0.88, 1.0)
"""Sides of a digit, as shares of the side of a place: at least, at most."""


def scenes(
    data: DataConfig, config: ScenesConfig, part: str
) -> tuple[NDArray[np.uint8], list[str]]:
    """Pictures (N, side, side) and their captions: of "train", "validation" or "test".

    The digits of the parts come from disjoint images (see `moving_digits.digits_of_parts`).
    """
    images = digits_of_parts(data)[part]
    count = config.count if part == "train" else config.held
    seed = data.split_seed + ("train", "validation", "test").index(part)
    # The legacy generator, whose numbers NumPy promises never to change.
    chance = np.random.RandomState(seed)
    made = [_scene(images, config.side, chance) for _ in range(count)]
    return np.stack([picture for picture, _ in made]), [caption for _, caption in made]


def describe(things: list[tuple[int, bool, int]]) -> str:
    """The caption of things (digit, is it large, place) in the order of their places.

    >>> describe([(4, True, 0), (7, False, 4), (1, True, 5)])
    'at the top left a large four, in the middle a small seven and on the right a large one'
    """
    told = [
        f"{PLACES[place]} a {'large' if large else 'small'} {NUMBERS[digit]}"
        for digit, large, place in things
    ]
    return " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))


def _scene(
    images: Images, side: int, chance: np.random.RandomState
) -> tuple[NDArray[np.uint8], str]:
    picture = np.zeros((side, side), np.uint8)
    room = side // 3
    places = np.sort(chance.permutation(len(PLACES))[: chance.randint(1, _MOST + 1)])
    things = []
    for place in places.tolist():
        number, large = int(chance.randint(len(images))), bool(chance.randint(2))
        low, high = _LARGE if large else _SMALL
        size = round(room * chance.uniform(low, high))
        y, x = chance.randint(0, room - size + 1, 2) + room * np.array(divmod(place, 3))
        digit = images.images[number, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
        picture[y : y + size, x : x + size] = shrink(digit, size)
        things.append((int(images.labels[number]), large, place))
    return picture, describe(things)


def as_tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Pictures (N, side, side) as images of one channel (N, 1, side, side)."""
    return torch.from_numpy(pictures).unsqueeze(1)
