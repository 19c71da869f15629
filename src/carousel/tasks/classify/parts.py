"""The images of MNIST in parts."""

from __future__ import annotations

from functools import cached_property

from carousel.config import (
    DataConfig,
)
from carousel.data import mnist
from carousel.data.splits import hold_out


class ImageParts:
    """Training, validation and test images. The test file is not opened before it is asked for."""

    def __init__(self, data: DataConfig) -> None:
        full = mnist.load_train()
        train, validation = hold_out(len(full), data.validation, data.split_seed)
        if data.train_limit:
            train = train[: data.train_limit]
        self.train = full.take(train)
        self.validation = full.take(validation)

    @cached_property
    def test(self) -> mnist.Images:
        return mnist.load_test()

    def part(self, name: str) -> mnist.Images:
        """ "train", "validation" or "test"."""
        if name == "test":
            return self.test
        return {"train": self.train, "validation": self.validation}[name]
