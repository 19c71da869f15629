"""The subject of anything that can be exported: a trained model, a run, a layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from carousel.bundle import load
from carousel.errors import ConfigError
from carousel.export.description import Network
from carousel.export.stack import stack_subject
from carousel.export.subject import Subject
from carousel.export.trained import trained_subject
from carousel.tasks.shared.task import TrainedModel


def subject_of(model: TrainedModel | nn.Module | str | Path) -> Subject:
    """A model beside its description. Raises `ConfigError` for what has none."""
    if isinstance(model, str | Path):
        model = load(model)
    if isinstance(model, TrainedModel):
        return trained_subject(model)
    if isinstance(model, nn.Module):
        return stack_subject(model)
    raise ConfigError(
        "what is exported is a trained model, the folder of a run, a layer, or a "
        f"torch.nn.Sequential of layers; got {type(model).__name__}"
    )


def describe(model: Any) -> Network:
    """Description of a trained model, a run, a layer or a `torch.nn.Sequential` of layers: all that
    it computes, as NumPy arrays.

    Raises `ConfigError` naming a layer that has no description.

    >>> import carousel
    >>> network = describe(carousel.LSTM(3, 5, bidirectional=True))
    >>> [str(state.shape) for state in network.states]
    ["(2, 'batch', 5)", "(2, 'batch', 5)"]
    >>> network.recurrent[0].layers[0][1]["weight_ih"].shape
    (20, 3)
    """
    return subject_of(model).network
