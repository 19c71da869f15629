"""Forecasts of windows, in batches."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from carousel.tasks.forecast_many.output import Output
from carousel.tasks.forecast_many.windows import Frame, Origins
from carousel.tasks.shared.network import evaluating

EVALUATION_BATCH = 512


def forecasts(
    model: nn.Module, frame: Frame, windows: Origins, output: Output
) -> NDArray[np.float64]:
    """(low, forecast, high) of every window on the scale of its series, (3, n, K)."""
    parts = []
    with evaluating(model) as device:
        for index in torch.split(torch.arange(len(windows)), EVALUATION_BATCH):
            x, after, static, scale = frame.read(windows.take(index))
            raw = model(x.to(device), after.nan_to_num().to(device), static.to(device))
            parts.append(output.forecast(raw.cpu(), scale))
    found: NDArray[np.float64] = torch.cat(parts, 1).numpy()
    return found
