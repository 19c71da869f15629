"""MNIST, embedded in the package: `data.validation` of its training images validate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.labelled_images import ImageParts


def read(config: Config) -> ImageParts:
    """The parts; the file of the published test part is opened when it is asked for."""
    from carousel.data.labelled_images import ImageParts
    from carousel.data.mnist import load_test, load_train
    from carousel.data.splits import hold_out

    full = load_train()
    train, validation = hold_out(len(full), config.data.images, config.data.split_seed)
    return ImageParts(full.take(train), full.take(validation), load_test)


READERS = {"classify": {"mnist": read}}
