"""Description of trained forecasters."""

from __future__ import annotations

import torch
from torch import Tensor

from carousel.data.coded import facts_of
from carousel.errors import ConfigError
from carousel.export import modules
from carousel.export.description import (
    Horizon,
    Layer,
    Level,
    Network,
    Pooling,
    Standardise,
    Unscale,
    Value,
)
from carousel.export.subject import Subject, Tensors
from carousel.tasks.forecast.network import Forecaster
from carousel.tasks.forecast.trained import TrainedForecaster


def forecaster(trained: TrainedForecaster) -> Subject:
    """The last steps of a series, as they were measured, to those to come. Raises `ConfigError`
    for a network that reads what is known beforehand, categories, or one target at a time."""
    model, settings = trained.model, trained.config.forecast
    assert isinstance(model, Forecaster)
    _check(model)
    horizon = _horizon(trained, model)
    relative = settings.relative and not trained.output.sigmoid
    scaler, targets = trained.scaler, list(trained.targets)
    layers: list[Layer] = [Standardise(scaler.mean.numpy(), scaler.std.numpy())]
    if relative:
        layers.append(Level(tuple(targets)))
    layers += [modules.recurrent(model.recurrent), Pooling("last"), horizon]
    if not trained.output.sigmoid:
        layers.append(Unscale(scaler.mean[targets].numpy(), scaler.std[targets].numpy()))
    names = [str(trained.columns[place]) for place in targets]
    context, features = settings.context, len(trained.columns)
    shape = ("batch", horizon.rows, settings.horizon, len(targets))
    words = "low, forecast, high" if horizon.rows == 3 else "forecast"
    network = Network(
        "forecaster",
        tuple(layers),
        (Value("values", "float32", ("batch", context, features), "as they were measured"),),
        (Value("forecast", "float32", shape, f"{words}, of {', '.join(names)}"),),
        has_lengths=False,
        facts={"task": "forecast", "targets": names, **facts_of(trained.columns)},
    )

    def compute(given: Tensors) -> tuple[Tensor, ...]:
        x = scaler(given["values"])
        level = x[:, -1:, targets] if relative else torch.zeros_like(x[:, -1:, targets])
        if relative:
            x[:, :, targets] -= level
        empty = x.new_empty(len(x), context, 0)
        raw = model(x, empty, x.new_empty(len(x), settings.horizon, 0))
        found = trained.output.forecast(raw, level)
        if not trained.output.sigmoid:
            found = found.double() * scaler.std[targets] + scaler.mean[targets]
        return (found.transpose(0, 1)[:, -horizon.rows :].float(),)

    return Subject(network, compute, (model.recurrent,), model)


def _check(model: Forecaster) -> None:
    reasons = {
        "forecast.calendar, or columns known beforehand": bool(model.known),
        "columns of categories": model.categories is not None,
        "forecast.independent": model.independent,
    }
    for what, holds in reasons.items():
        if holds:
            raise ConfigError(
                f"Forecaster with {what} has no description: train without it, or export "
                "carousel.load(run).model.recurrent by itself"
            )


def _horizon(trained: TrainedForecaster, model: Forecaster) -> Horizon:
    output, head = trained.output, model.head
    return Horizon(
        state=modules.array(model.state.weight),
        state_bias=modules.array(model.state.bias),
        steps=modules.array(model.step),
        weight=modules.array(head.weight),
        bias=modules.array(head.bias),
        columns=tuple(model.targets),
        distribution="sigmoid" if output.sigmoid else output.distribution,
        line=None if model.line is None else modules.array(model.line),
        offset=None if model.line is None else modules.array(model.offset),
        stretch=None if output.stretch is None else modules.array(output.stretch),
    )
