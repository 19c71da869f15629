"""Kinds of models, where a server differs from one to another: steps, states, answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from carousel.errors import ConfigError
from carousel.runtime.detect import Detector
from carousel.runtime.files import Bundle
from carousel.runtime.forecast import Forecaster
from carousel.runtime.model import Model
from carousel.runtime.rolling import ForecasterStreams
from carousel.runtime.streams import Streams
from carousel.runtime.watching import DetectorStreams
from carousel.serve.answers import answers_of
from carousel.serve.columns import Columns, columns_of
from carousel.serve.leads import LedColumns, SeriesLead, TimeLead
from carousel.serve.scheduler import Limits
from carousel.serve.told import AnomalyAnswers, ForecastAnswers

Numbers = NDArray[Any]
_FEWEST = 16  # streams of a batch, however much a step costs


class Told(Protocol):
    """Answers as JSON. kind: a word for them. names: of the numbers of an answer."""

    @property
    def kind(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...

    def told(self, rows: Numbers) -> list[dict[str, Any]]:
        """An object for each row of answers (T, C)."""


@dataclass(frozen=True)
class Kind:
    """A model as it is served. predict: answers to whole sequences (B, T, ...) of given lengths,
    from any thread. cost: steps of the network for a step of a stream. kept: facts by which states
    were written, such as the scale of values in them: other weights go on from a state by these
    facts alone."""

    columns: Columns
    streams: Streams | ForecasterStreams | DetectorStreams
    answers: Told
    predict: Callable[[Numbers, NDArray[np.int64] | None], Numbers]
    cost: int = 1
    kept: Any = None

    def limits(self, given: Limits) -> Limits:
        """Limits of a batch that takes as long as one of a cheap step."""
        if self.cost == 1:
            return given
        rows = max(min(_FEWEST, given.rows), given.rows * given.steps // self.cost)
        return replace(given, rows=min(given.rows, rows), steps=max(1, given.steps // self.cost))


def kind_of(
    bundle: Bundle, model: Model | Forecaster | Detector, read_known: Callable[[Columns], Any]
) -> Kind:
    """Steps, states and answers of a saved model. read_known: steps to calibrate eight bits by,
    None for float32. Raises `ConfigError` for a model that has no answer step by step."""
    facts = bundle.facts
    if isinstance(model, Model):
        columns = columns_of(bundle, model.reader)
        streams = Streams(model, calibration=read_known(columns))
        return Kind(columns, streams, answers_of(bundle, model.names), model.predict)
    if isinstance(model, Forecaster):
        own, turns = bundle.config.columns.time, model.turns
        if turns and model.clock is None:
            raise ConfigError(
                "this forecaster reads the calendar and does not know its step of time: train it "
                "again, with this version"
            )
        lead = TimeLead(own, needed=turns > 0)
        led = LedColumns(lead, facts["columns"], facts.get("levels", {}))
        windows = ForecasterStreams(model)
        kept = [facts.get(key) for key in ("scaler", "step", "levels")]
        kind = Kind(led, windows, ForecastAnswers(model, windows),
                    lambda x, lengths: ForecasterStreams(model, 1).whole(x, lengths),
                    windows.cost, kept)  # fmt: skip
    else:
        series = SeriesLead(model.series, needed=model.alone is None)
        led = LedColumns(series, facts["columns"], facts.get("levels", {}))
        watched = DetectorStreams(model)
        scales = {name: one["scaler"] for name, one in facts["usual"].items()}
        kind = Kind(led, watched, AnomalyAnswers(model.names, model.columns),
                    lambda x, lengths: DetectorStreams(model, 1).whole(x, lengths),
                    watched.cost, scales)  # fmt: skip
    if read_known(led) is not None:
        raise ConfigError(
            f"a model of the task {model.task} has no form in eight bits here: serve it in float32"
        )
    return kind
