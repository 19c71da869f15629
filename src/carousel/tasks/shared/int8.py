"""Metrics of a trained model whose recurrent layers compute in eight bits, beside its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from carousel.errors import ConfigError
from carousel.layers.int8 import Largest, computing_int8, noting_ranges, recurrent_layers
from carousel.scores import HIGHER_IS_BETTER, show, title
from carousel.tasks.shared.losses import Carry
from carousel.tasks.shared.network import evaluating
from carousel.tasks.shared.task import Notice, Shown, Table, Task, TrainedModel

MOST_BATCHES = 200
"""Batches of the training part that the ranges of inputs are taken from."""
TOLERATED = 0.005
"""Relative loss of the first metric from which there is a warning."""


def compared(
    trained: TrainedModel,
    task: Task,
    judge: Callable[[], dict[str, Any]],
    exact: dict[str, Any],
    ranges: tuple[list[Largest], int] | None = None,
) -> dict[str, Any]:
    """Report of the same judgement in eight bits.

    task: of the model's configuration, whose training part calibrates. judge: what made the report
    `exact` with the layers as they are. ranges: what `calibrated` found, if that is known. Raises
    `ConfigError`, with the reason, for a model that has no form in eight bits.

    metrics: by name. metric: the one that counts; worse: how much worse it is, relative to float32;
    null where float32's is zero. batches, of: that calibrated, of how many. inputs, saturated: how
    many were read, and how many of them were beyond the range of calibration.
    """
    try:
        layers = recurrent_layers(trained.model)
    except ValueError as error:
        raise ConfigError(f"{error}; judge the model without int8") from None
    largest, batches = ranges or calibrated(trained, task, layers)
    with computing_int8(layers, largest) as calls:
        found = judge()
    metrics = {name: value for name, value in found.items() if name in _metrics(exact)}
    first = next(
        name for name in (task.headline, *task.validation_metrics, *metrics) if name in metrics
    )
    return {
        "metrics": metrics,
        "metric": first,
        "worse": _worse(first, exact[first], metrics[first]),
        "batches": batches,
        "of": task.batches_per_epoch,
        "inputs": sum(call.inputs for call in calls),
        "saturated": sum(call.saturated for call in calls),
    }


def calibrated(trained: TrainedModel, task: Task, layers: list[Any]) -> tuple[list[Largest], int]:
    """The range of every input over the first epoch of the training part, and its batches."""
    count = 0
    carry: Carry = ()
    with evaluating(trained.model), noting_ranges(layers) as ranges:
        for batch in islice(task.train_batches(1, 0), MOST_BATCHES):
            carry = task.loss(trained.model, batch, carry).carry
            count += 1
    return ranges, count


def _metrics(report: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in report.items() if isinstance(value, float)}


def _worse(name: str, exact: float, found: float) -> float | None:
    lost = exact - found if HIGHER_IS_BETTER[name] else found - exact
    return lost / abs(exact) if exact else None


def shown(report: dict[str, Any]) -> list[Shown]:
    """The metrics of float32 and of eight bits side by side, and what there is to say of them.

    report: with what `compared` returned as "int8".
    """
    told, exact = report["int8"], _metrics(report)
    rows: list[tuple[str, ...]] = [
        (title(name), show(name, exact[name]), show(name, value), _percent(name, exact, value))
        for name, value in told["metrics"].items()
    ]
    says: list[Shown] = [Table(("metric", "float32", "int8", "worse by"), rows)]
    used = f"{told['batches']:,} of {told['of']:,} batches of the training part"
    says.append(Notice(f"int8: the ranges of inputs are those of {used}"))
    if told["saturated"]:
        share = told["saturated"] / told["inputs"]
        says.append(
            Notice(
                f"int8: {told['saturated']:,} of {told['inputs']:,} inputs ({share:.2%}) were "
                "beyond the range of calibration, and read as its end"
            )
        )
    if told["worse"] is not None and told["worse"] > TOLERATED:
        says.append(
            Notice(
                f"int8 makes the {title(told['metric'])} {told['worse']:.1%} worse, more than "
                f"{TOLERATED:.1%}: keep this model in float32 where that matters"
            )
        )
    return says


def _percent(name: str, exact: dict[str, float], found: float) -> str:
    worse = _worse(name, exact[name], found) if name in HIGHER_IS_BETTER else None
    return "" if worse is None else f"{worse:+.2%}"
