"""Answers in descriptions: logits of a head to probabilities, outputs to numbers of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from carousel.export import modules
from carousel.export.description import Activation, Layer, Softmax, Squash, Unscale
from carousel.layers.ordinal import CumulativeLogits
from carousel.tasks.regress.target import Target
from carousel.tasks.shared.heads import Head, LabelSet


def answers_of(layer: nn.Module, head: Head) -> list[Layer]:
    """The output layer, and what makes probabilities of it."""
    layers = modules.layers_of(layer)
    if isinstance(layer, CumulativeLogits):  # which gives probabilities in a description
        return layers
    return [*layers, Activation("sigmoid") if isinstance(head, LabelSet) else Softmax()]


def numbers_of(targets: Sequence[Target]) -> list[Layer]:
    """Layers that make numbers on the scale of the data of outputs, one for each target."""
    squashed = tuple(place for place, target in enumerate(targets) if target.sigmoid)
    made: list[Layer] = [Squash(squashed)] if squashed else []
    if len(squashed) < len(targets):
        mean = np.array([0.0 if target.sigmoid else target.mean for target in targets])
        std = np.array([1.0 if target.sigmoid else target.std for target in targets])
        made.append(Unscale(mean, std))
    return made
