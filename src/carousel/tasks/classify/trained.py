"""A trained classifier of images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import (
    Config,
)
from carousel.data.files.images import check_images, read_images
from carousel.data.scaling import PixelScaler
from carousel.errors import ConfigError
from carousel.tasks.classify.network import as_sequence, build_model, probabilities
from carousel.tasks.classify.parts import ImageParts
from carousel.tasks.shared import metrics, network, plots
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.task import (
    Json,
    Notice,
    Request,
    Shown,
    Table,
    TrainedModel,
)


class TrainedClassifier(TrainedModel):
    """A trained classifier: weights, configuration, class names and input scaler.

    >>> model = carousel.load("runs/mnist-rows-20261124-090000")  # doctest: +SKIP
    >>> model.predict(images)                                     # doctest: +SKIP
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

    def predict_proba(self, images: NDArray[np.generic] | Tensor) -> NDArray[np.float32]:
        """Class probabilities (N, C) of images (N, 28, 28) or one image (28, 28).

        Integers 0 to 255 or floats in [0, 1], white on black. Raises `DataError` for anything else.
        """
        result: NDArray[np.float32] = self._chances(check_images(images, "images")).numpy()
        return result

    def predict(self, images: NDArray[np.generic] | Tensor) -> list[str]:
        """The most probable class of each image; input as for `predict_proba`."""
        return [self.classes[i] for i in self.predict_proba(images).argmax(1)]

    def _judge(self, part: str) -> dict[str, Any]:
        parts, data = self.as_trained(ImageParts(self.config.data), part), self.config.data
        images = parts.test if part == "test" else parts.validation
        chances = self._chances(images.images)
        head = data.test_head if part == "test" else 0
        return metrics.report(images.labels, chances, self.classes, head=head)

    def _chances(self, images: Tensor) -> Tensor:
        data = self.config.data
        return probabilities(self.model, images, data.view, self.scaler, data.permutation)

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        yield from metrics.show_classes(report, "examples")
        yield metrics.worst_confusions(report["confusion"], list(report["per_class"])) + "\n"

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        picture = folder / f"confusion{suffix}.png"
        plots.draw_confusion(report["confusion"], self.classes, picture)
        return [picture]

    def example(self, source: str | Request, number: int) -> Example:
        if isinstance(source, Request):
            images, labels, origin = self._given(source), None, f"image {number} of your own"
        else:
            parts = self.as_trained(ImageParts(self.config.data), source)
            held = parts.test if source == "test" else parts.validation
            images, labels, origin = held.images, held.labels, f"{source} image {number}"
        image = images[check_number(number, len(images), "images")].unsqueeze(0)
        data = self.config.data
        x = as_sequence(self.scaler(image), data.view, data.permutation)
        with network.evaluating(self.model):
            guess = int(self.model(x).argmax())
        truth = "" if labels is None else f"true class {self.classes[int(labels[number])]}, "
        return Example(
            f"{origin}: {truth}predicted {self.classes[guess]}",
            f"the logit of the predicted class {self.classes[guess]}",
            lambda: self.model(x)[0, guess],
            image=as_sequence(image, data.view, data.permutation)[0]
            if data.view == "rows"
            else None,
        )

    def _given(self, request: Request) -> Tensor:
        options = request.only("classify", "invert")
        if request.input is None:
            raise ConfigError("name the images: a .png, .npz, .npy or IDX file")
        pixels = read_images(request.input)
        return 255 - pixels if options.get("invert") else pixels

    def answer(self, request: Request) -> Iterator[Shown]:
        pixels = self._given(request)
        if not request.options.get("invert") and _looks_light(pixels):
            yield Notice(
                "the background looks light, but the model knows white digits on black: "
                "try --invert"
            )
        chances = self.predict_proba(pixels)
        if request.as_json:
            yield Json(
                [
                    {
                        "class": self.classes[row.argmax()],
                        "probabilities": dict(zip(self.classes, map(float, row), strict=True)),
                    }
                    for row in chances
                ]
            )
        elif len(chances) == 1:
            yield self._bars(chances[0])
        else:
            yield self._list(chances)

    def _bars(self, chances: NDArray[np.float32]) -> Table:
        best_first = ((self.classes[i], float(chances[i])) for i in chances.argsort()[::-1])
        table = Table(("class", "probability", ""), [])
        for name, chance in best_first:
            table.rows.append((name, f"{chance:.4f}", "█" * round(30 * chance)))
        return table

    def _list(self, chances: NDArray[np.float32]) -> Table:
        table = Table(("image", "class", "probability", "next best"), [])
        for number, row in enumerate(chances):
            first, second = row.argsort()[::-1][:2]
            next_best = f"{self.classes[second]} {row[second]:.4f}"
            table.rows.append((str(number), self.classes[first], f"{row[first]:.4f}", next_best))
        return table


def _looks_light(pixels: Tensor) -> bool:
    return len(pixels) > 0 and float(pixels[:, [0, -1]].float().mean()) > 127
