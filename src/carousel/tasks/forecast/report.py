"""Report of a judgement of a series: metrics, their detail, and examples; and how it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.data.regular import Series
from carousel.data.series import Windows
from carousel.tasks.forecast.scores import Yardstick, detail, intervals, measures
from carousel.tasks.forecast.tables import error_table, examples_of, mase_note
from carousel.tasks.shared.example import Example
from carousel.tasks.shared.task import Notice, Shown

if TYPE_CHECKING:
    from carousel.tasks.forecast.trained import TrainedForecaster


def of_windows(
    series: Series,
    targets: Sequence[int],
    windows: Windows,
    found: NDArray[np.float64],
    yardstick: Yardstick,
    distribution: str,
) -> dict[str, Any]:
    """Metrics of windows and their detail. targets: numbers of the columns that are forecast;
    found: (low, forecast, high) of the windows, (3, N, K, C)."""
    low, guess, high = found
    values = torch.from_numpy(series.truth[:, targets])
    truth = windows.gather(values, torch.arange(len(windows)))[1].numpy()
    interval = (low, high) if distribution != "none" else None
    report: dict[str, Any] = measures(truth, guess, yardstick, interval)
    report |= intervals(truth, guess, yardstick)
    names = tuple(series.columns[i] for i in targets)
    report |= {"windows": len(windows), **detail(truth, guess, names)}
    report["examples"] = examples_of(series, targets[0], windows, found)
    return report


def shown(report: dict[str, Any]) -> Iterator[Shown]:
    """Errors of such a report by column and by step ahead, and for which columns MASE is
    undefined."""
    if undefined := report["mase_undefined"]:
        yield Notice(mase_note(undefined))
    yield error_table(("column", "MAE"), report["mae_per_column"], together=False)
    steps = report["mae_per_step"]
    some = sorted({*np.linspace(0, len(steps) - 1, min(8, len(steps))).astype(int).tolist()})
    yield error_table(("step ahead", "MAE"), {str(k + 1): steps[k] for k in some}, together=True)


def window_of(model: TrainedForecaster, series: Series, start: int, origin: str) -> Example:
    """The window whose first step to forecast is row `start` of the series."""
    settings = model.config.forecast
    frame = model.frame_of(series)
    read = slice(start - settings.context, start)
    x, _ = frame.leveled(frame.scaled[read].unsqueeze(0))
    before = frame.known[read].unsqueeze(0)
    after = frame.known[start : start + settings.horizon].unsqueeze(0)
    name = model.columns[model.targets[0]]
    return Example(
        f"{origin}, up to {series.stamps[start - 1]}: the {settings.horizon} steps to come",
        f"the sum of the forecast of {name} over the {settings.horizon} steps to come",
        lambda: model.model(x, before, after)[0, :, 0, 0].sum(),
        tuple(map(str, series.stamps[read])),
    )
