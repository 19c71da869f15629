"""Small images of three classes that anybody can tell: a bar up, a bar across, a full square."""

import numpy as np
from PIL import Image

from carousel.config import Config

CLASSES = ("across", "full", "up")


def pattern(label, side=8, seed=0):
    """An image (side, side), uint8, of a class, with a bar at a place that `seed` draws."""
    chance = np.random.default_rng(seed)
    pixels = chance.integers(0, 40, (side, side)).astype(np.uint8)
    place = int(chance.integers(1, side - 2))
    if label == "across":
        pixels[place : place + 2] = 230
    elif label == "up":
        pixels[:, place : place + 2] = 230
    else:
        pixels[1:-1, 1:-1] = 230
    return pixels


def write_images(folder, count=12, side=8, seed=0, where="{label}/{number}.png", first=0):
    """Files of `count` images of each class, at `where` in a folder."""
    root = folder / "pictures"
    for label in CLASSES:
        for number in range(first, first + count):
            file = root / where.format(label=label, number=number, group=f"g{number % 4}")
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pattern(label, side, seed * 1000 + number)).save(file)
    return root


def arrays(count=12, side=8):
    """The images that `write_images` writes, (N, side, side), and the numbers of their classes."""
    made = [pattern(label, side, number) for label in CLASSES for number in range(count)]
    return np.stack(made), np.repeat(np.arange(len(CLASSES)), count)


def images_config(path, *more):
    return Config().override(
        [
            f"data.path='{path}'",
            "model.hidden_size=8",
            "training.epochs=2",
            "training.batch_size=8",
            "optimizer.learning_rate=1e-2",
            *more,
        ]
    )
