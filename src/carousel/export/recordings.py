"""Descriptions of trained models of recordings: what they say of a whole one, or of its steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carousel.data.coded import codes_in, facts_of
from carousel.data.ragged import Ragged
from carousel.data.recordings import film_side
from carousel.export import modules
from carousel.export.description import (
    Activation,
    Differences,
    Layer,
    Network,
    Pictures,
    Softmax,
    Standardise,
    Value,
)
from carousel.export.heads import answers_of, numbers_of
from carousel.export.subject import Subject, Tensors
from carousel.export.texts import lengths_of
from carousel.tasks.classify_recordings.trained import TrainedRecordingClassifier
from carousel.tasks.label_frames.trained import TrainedFrameLabeller
from carousel.tasks.regress.target import guesses
from carousel.tasks.regress.trained import TrainedRegressor
from carousel.tasks.regress.whole_trained import TrainedWholeRegressor
from carousel.tasks.shared.prepared import prepared

_Trained = (
    TrainedRecordingClassifier | TrainedFrameLabeller | TrainedRegressor | TrainedWholeRegressor
)


def recording_classifier(trained: TrainedRecordingClassifier) -> Subject:
    """Values of recordings to probabilities of classes."""
    model, head = trained.model, trained.head
    layers = [
        *_read(trained),
        modules.recurrent(model.recurrent),
        *modules.layers_of(model.pooling),
        *answers_of(model.head, head),
    ]
    output = Value("probabilities", "float32", ("batch", len(trained.classes)), "of each class")
    return _subject(trained, layers, output, head.proba, trained.classes)


def frame_labeller(trained: TrainedFrameLabeller) -> Subject:
    """Values of recordings to probabilities of classes of each frame."""
    model = cast(Any, trained.model)
    layers = [
        *_read(trained),
        modules.recurrent(model.recurrent),
        modules.dense(model.head),
        Softmax(),
    ]
    shape = ("batch", "time", len(trained.classes))
    output = Value("probabilities", "float32", shape, "of each class")
    return _subject(trained, layers, output, lambda raw: raw.softmax(2), trained.classes)


def regressor(trained: TrainedRegressor) -> Subject:
    """Values of recordings to a number at each step."""
    model, target = cast(Any, trained.model), trained.target
    layers = [
        *_read(trained),
        modules.recurrent(model.recurrent),
        modules.dense(model.head),
        *numbers_of([target]),
    ]
    output = Value("numbers", "float32", ("batch", "time", 1), "at each step")
    return _subject(trained, layers, output, lambda raw: target.number(raw).float())


def whole_regressor(trained: TrainedWholeRegressor) -> Subject:
    """Values of recordings to the numbers of each."""
    model, targets = trained.model, [*trained.targets.values()]
    layers = [
        *_read(trained),
        modules.recurrent(model.recurrent),
        *modules.layers_of(model.pooling),
        *modules.layers_of(model.head),
        *numbers_of(targets),
    ]
    output = Value("numbers", "float32", ("batch", len(targets)), ", ".join(trained.targets))
    return _subject(
        trained, layers, output, lambda raw: guesses(targets, raw).float(), tuple(trained.targets)
    )


def _read(trained: _Trained) -> list[Layer]:
    """Layers before the recurrent layers."""
    model, codes = cast(Any, trained.model), codes_in(trained.columns)
    layers: list[Layer] = []
    if trained.config.frames.differences:
        layers.append(Differences(tuple(codes)))
    layers.append(Standardise(trained.scaler.mean.numpy(), trained.scaler.std.numpy()))
    if getattr(model, "pictures", None) is not None:
        layers += _film(model.pictures)
    if model.categories is not None:
        layers.append(modules.categories(model.categories))
    return layers


def _film(pictures: nn.Sequential) -> list[Layer]:
    shaped, stages, _, dense, _ = pictures
    side = int(cast(Any, shaped).unflattened_size[-1])
    seen: Pictures = modules.pictures(cast(Any, stages), side)
    return [seen, modules.dense(cast(nn.Linear, dense)), Activation("relu")]


def _subject(
    trained: _Trained,
    layers: list[Layer],
    output: Value,
    answer: Callable[[Tensor], Tensor],
    classes: Sequence[str] = (),
) -> Subject:
    model, config = cast(Any, trained.model), trained.config
    sound = bool(getattr(trained, "sound", False))
    facts = {"task": config.task, **facts_of(trained.columns)}
    if sound:
        facts["sound"] = dataclasses.asdict(config.sound)
    width = film_side(config) ** 2 or len(trained.scaler.mean)
    width //= 2 if config.frames.differences else 1
    network = Network(
        f"model of the task {config.task}",
        tuple(layers),
        (Value("values", "float32", ("batch", "time", width), "as they were measured"),),
        (output,),
        has_states="time" in output.shape and not model.recurrent.bidirectional,
        classes=tuple(classes),
        sample_rate=config.sound.rate if sound else None,
        facts=facts,
    )

    def compute(given: Tensors) -> tuple[Tensor, ...]:
        lengths = lengths_of(given, "values")
        rows = zip(given["values"], lengths.tolist(), strict=True)
        ragged = Ragged.of(row[:count] for row, count in rows)
        scaled = prepared(ragged, trained.scaler, trained.config.frames, trained.columns)
        x, _ = scaled.pad(torch.arange(len(lengths)))
        x = F.pad(x, (0, 0, 0, given["values"].size(1) - x.size(1)))
        return (answer(model(x, lengths)),)

    return Subject(network, compute, (model.recurrent,), model)
