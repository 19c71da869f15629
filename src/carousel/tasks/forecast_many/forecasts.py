"""Forecasts of windows, in batches."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.tasks.forecast_many.output import Output
from carousel.tasks.forecast_many.scaling import Scale
from carousel.tasks.forecast_many.windows import Frame, Origins
from carousel.tasks.shared.network import evaluating

EVALUATION_BATCH = 512


def forecasts(
    model: nn.Module, frame: Frame, windows: Origins, output: Output
) -> NDArray[np.float64]:
    """(low, forecast, high) of every window on the scale of its series, (3, n, K)."""
    spans, scale = spans_of(model, frame, windows, output)
    found: NDArray[np.float64] = output.told(spans, scale).double().numpy()
    return found


def spans_of(
    model: nn.Module, frame: Frame, windows: Origins, output: Output
) -> tuple[Tensor, Scale]:
    """(low, middle, high) of every window, (3, n, K), where intervals are stretched, and the scale
    that puts them back."""
    parts, scales = [], []
    with evaluating(model) as device:
        for index in torch.split(torch.arange(len(windows)), EVALUATION_BATCH):
            x, after, static, scale = frame.read(windows.take(index))
            raw = model(x.to(device), after.nan_to_num().to(device), static.to(device))
            parts.append(output.spans(raw.cpu(), scale))
            scales.append(scale)
    level, spread = (
        torch.cat([getattr(scale, name) for scale in scales]) for name in ("level", "spread")
    )
    return torch.cat(parts, 1), Scale(level, spread, frame.config.many.transform)
