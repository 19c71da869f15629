"""A trained classifier of images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import Config
from carousel.data import mnist
from carousel.data.files import judged_images
from carousel.data.files.image_arrays import is_array_file
from carousel.data.files.image_fit import is_picture
from carousel.data.files.images import check_images, read_images
from carousel.data.labelled_images import ImageParts, Shape
from carousel.data.scaling import PixelScaler
from carousel.tasks.classify.network import EVALUATION_BATCH, build_model, sequences_of
from carousel.tasks.classify.own import given_of, pixels_of
from carousel.tasks.shared import metrics, network, plots
from carousel.tasks.shared.answers import ClassAnswer, classes_of
from carousel.tasks.shared.average import mean_of_classes
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.task import Given, Notice, Shown, TrainedModel

Images = NDArray[np.generic] | Tensor | str | Path | Sequence[str | Path]

_DIGIT = (mnist.SIDE, mnist.SIDE)
_LIGHT = Notice(
    "the background looks light, but the model knows white digits on black: try invert",
    ("invert",),
)


class TrainedClassifier(TrainedModel):
    """A trained classifier: weights, configuration, class names, input scaler, and the shape of an
    image.

    >>> model = carousel.load("runs/mnist-rows-20261124-090000")  # doctest: +SKIP
    >>> [answer.label for answer in model.predict(images)]        # doctest: +SKIP
    ['7', '2', '1']
    """

    averages = True

    def __init__(
        self,
        model: nn.Module,
        config: Config,
        classes: tuple[str, ...],
        scaler: PixelScaler,
        shape: Shape = _DIGIT,
    ) -> None:
        super().__init__(model, config)
        self.classes, self.scaler, self.shape = classes, scaler, shape

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedClassifier:
        scaler, classes = PixelScaler(**facts["scaler"]), tuple(facts["classes"])
        shape = tuple(facts.get("shape", _DIGIT))
        return cls(build_model(config, shape, len(classes)), config, classes, scaler, shape)

    def averaged(self, outputs: Tensor) -> Tensor:
        return mean_of_classes(outputs)

    def facts(self) -> dict[str, Any]:
        return {
            "classes": list(self.classes),
            "scaler": dataclasses.asdict(self.scaler),
            "shape": list(self.shape),
        }

    @property
    def _own(self) -> bool:
        """True if it was trained on custom images: of any size, and not white on black."""
        return self.config.data.name != "mnist"

    def _pixels(self, inputs: Images) -> Tensor:
        if self._own:
            return pixels_of(inputs, self.shape, self.config.pictures.fit)
        array = inputs if isinstance(inputs, Tensor) else np.asarray(inputs)
        return check_images(array, "images")

    def encode(self, inputs: Images) -> tuple[Tensor]:
        """Scaled sequences (N, T, I) of images."""
        return (self._encoded(self._pixels(inputs)),)

    def example_inputs(self) -> tuple[Tensor]:
        """A black image."""
        return self.encode(torch.zeros(1, *self.shape, dtype=torch.uint8))

    def decode(self, outputs: Tensor) -> list[ClassAnswer]:
        """Answers of the network's logits (N, C)."""
        return classes_of(outputs.softmax(1), self.classes)

    def predict(self, inputs: Images) -> list[ClassAnswer]:
        """The class of each of the images (N, 28, 28), or of one image (28, 28).

        Integers 0 to 255 or floats in [0, 1], white on black. A model of custom images takes any
        size, (N, H, W) or with 3 colours before or behind, and the names of files. Raises
        `DataError` for anything else.
        """
        return self.decode(self._logits(self._pixels(inputs)))

    def predict_proba(self, inputs: Images) -> NDArray[np.float32]:
        """Class probabilities (N, C) of images; input as for `predict`."""
        logits = self._logits(self._pixels(inputs))
        result: NDArray[np.float32] = logits.softmax(1).numpy()
        return result

    @property
    def wants(self) -> str:
        more = ", or a folder" if self._own else ""
        return f"name the images: a .png, .npz, .npy or IDX file{more}"

    def takes(self, file: Path) -> bool:
        return not self._own or is_picture(file) or is_array_file(file)

    def read(self, path: Path, *, invert: bool = False) -> Given:
        """The images in a file; of custom images, also those in a folder, where one that cannot be
        read is left out and named. invert: they are dark on light, and are turned."""
        if self._own:
            given = given_of(path, self.shape, self.config.pictures.fit)
            return dataclasses.replace(given, inputs=255 - given.inputs) if invert else given
        pixels = read_images(path)
        if invert:
            return Given(255 - pixels, noun="image")
        return Given(pixels, notes=(_LIGHT,) if _are_light(pixels) else (), noun="image")

    def _judge(self, part: str) -> dict[str, Any]:
        parts, data = self.as_trained(self.data(ImageParts), part), self.config.data
        images = parts.test if part == "test" else parts.validation
        chances = self._logits(images.images).softmax(1)
        head = data.test_head if part == "test" else 0
        return metrics.report(images.labels, chances, self.classes, head=head)

    def _judge_new(self, path: Path) -> dict[str, Any]:
        found = (
            judged_images.images(path, self.config, self.classes, self.shape)
            if self._own
            else judged_images.digits(path, self.classes)
        )
        pixels, notes = found.part.images, [*found.notes]
        if not self._own and _are_light(pixels):
            notes.append(_LIGHT.text)
        chances = self._logits(pixels).softmax(1)
        report = metrics.report(found.part.labels, chances, self.classes)
        return {**report, **found.account(), "notes": notes}

    def _logits(self, images: Tensor) -> Tensor:
        """Logits (N, C) of uint8 images (N, …), on the CPU."""
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
        return sequences_of(images, self.config.data)

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
            parts = self.as_trained(self.data(ImageParts), source)
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


def _are_light(pixels: Tensor) -> bool:
    """True if digits (N, H, W) seem to be dark on light: the model reads white on black."""
    return len(pixels) > 0 and float(pixels[:, [0, -1]].float().mean()) > 127
