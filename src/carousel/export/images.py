"""Description of trained classifiers of images."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor

from carousel.export import modules
from carousel.export.description import Network, Softmax, Standardise, Value
from carousel.export.subject import Subject, Tensors
from carousel.tasks.classify.network import Classifier, sequences_of
from carousel.tasks.classify.trained import TrainedClassifier


def classifier(trained: TrainedClassifier) -> Subject:
    """Pixels 0 to 255, cut into steps as `view` says, to probabilities of classes."""
    model, data = cast(Classifier, trained.model), trained.config.data
    scaler, shape = trained.scaler, trained.shape
    steps, features = sequences_of(torch.zeros(1, *shape), data).shape[1:]
    layers = (
        Standardise(np.array([scaler.mean]), np.array([scaler.std])),
        modules.recurrent(model.recurrent),
        *modules.layers_of(model.pooling),
        *modules.layers_of(model.head),
        Softmax(),
    )
    facts = {"task": "classify", "view": data.view, "shape": list(shape), "steps": steps}
    if data.view == "patches":
        facts["patch"] = data.patch
    if data.permutation:
        places = torch.arange(shape[-2] * shape[-1]).view(1, *shape[-2:])
        facts["order"] = sequences_of(places, data).flatten().tolist()
    network = Network(
        "classifier of images",
        layers,
        (Value("pixels", "float32", ("batch", "time", features), f"0 to 255, {data.view}"),),
        (Value("probabilities", "float32", ("batch", len(trained.classes)), "of each class"),),
        has_lengths=False,
        classes=trained.classes,
        facts=facts,
    )

    def compute(given: Tensors) -> tuple[Tensor, ...]:
        return (model(scaler(given["pixels"])).softmax(1),)

    return Subject(network, compute, (model.recurrent,), model)
