"""Scenes of digits in small form, and a folder of images that tells three colours apart."""

import numpy as np
from PIL import Image

from carousel.config import Config

COLORS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 60, 230)}


def scenes_config(*more):
    return Config(task="caption").override(
        [
            "data.name=digit-scenes",
            "scenes.count=24",
            "scenes.held=8",
            "scenes.side=36",
            "encoder.width=4",
            "encoder.features=16",
            "encoder.stages=2",
            "model.hidden_size=24",
            "model.embedding_size=16",
            "model.cell=gru",
            "optimizer.learning_rate=1e-2",
            "optimizer.clip_norm=1",
            "training.epochs=1",
            "training.batch_size=8",
            *more,
        ]
    )


def write_images(folder, count=30, seed=0):
    """PNG files of unequal size with a square of one colour, and two captions for each."""
    chance = np.random.RandomState(seed)
    folder = folder / "images"
    folder.mkdir()
    rows = ["image,caption"]
    for number in range(count):
        name, color = list(COLORS.items())[number % 3]
        high, wide = chance.randint(20, 60, 2)
        pixels = chance.randint(0, 40, (high, wide, 3)).astype(np.uint8)
        pixels[4:16, 4:16] = color
        Image.fromarray(pixels).save(folder / f"i{number}.png")
        rows += [f"i{number}.png,a {name} square", f'i{number}.png,"a square, {name}"']
    (folder / "captions.csv").write_text("\n".join(rows) + "\n")
    return folder


def images_config(path, *more):
    return Config(task="caption").override(
        [
            "data.name=images",
            f"data.path='{path}'",
            "pictures.side=16",
            "encoder.width=4",
            "encoder.features=16",
            "encoder.stages=2",
            "model.hidden_size=24",
            "model.embedding_size=16",
            "model.cell=gru",
            "optimizer.learning_rate=1e-2",
            "optimizer.clip_norm=1",
            "training.epochs=40",
            "training.batch_size=8",
            "training.monitor=loss",
            "text.validation=0.2",
            "text.test=0.2",
            *more,
        ]
    )
