"""A trained model as a folder of plain files, and what one can do with it.

model.json           format, task, configuration, classes, scaler
weights.safetensors  the parameters by name

Never a pickle: loading a bundle runs no code from it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.image_files import check_images
from carousel.data.scaling import PixelScaler
from carousel.errors import CarouselError, DataError, RunError
from carousel.events import EventStore
from carousel.tasks import classify, metrics, plots

FORMAT = 1


@dataclass
class Bundle:
    """A trained classifier: weights, configuration, class names and input scaler.

    >>> bundle = load("runs/mnist-rows-20261124-090000")  # doctest: +SKIP
    >>> bundle.predict(images)                            # doctest: +SKIP
    ['7', '2', '1']
    """

    model: nn.Module
    config: Config
    classes: tuple[str, ...]
    scaler: PixelScaler

    def predict_proba(self, images: NDArray[np.generic] | Tensor) -> NDArray[np.float32]:
        """Class probabilities (N, C) of images (N, 28, 28) or one image (28, 28).

        Integers 0 to 255 or floats in [0, 1], white on black. Raises `DataError` for anything else.
        """
        checked = check_images(images, "images")
        view = self.config.data.view
        chances = classify.probabilities(self.model, checked, view, self.scaler)
        result: NDArray[np.float32] = chances.numpy()
        return result

    def predict(self, images: NDArray[np.generic] | Tensor) -> list[str]:
        """The most probable class of each image; input as for `predict_proba`."""
        return [self.classes[i] for i in self.predict_proba(images).argmax(1)]

    def evaluate(self, part: str = "test") -> dict[str, Any]:
        """Every metric on the "test" or "validation" part of the data it was trained with."""
        if part not in ("test", "validation"):
            raise DataError(f"part must be 'test' or 'validation', got '{part}'")
        parts = classify.ImageParts(self.config.data)
        images = parts.test if part == "test" else parts.validation
        chances = classify.probabilities(
            self.model, images.images, self.config.data.view, self.scaler
        )
        head = self.config.data.test_head if part == "test" else 0
        return metrics.report(images.labels, chances, self.classes, head=head)

    def save(self, folder: Path) -> None:
        """Write the two files; an existing bundle there is replaced."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in self.model.state_dict().items()
        }
        (folder / "weights.safetensors").write_bytes(safetensors.torch.save(weights))
        facts = {
            "format": FORMAT,
            "config": self.config.to_dict(),
            "classes": list(self.classes),
            "scaler": dataclasses.asdict(self.scaler),
        }
        (folder / "model.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def load(run_or_bundle: str | Path) -> Bundle:
    """The trained model of a run folder, or of a bundle's own folder, ready to predict.

    Raises `RunError` if the folder is neither, was written by a newer version, is damaged, or
    belongs to a run that has not finished.
    """
    folder = Path(run_or_bundle)
    if (folder / "model" / "model.json").is_file():
        folder = folder / "model"
    if not (folder / "model.json").is_file():
        if (folder / "config.toml").is_file():
            raise RunError(
                f"the run {folder} has no model yet: finish it with carousel train "
                f"--resume {folder}"
            )
        raise RunError(f"{folder} is neither a run folder nor a bundle: it has no model.json")
    try:
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if facts["format"] > FORMAT:
            raise RunError(
                f"{folder} was written by a newer Carousel (bundle format {facts['format']}, this "
                f"version reads up to {FORMAT}): upgrade with pip install -U carousel-rnn"
            )
        config = Config.from_dict(facts["config"])
        with torch.random.fork_rng():  # the new weights are replaced: leave the caller's draws be
            model = classify.build_model(config)
        weights = safetensors.torch.load((folder / "weights.safetensors").read_bytes())
        model.load_state_dict(weights)
        scaler = PixelScaler(**facts["scaler"])
        classes = tuple(facts["classes"])
    except RunError:
        raise
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        RuntimeError,
        SafetensorError,
        CarouselError,
    ) as error:
        reason = " ".join(str(error).split())  # torch lists every tensor on a line of its own
        raise RunError(f"the bundle {folder} cannot be read: {reason}") from None
    return Bundle(model.eval(), config, classes, scaler)


def evaluate_run(folder: str | Path, part: str = "test") -> dict[str, Any]:
    """Load the model in `folder`, judge it on `part`, and leave the report beside it.

    A use of the test part is noted in the run's event store. Returns the report; raises as `load`.
    """
    folder = Path(folder)
    bundle = load(folder)
    report = bundle.evaluate(part)
    if part == "test" and (folder / "events.sqlite").is_file():
        with EventStore(folder / "events.sqlite") as store:
            store.event(store.last_step(), "test_used", by="evaluate")
    write_report(folder, report, bundle.classes, part)
    return report


def write_report(
    folder: Path, report: dict[str, Any], classes: tuple[str, ...], part: str = "test"
) -> Path:
    """Write evaluation.json and confusion.png, or evaluation-<part>.json and so on for another
    part than the test part. Returns the path of the picture."""
    suffix = "" if part == "test" else f"-{part}"
    text = json.dumps({"part": part, **report}, indent=2) + "\n"
    (folder / f"evaluation{suffix}.json").write_text(text, encoding="utf-8")
    picture = folder / f"confusion{suffix}.png"
    plots.draw_confusion(report["confusion"], classes, picture)
    return picture
