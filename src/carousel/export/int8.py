"""Models in eight bits as subjects: ranges of inputs, weights, and numbers that are near a half."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from carousel import tasks
from carousel.errors import ConfigError
from carousel.export.description import Embedding
from carousel.export.subject import Numbers, Subject
from carousel.layers.base import Recurrent
from carousel.layers.int8 import Int8Call, Largest, noting_ranges, recurrent_layers, replaced
from carousel.quantization import LEVELS, EightBits
from carousel.tasks.shared.int8 import calibrated, compared
from carousel.tasks.shared.task import TrainedModel

MARGIN = 2e-4
"""Distance from a half, in whole numbers, from which on every way to compute rounds alike."""
JUDGED = "validation"
"""Part of the data that a model is judged on: whether to keep eight bits is a choice, too."""


class _Call(Int8Call):
    """A layer in eight bits that notes which steps of its last call had a number near a half: there
    a last bit decides how it is rounded. exact: its inputs are the same wherever they come from."""

    def __init__(self, layer: Any, largest: Largest, exact: bool) -> None:
        super().__init__(layer, largest)
        self.exact, self.parts = exact, self.stack.parts()
        self.near = torch.zeros(0, dtype=torch.bool)

    @torch.no_grad()
    def __call__(self, input: Tensor, hx: Any = None, lengths: Any = None) -> tuple[Tensor, Any]:
        """Outputs and state of a batch."""
        x = input.transpose(0, 1) if self.layer.batch_first else input
        levels = torch.from_numpy(self.stack.layers[0].levels)
        self.near = _near(x * levels) & (not self.exact)
        for index, part in enumerate(self.parts):
            state = self.layer.checked_state(input, hx)
            x, _, _ = part.run(x, tuple(h[index : index + 1] for h in state), None)
            self.near |= _near(x * LEVELS)
        return super().__call__(input, hx, lengths)


def _near(values: Tensor) -> Tensor:
    """Steps (T,) of values (T, B, F) with one that is near a half."""
    apart = (values - values.floor() - 0.5).abs()
    return ((apart < MARGIN) & (values.abs() < LEVELS + 0.5)).flatten(1).any(1)


@dataclass(frozen=True, eq=False)
class EightBitSubject(Subject):
    """A model whose recurrent layers compute in eight bits. calls: of each of them."""

    calls: tuple[_Call, ...]

    @property
    def int8(self) -> tuple[tuple[EightBits, ...], ...]:
        """Layers of each recurrent stack."""
        return tuple(tuple(call.stack.layers) for call in self.calls)

    def run(self, given: Mapping[str, Numbers]) -> dict[str, Numbers]:
        """Outputs and states in eight bits; see `Subject.run`."""
        with replaced(self.calls):
            return super().run(given)

    def first_near(self) -> float | None:
        """Place of the first step of the last run with a number near a half, as a share of all
        steps; None where there was none."""
        found = [call.near for call in self.calls if call.near.any()]
        return min((int(near.int().argmax()) / len(near) for near in found), default=None)


def in_eight_bits(subject: Subject, ranges: Sequence[Largest]) -> EightBitSubject:
    """The subject in eight bits; ranges: the largest |input| of each feature of each layer."""
    layers = subject.network.layers
    before = layers[: layers.index(subject.network.recurrent[0])]
    exact = bool(before) and all(isinstance(layer, Embedding) for layer in before)
    calls = tuple(
        _Call(layer, largest, index == 0 and (exact or layer is subject.model))
        for index, (layer, largest) in enumerate(zip(subject.recurrent, ranges, strict=True))
    )
    parts = (subject.network, subject.compute, subject.recurrent, subject.model)
    return EightBitSubject(*parts, calls)


def check(subject: Subject) -> None:
    """Raise `ConfigError`, with the reason, for a model that has no form in eight bits."""
    if not subject.recurrent:
        raise ConfigError("int8 is of recurrent layers, and there is no recurrent layer", "int8")
    if not all(isinstance(layer, Recurrent) for layer in subject.recurrent):
        raise ConfigError(
            "int8: layers of torch.nn have no kernels in eight bits: make Carousel's of them "
            "with carousel.accelerate(model), and export that",
            "int8",
        )
    try:
        recurrent_layers(nn.ModuleList(subject.recurrent))
    except ValueError as error:
        raise ConfigError(f"{error}; export the model without int8", "int8") from None


def ranges_of(subject: Subject, calibration: Any) -> list[Largest]:
    """Largest |input| of each feature of each recurrent layer.

    calibration: inputs like those to come, as the file reads them: (B, T, F), or (T, F) of one
    sequence; tokens (B, T) or (T,). Raises `ConfigError` for others.
    """
    value = subject.network.inputs[0]
    x = np.asarray(calibration)
    if x.ndim == len(value.shape) - 1:
        x = x[None]
    fits = x.ndim == len(value.shape) and all(
        isinstance(size, str) or size == own for size, own in zip(value.shape, x.shape, strict=True)
    )
    if not fits or not x.size:
        raise ConfigError(
            f"calibration is {value.words or 'inputs'} as the file reads them, of the shape "
            f"{value.shape}; got {np.shape(calibration)}",
            "calibration",
        )
    if not np.isfinite(x).all():
        raise ConfigError("calibration has numbers that are not finite", "calibration")
    layers: list[Any] = list(subject.recurrent)
    with noting_ranges(layers) as ranges:
        given = {value.name: x.astype(value.dtype)}
        if subject.network.has_lengths:
            given["lengths"] = np.full(len(x), x.shape[1], np.int64)
        subject.run(given)
    return ranges


def trained_ranges(trained: TrainedModel, subject: Subject) -> tuple[list[Largest], dict[str, Any]]:
    """Ranges of a trained model over its training part, and how it does in eight bits: as "int8" of
    `carousel evaluate`, with the part and float32's metrics."""
    task = tasks.find(trained.config.task)(trained.config, 0, trained.parts)
    layers: list[Any] = list(subject.recurrent)
    ranges = calibrated(trained, task, layers)
    exact = trained.evaluate(JUDGED)
    found = compared(trained, task, lambda: trained.evaluate(JUDGED), exact, ranges)
    wide = {name: exact[name] for name in found["metrics"]}
    return ranges[0], {"part": JUDGED, "float32": wide, **found}
