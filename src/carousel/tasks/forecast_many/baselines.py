"""Forecasts of many series that are not recurrent, of the same windows as the network's."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.tasks.forecast_many.windows import Drawing, Frame, Origins
from carousel.tasks.shared.baselines.linear import fit_linear
from carousel.tasks.shared.baselines.table import local_methods, seconds_of

Array = NDArray[np.float64]

_AT_ONCE, _LEARNT_FROM = 512, 16_000


def baseline_forecasts(
    frame: Frame, drawing: Drawing, windows: Origins, seed: int, seconds: dict[str, float]
) -> dict[str, Array]:
    """Forecasts (n, K) by the names of methods; the seconds of each are added to `seconds`.

    The methods of a history see the context of a window. "linear" is one ridge regression for all
    series, on the scale of each window, learnt from those of the first epoch, 16,000 at most.
    """
    settings = frame.config.forecast
    pieces = [windows.take(some) for some in torch.split(torch.arange(len(windows)), _AT_ONCE)]
    contexts = [frame.contexts(piece).numpy() for piece in pieces]
    found = {}
    for name, method in local_methods(settings.context, settings.season).items():
        with seconds_of(seconds, name):
            made = [method(some, settings.horizon, settings.season) for some in contexts]
        found[name] = np.concatenate(made)
    with seconds_of(seconds, "linear"):
        found["linear"] = _linear(frame, drawing, pieces, seed)
    return found


def _linear(frame: Frame, drawing: Drawing, pieces: list[Origins], seed: int) -> Array:
    drawn = drawing.epoch(seed, 0)
    learnt = drawn.take(torch.arange(min(len(drawn), _LEARNT_FROM)))
    read = frame.read(learnt)
    before = read.x[:, :, :1].double().numpy()
    after = read.scale(frame.forward(frame.truth(learnt))).double().unsqueeze(2).numpy()
    model = fit_linear(before, after)
    found = []
    for piece in pieces:
        x, _, _, scale = frame.read(piece)
        guess = model.forecasts(x[:, :, :1].double().numpy())[:, :, 0]
        found.append(scale.restore(torch.from_numpy(guess)).numpy())
    return np.concatenate(found)
