"""Description of trained detectors: the network whose errors are judged, and how they are."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, cast

from torch import Tensor, nn

from carousel.export import modules, scoring
from carousel.export.description import (
    Backwards,
    Layer,
    Network,
    Onward,
    Pooling,
    Repeat,
    Standardise,
    Value,
)
from carousel.export.subject import Subject, Tensors
from carousel.runtime.unusual import warm_up
from carousel.tasks.anomaly.network import Autoencoder, StepForecaster
from carousel.tasks.anomaly.trained import TrainedDetector


def detector(trained: TrainedDetector) -> Subject:
    """Steps of a series to forecasts of the next ones, or windows to what is left of them.

    Both are on the scale of the series. Where all series have one scale, values go in as they were
    measured; else scaled, for the file cannot know of which series they are.
    """
    model, settings = trained.model, trained.config.anomaly
    first = next(iter(trained.usual.values()))
    one_scale = len(trained.usual) == 1
    layers: list[Layer] = []
    if one_scale:
        layers.append(Standardise(first.scaler.mean.numpy(), first.scaler.std.numpy()))
    features, forecasts = len(trained.columns), isinstance(model, StepForecaster)
    stacks = [cast(nn.Module, model.recurrent)]
    if isinstance(model, StepForecaster):
        layers += [modules.recurrent(model.recurrent), modules.dense(model.head)]
        layers += [Onward(model.horizon)] if model.relative else []
        steps: int | str = "time"
        output = Value(
            "forecast",
            "float32",
            ("batch", "time", model.horizon * features),
            f"the next {model.horizon} steps, scaled, columns of one side by side",
        )
    else:
        assert isinstance(model, Autoencoder)
        stacks.append(model.decoder)
        steps = settings.window
        layers += [
            modules.recurrent(model.recurrent),
            Pooling("last"),
            Repeat(steps),
            modules.recurrent(model.decoder),
            modules.dense(model.head),
            Backwards(),
        ]
        words = "what is left of the window, scaled"
        output = Value("window", "float32", ("batch", steps, features), words)
    how = "as they were measured" if one_scale else "scaled with the scaler of their series"
    network = Network(
        "detector of anomalies",
        tuple(layers),
        (Value("values", "float32", ("batch", steps, features), how),),
        (output,),
        has_lengths=False,
        has_states=forecasts,
        facts=_facts(trained, one_scale),
    )

    def compute(given: Tensors) -> tuple[Tensor, ...]:
        x = first.scaler(given["values"]) if one_scale else given["values"]
        found = model(x)
        return (found.flatten(2) if forecasts else found,)

    return Subject(network, compute, tuple(stacks), model)


def _facts(trained: TrainedDetector, one_scale: bool) -> dict[str, Any]:
    """Facts from which the outputs of the file become scores and alarms."""
    settings = trained.config.anomaly
    usual, limits = {**trained.usual}, {**trained.limits}
    if one_scale:  # which any series has, whatever its name
        ((name, only),) = trained.usual.items()
        usual, limits[""] = {"": only}, limits.get(name) or limits[""]
    thresholds = {name: asdict(limit) for name, limit in limits.items()}
    for limit in thresholds.values():
        if math.isinf(limit["value"]):
            limit["value"] = None  # no step of the validation part had a score
    return {
        "task": "anomaly",
        "error": settings.error,
        "columns": list(trained.columns),
        "window": settings.window,
        "horizon": settings.horizon,
        "reads": "values as they were measured" if one_scale else "values scaled by their series",
        "warm_up": warm_up(settings),
        "score": settings.score,
        "smooth": settings.smooth,
        "follow": settings.follow,
        "usual": {name: one.facts() for name, one in usual.items()},
        "thresholds": thresholds,
        "scoring": scoring.source(settings.error),
    }
