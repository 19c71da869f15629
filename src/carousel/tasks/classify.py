"""Many-to-one: one label for a whole sequence. Here: an MNIST image read step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from carousel import layers
from carousel.config import (
    Config,
    DataConfig,
    ModelConfig,
    RegularizationConfig,
)
from carousel.data import mnist
from carousel.data.batches import ShuffledBatches, in_order
from carousel.data.image_files import check_images, read_images
from carousel.data.scaling import PixelScaler
from carousel.data.splits import hold_out
from carousel.errors import ConfigError
from carousel.layers.pooling import Pooling
from carousel.tasks import baselines, metrics, network, outputs, plots, samples
from carousel.tasks.example import Example, check_number
from carousel.tasks.network import activation_penalty, make_dropout, make_recurrent, start
from carousel.tasks.samples import Answer, Sample
from carousel.tasks.task import (
    Batch,
    Carry,
    Json,
    Notice,
    Request,
    Shown,
    StepLoss,
    Table,
    Task,
    TrainedModel,
    mean_of,
)

_EVALUATION_BATCH = 1000
_LOOKED_AT = 500


def as_sequence(images: Tensor, view: str, permutation: int = 0) -> Tensor:
    """Images (B, 28, 28) as sequences (B, T, I): "rows", "pixels" or the whole "image" at once.

    permutation: first shuffle the pixels, all images alike (see `carousel.config.DataConfig`).

    >>> [tuple(as_sequence(torch.zeros(2, 28, 28), v).shape) for v in ("rows", "pixels", "image")]
    [(2, 28, 28), (2, 784, 1), (2, 1, 784)]
    """
    if permutation:
        images = images.flatten(1)[:, _order(permutation)].view_as(images)
    if view == "rows":
        return images
    return images.flatten(1).unsqueeze(2 if view == "pixels" else 1)


@cache
def _order(seed: int) -> Tensor:
    # The legacy generator, whose numbers NumPy promises never to change.
    return torch.from_numpy(np.random.RandomState(seed).permutation(mnist.SIDE**2))


class Classifier(nn.Module):
    """Recurrent layers, pooling over time, dropout, a linear head: (B, T, I) to logits (B, C).

    Dropout acts on vertical connections only (Zaremba et al. 2014): `input_dropout` on the input,
    `dropout` between layers and before the head.
    """

    def __init__(
        self,
        input_size: int,
        classes: int,
        model: ModelConfig,
        regularization: RegularizationConfig,
    ) -> None:
        super().__init__()
        dropout = regularization.dropout
        self.recurrent = make_recurrent(input_size, model, regularization, batch_first=True)
        self.regularization = regularization
        self.input_dropout = make_dropout(regularization.input_dropout)
        self.dropout = make_dropout(dropout)
        features = model.hidden_size * (2 if model.bidirectional else 1)
        self.pooling = Pooling(model.pooling, features)
        self.head = nn.Linear(features, classes)

    def forward(self, x: Tensor, with_penalty: bool = False) -> Any:
        """x: scaled sequences (B, T, I). Returns logits (B, C), or those and the activation
        penalty (None if there is none)."""
        outputs, last = self.recurrent(self.input_dropout(x))
        logits = self.head(self.dropout(self.pooling(outputs, last)))
        if with_penalty:
            return logits, activation_penalty(outputs, outputs, self.regularization, time_dim=1)
        return logits


def build_model(config: Config) -> Classifier:
    """A new network for the data's view; weights from torch's global random state."""
    input_size = as_sequence(torch.zeros(1, mnist.SIDE, mnist.SIDE), config.data.view).size(2)
    classifier = Classifier(input_size, len(mnist.CLASSES), config.model, config.regularization)
    start(classifier, config)
    return classifier


def probabilities(
    model: nn.Module, images: Tensor, view: str, scaler: PixelScaler, permutation: int = 0
) -> Tensor:
    """Class probabilities (N, C) of uint8 images (N, 28, 28), in evaluation mode, on the CPU."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            logits = [
                model(as_sequence(scaler(chunk.to(device)), view, permutation))
                for chunk in torch.split(images, _EVALUATION_BATCH)
            ]
        return torch.cat(logits).softmax(1).cpu() if logits else torch.empty(0, len(mnist.CLASSES))
    finally:
        model.train(was_training)


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


class ClassifyTask(Task):
    """Training of a `Classifier`."""

    validation_metrics = ("accuracy", "loss")
    unit = "images"
    trained = TrainedClassifier
    classes = mnist.CLASSES

    def __init__(self, config: Config, seed: int) -> None:
        if config.data.name != "mnist":
            raise ConfigError(
                f"data.name must be mnist to classify, got '{config.data.name}'; images of your "
                f"own go to predict alone"
            )
        network.check(config)
        self.config = config
        self.parts = ImageParts(config.data)
        self.scaler = PixelScaler.fit(self.parts.train.images, config.data.scaling)
        self._batches = ShuffledBatches(
            self.parts.train, config.training.batch_size, seed, config.data.shift
        )

    @property
    def parted(self) -> ImageParts:
        return self.parts

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    def build_model(self) -> Classifier:
        return build_model(self.config)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        return self._batches.epoch(epoch, start)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        images, labels = batch
        logits, penalty = model(self._sequences(images), with_penalty=True)
        total = F.cross_entropy(logits, labels, reduction="sum")
        hits = (logits.detach().argmax(1) == labels).sum()
        count = len(labels)
        objective = total / count if penalty is None else total / count + penalty
        return StepLoss(objective, {"loss": total.detach(), "accuracy": hits}, count)

    def _sequences(self, images: Tensor) -> Tensor:
        data = self.config.data
        return as_sequence(self.scaler(images), data.view, data.permutation)

    def validate(self, model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        batches = in_order(self.parts.validation, _EVALUATION_BATCH)
        was_training = model.training
        model.eval()
        with torch.no_grad():
            means = mean_of(self.loss(model, (x.to(device), y.to(device))) for x, y in batches)
        model.train(was_training)
        return means

    def targets(self) -> tuple[Tensor, Tensor]:
        return self.parts.train.labels, self.parts.validation.labels

    def outputs(self, model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        some = self.parts.validation.take(torch.arange(min(_LOOKED_AT, len(self.parts.validation))))
        with network.evaluating(model):
            guess = model(self._sequences(some.images.to(device))).argmax(1)
        return outputs.of_classes(guess, some.labels)

    def samples(self, most: int) -> list[Sample]:
        held = self.parts.validation
        return [
            Sample(
                f"validation image {i}",
                picture=samples.picture(held.images[i]),
                wanted=self.classes[int(held.labels[i])],
            )
            for i in samples.spread(len(held), most).tolist()
        ]

    def answers(self, model: nn.Module, most: int) -> list[Answer]:
        index = samples.spread(len(self.parts.validation), most)
        some = self.parts.validation.take(index)
        with network.evaluating(model) as device:
            chances = model(self._sequences(some.images.to(device))).softmax(1).cpu()
        return samples.of_classes(chances, some.labels, self.classes)

    def baselines(self) -> dict[str, dict[str, float]]:
        return baselines.fit_and_score(self.parts.train, self.parts.test)

    def finish(self, model: nn.Module) -> TrainedClassifier:
        return TrainedClassifier(model, self.config, self.classes, self.scaler)

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, Classifier)
        parts = self.parts
        example = self._sequences(parts.train.images[:1])
        return (
            f"{len(parts.train):,} images to train on, {len(parts.validation):,} to validate\n"
            f"recurrent layer on {layers.explain(model.recurrent, example)}"
        )


TASK = ClassifyTask
