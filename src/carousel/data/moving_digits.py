"""Films of moving MNIST digits with a label per frame, made with a seed: nothing to download.

A film shows one digit after another, no two alike in a row, each moving over the canvas and off its
edges like a ball. The label of a frame is what a single frame does not say: whether the digit on
show is "higher" or "lower" than the one before it, "first" if there was none. So a network has to
read the frame and to remember; some frames are dark besides, and keep their label.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from carousel.config import DataConfig, ScenesConfig
from carousel.data import mnist
from carousel.data.files.recordings import Frames
from carousel.data.labelled_images import Images
from carousel.data.parts import NAMES
from carousel.data.splits import hold_out

CLASSES = ("first", "higher", "lower")
_DARK = 0.1
_SHOWN = (4, 10)
"""Frames that a digit is on show: at least, and below."""
_DIGITS = (3, 7)
"""Digits of a film: at least, and below."""


def films(data: DataConfig, scenes: ScenesConfig, part: str) -> dict[str, Frames]:
    """The films of a part by their names; values (T, side²) in 0 to 255.

    The digits of the training, validation and test part come from disjoint images: the last two
    from `data.validation` training images of MNIST and from its test images.
    """
    count = scenes.count if part == "train" else scenes.held
    seed = data.split_seed + NAMES.index(part)
    endless = _endless(digits_of_parts(data)[part], scenes.side, seed)
    numbered = zip(range(count), endless, strict=False)
    return {f"{part}-{number:04}": film for number, film in numbered}


def digits_of_parts(data: DataConfig) -> dict[str, Images]:
    """Disjoint MNIST images to make scenes of, by part; the test part's are MNIST's own."""
    full = mnist.load_train()
    train, validation = hold_out(len(full), data.images, data.split_seed)
    return {
        "train": full.take(train),
        "validation": full.take(validation),
        "test": mnist.load_test(),
    }


def shrink(image: torch.Tensor, side: int) -> NDArray[np.uint8]:
    """A square image, uint8, as (side, side): each pixel the mean of those that it covers."""
    small = F.interpolate(image[None, None].float(), size=(side, side), mode="area")[0, 0]
    result: NDArray[np.uint8] = small.round().to(torch.uint8).numpy()
    return result


def _endless(images: Images, side: int, seed: int) -> Iterator[Frames]:
    # The legacy generator, whose numbers NumPy promises never to change.
    chance = np.random.RandomState(seed)
    digits = images.labels.numpy()
    while True:
        frames: list[NDArray[np.uint8]] = []
        labels: list[str] = []
        before = -1
        for _ in range(chance.randint(*_DIGITS)):
            place = chance.randint(len(digits))
            while digits[place] == before:
                place = chance.randint(len(digits))
            size = chance.randint(side // 2, side * 3 // 4)
            shown = list(_move(shrink(images.images[place], size), side, chance))
            frames += shown
            digit = int(digits[place])
            label = "first" if before < 0 else "higher" if digit > before else "lower"
            labels += [label] * len(shown)
            before = digit
        yield Frames(np.stack(frames).reshape(len(frames), -1).astype(np.float32), labels)


def _move(
    digit: NDArray[np.uint8], side: int, chance: np.random.RandomState
) -> Iterator[NDArray[np.uint8]]:
    """Frames of one digit that moves at a constant pace and comes back from the edges."""
    room = side - len(digit)
    place, pace = chance.uniform(0, room, 2), chance.uniform(-3, 3, 2)
    first = True
    for _ in range(chance.randint(*_SHOWN)):
        frame = np.zeros((side, side), np.uint8)
        if first or chance.uniform() >= _DARK:  # of each digit at least one frame is seen
            # A triangle wave: where a ball is that the edges throw back.
            y, x = np.rint(room - np.abs(np.mod(place, 2 * room) - room)).astype(int)
            frame[y : y + len(digit), x : x + len(digit)] = digit
        first = False
        place = place + pace
        yield frame
