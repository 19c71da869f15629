"""Description of trained forecasters."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from carousel.data.coded import facts_of
from carousel.data.files.table_series import known_numbers
from carousel.errors import ConfigError
from carousel.export import modules
from carousel.export.description import (
    Horizon,
    Known,
    Layer,
    Level,
    Network,
    Pooling,
    Standardise,
    Unscale,
    Value,
)
from carousel.export.subject import Subject, Tensors
from carousel.runtime.calendar import waves
from carousel.tasks.forecast.network import Forecaster
from carousel.tasks.forecast.trained import TrainedForecaster
from carousel.tasks.shared.counts import COUNTS

_ONE = float(np.log(np.expm1(1 - 1e-3)))
"""Number whose softplus and 0.001 are 1."""


def forecaster(trained: TrainedForecaster) -> Subject:
    """The last steps of a series, as they were measured, to those to come; with a calendar, or
    columns that are known beforehand, a window has rows for the steps to come, too.

    Raises `ConfigError` for a network that reads categories, segments, windows by their own size,
    or one target at a time, and for one that forecasts counts.
    """
    model = trained.model
    assert isinstance(model, Forecaster)
    _check(model, trained.output.distribution == COUNTS)
    horizon, beside = _horizon(trained, model), _Beside.of(trained, model)
    relative = trained.config.forecast.relative and not trained.output.sigmoid
    network = Network(
        "forecaster",
        tuple(_layers(trained, model, horizon, beside, relative)),
        (_input(trained, beside),),
        (_output(trained, horizon),),
        has_lengths=False,
        facts=_facts(trained, beside),
    )
    scaler, targets, output = trained.scaler, list(trained.targets), trained.output
    features, context = len(trained.columns), trained.config.forecast.context

    def compute(given: Tensors) -> tuple[Tensor, ...]:
        x = scaler(given["values"][..., :features])
        known = torch.cat((given["values"][..., features:], x[..., beside.columns]), 2)
        x, before, after = x[:, :context], known[:, :context], known[:, context:]
        if not model.known:
            after = x.new_empty(len(x), trained.config.forecast.horizon, 0)
        level = x[:, -1:, targets] if relative else torch.zeros_like(x[:, -1:, targets])
        if relative:
            x[:, :, targets] -= level
        found = output.forecast(model(x, before, after), level)
        if not output.sigmoid:
            found = found.double() * scaler.std[targets] + scaler.mean[targets]
        return (found.transpose(0, 1)[:, -horizon.rows :].float(),)

    return Subject(network, compute, (model.recurrent,), model)


@dataclass(frozen=True)
class _Beside:
    """Numbers known of each step beforehand: turns of the calendar, two numbers each, which stand
    behind the columns, and places of columns."""

    turns: int
    columns: list[int]

    @staticmethod
    def of(trained: TrainedForecaster, model: Forecaster) -> _Beside:
        places = known_numbers(trained.columns, trained.config.columns)
        return _Beside((model.known - len(places)) // 2, places)

    def layer(self, trained: TrainedForecaster) -> Known:
        """Layer that tells windows and the steps to come apart."""
        settings, features = trained.config.forecast, len(trained.columns)
        turns = range(features, features + 2 * self.turns)
        return Known(settings.context, settings.horizon, features, (*turns, *self.columns))


def _layers(
    trained: TrainedForecaster, model: Forecaster, horizon: Horizon, beside: _Beside, relative: bool
) -> Iterator[Layer]:
    scaler, targets = trained.scaler, list(trained.targets)
    more = 2 * beside.turns
    mean, std = scaler.mean.numpy(), scaler.std.numpy()
    yield Standardise(np.append(mean, np.zeros(more)), np.append(std, np.ones(more)))
    if model.known:
        yield beside.layer(trained)
    if relative:
        yield Level(tuple(targets))
    yield modules.recurrent(model.recurrent)
    yield Pooling("last")
    yield horizon
    if not trained.output.sigmoid:
        yield Unscale(mean[targets], std[targets])


def _input(trained: TrainedForecaster, beside: _Beside) -> Value:
    settings, features = trained.config.forecast, len(trained.columns)
    rows, words = settings.context, "as they were measured"
    if beside.turns or beside.columns:
        rows += settings.horizon
        words += f"; the last {settings.horizon} rows are of the steps to come"
    if beside.turns:
        words += "; the calendar behind the columns"
    return Value("values", "float32", ("batch", rows, features + 2 * beside.turns), words)


def _output(trained: TrainedForecaster, horizon: Horizon) -> Value:
    shape = ("batch", horizon.rows, trained.config.forecast.horizon, len(trained.targets))
    words = "low, forecast, high" if horizon.rows == 3 else "forecast"
    return Value("forecast", "float32", shape, f"{words}, of {', '.join(_names(trained))}")


def _names(trained: TrainedForecaster) -> list[str]:
    return [str(trained.columns[place]) for place in trained.targets]


def _facts(trained: TrainedForecaster, beside: _Beside) -> dict[str, Any]:
    """Columns and targets, and what is known beforehand: columns that are read of the rows to come,
    and the Python that makes the calendar's numbers of the times of all rows."""
    settings = trained.config.forecast
    facts = {"task": "forecast", "targets": _names(trained), **facts_of(trained.columns)}
    if not (beside.turns or beside.columns):
        return facts
    facts |= {"context": settings.context, "horizon": settings.horizon}
    facts["known"] = [str(trained.columns[place]) for place in beside.columns]
    if beside.turns:
        lines = ["from __future__ import annotations", "", "import numpy as np", "", ""]
        facts["turns"] = beside.turns
        facts["calendar"] = lines + inspect.getsource(waves).splitlines()
    return facts


def _check(model: Forecaster, counts: bool) -> None:
    coded = model.categories is not None or model.known_categories is not None
    for what, holds in (
        ("columns of categories", coded),
        ("forecast.segment", model.segments is not None),
        ("forecast.normalize", model.normalize != "none"),
        ("forecast.independent", model.independent),
        ("forecast.distribution = 'negative-binomial'", counts),
    ):
        if holds:
            raise ConfigError(
                f"Forecaster with {what} has no description: train without it, or export "
                "carousel.load(run).model.recurrent by itself"
            )


def _horizon(trained: TrainedForecaster, model: Forecaster) -> Horizon:
    output, head = trained.output, model.head
    known = None if model.calendar is None else modules.array(model.calendar.weight)
    weight, bias = modules.array(head.weight), modules.array(head.bias)
    distribution = "sigmoid" if output.sigmoid else output.distribution
    if distribution == "conformal":  # quantiles that stand 1 apart wherever, before the stretch
        weight = np.stack((weight, 0 * weight, 0 * weight), 1).reshape(-1, weight.shape[1])
        bias = np.stack((bias, *2 * (np.full_like(bias, _ONE),)), 1).reshape(-1)
        distribution = "quantile"
    return Horizon(
        state=modules.array(model.state.weight),
        state_bias=modules.array(model.state.bias),
        steps=modules.array(model.step),
        weight=weight,
        bias=bias,
        columns=tuple(model.targets),
        distribution=distribution,
        line=None if model.line is None else modules.array(model.line),
        offset=None if model.line is None else modules.array(model.offset),
        stretch=None if output.stretch is None else modules.array(output.stretch),
        known=known,
    )
