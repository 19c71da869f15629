"""A trained classifier of images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import Config
from carousel.data import mnist
from carousel.data.files.images import check_images, read_images
from carousel.data.scaling import PixelScaler
from carousel.tasks.classify.network import EVALUATION_BATCH, as_sequence, build_model
from carousel.tasks.shared import metrics, network, plots
from carousel.tasks.shared.answers import ClassAnswer, classes_of
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.task import Given, Notice, Shown, TrainedModel

Images = NDArray[np.generic] | Tensor

_LIGHT = Notice(
    "the background looks light, but the model knows white digits on black: try invert",
    ("invert",),
)


class TrainedClassifier(TrainedModel):
    """A trained classifier: weights, configuration, class names and input scaler.

    >>> model = carousel.load("runs/mnist-rows-20261124-090000")  # doctest: +SKIP
    >>> [answer.label for answer in model.predict(images)]        # doctest: +SKIP
    ['7', '2', '1']
    """

    def __init__(
        self, model: nn.Module, config: Config, classes: tuple[str, ...], scaler: PixelScaler
    ) -> None:
        super().__init__(model, config)
        self.classes, self.scaler = classes, scaler

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedClassifier:
        scaler = PixelScaler(**facts["scaler"])
        return cls(build_model(config), config, tuple(facts["classes"]), scaler)

    def facts(self) -> dict[str, Any]:
        return {"classes": list(self.classes), "scaler": dataclasses.asdict(self.scaler)}

    def encode(self, inputs: Images) -> tuple[Tensor]:
        """Scaled sequences (N, T, I) of images."""
        return (self._encoded(check_images(inputs, "images")),)

    def example_inputs(self) -> tuple[Tensor]:
        """A black image."""
        return self.encode(torch.zeros(1, mnist.SIDE, mnist.SIDE, dtype=torch.uint8))

    def decode(self, outputs: Tensor) -> list[ClassAnswer]:
        """Answers of the network's logits (N, C)."""
        return classes_of(outputs.softmax(1), self.classes)

    def predict(self, inputs: Images) -> list[ClassAnswer]:
        """The class of each of the images (N, 28, 28), or of one image (28, 28).

        Integers 0 to 255 or floats in [0, 1], white on black. Raises `DataError` for anything else.
        """
        return self.decode(self._logits(check_images(inputs, "images")))

    def predict_proba(self, inputs: Images) -> NDArray[np.float32]:
        """Class probabilities (N, C) of images; input as for `predict`."""
        logits = self._logits(check_images(inputs, "images"))
        result: NDArray[np.float32] = logits.softmax(1).numpy()
        return result

    @property
    def wants(self) -> str:
        return "name the images: a .png, .npz, .npy or IDX file"

    def read(self, path: Path, *, invert: bool = False) -> Given:
        """The images in a file. invert: they are dark on light, and are turned."""
        pixels = read_images(path)
        if invert:
            return Given(255 - pixels, noun="image")
        light = len(pixels) > 0 and float(pixels[:, [0, -1]].float().mean()) > 127
        return Given(pixels, notes=(_LIGHT,) if light else (), noun="image")

    def _judge(self, part: str) -> dict[str, Any]:
        parts, data = self.as_trained(self.data(mnist.ImageParts), part), self.config.data
        images = parts.test if part == "test" else parts.validation
        chances = self._logits(images.images).softmax(1)
        head = data.test_head if part == "test" else 0
        return metrics.report(images.labels, chances, self.classes, head=head)

    def _logits(self, images: Tensor) -> Tensor:
        """Logits (N, C) of uint8 images (N, 28, 28), on the CPU."""
        if not len(images):
            return torch.empty(0, len(self.classes))
        with network.evaluating(self.model) as device:
            logits = [
                self.model(self._encoded(some.to(device))).cpu()
                for some in torch.split(images, EVALUATION_BATCH)
            ]
        return torch.cat(logits)

    def _encoded(self, images: Tensor) -> Tensor:
        return self._sequences(self.scaler(images))

    def _sequences(self, images: Tensor) -> Tensor:
        return as_sequence(images, self.config.data.view, self.config.data.permutation)

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        yield from metrics.show_classes(report, "examples")
        yield metrics.worst_confusions(report["confusion"], list(report["per_class"])) + "\n"

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        picture = folder / f"confusion{suffix}.png"
        plots.draw_confusion(report["confusion"], self.classes, picture)
        return [picture]

    def example(self, source: str | Given, number: int) -> Example:
        if isinstance(source, Given):
            images, labels, origin = source.inputs, None, f"image {number} of your own"
        else:
            parts = self.as_trained(self.data(mnist.ImageParts), source)
            held = parts.test if source == "test" else parts.validation
            images, labels, origin = held.images, held.labels, f"{source} image {number}"
        image = images[check_number(number, len(images), "images")].unsqueeze(0)
        (x,) = self.encode(image)
        with network.evaluating(self.model):
            guess = int(self.model(x).argmax())
        truth = "" if labels is None else f"true class {self.classes[int(labels[number])]}, "
        return Example(
            f"{origin}: {truth}predicted {self.classes[guess]}",
            f"the logit of the predicted class {self.classes[guess]}",
            lambda: self.model(x)[0, guess],
            image=self._sequences(image)[0] if self.config.data.view == "rows" else None,
        )
