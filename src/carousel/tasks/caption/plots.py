"""Pictures of what a captioner looked at when it wrote each word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

_COLUMNS = 6


@dataclass(frozen=True)
class LookPanel:
    """image (C, H, W) uint8; words: of its caption; weights (len(words), h, w) for each of them."""

    image: Tensor
    words: Sequence[str]
    weights: Tensor


def draw_looks(panels: Sequence[LookPanel], path: Path) -> None:
    """A PNG with a block per image: the image, then for each word where it was looked at.

    What was not looked at is darkened: a place is as bright as its weight beside the greatest of
    that word.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    rows = [math.ceil((1 + len(panel.words)) / _COLUMNS) for panel in panels]
    figure = Figure(figsize=(1.5 * _COLUMNS, 1.72 * sum(rows)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(sum(rows), _COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    top = 0
    for panel, high in zip(panels, rows, strict=True):
        pixels = panel.image.permute(1, 2, 0).numpy() / 255
        pixels = np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels
        places = grid[top : top + high].flat
        for axes, word, shown in zip(places, ["", *panel.words], _lit(panel, pixels), strict=False):
            axes.imshow(shown, interpolation="nearest", vmin=0, vmax=1)
            axes.set_title(word.replace("$", r"\$"), fontsize=8)
        top += high
    figure.savefig(path)


def _lit(panel: LookPanel, pixels: NDArray[Any]) -> list[NDArray[Any]]:
    size = pixels.shape[:2]
    light = F.interpolate(
        panel.weights[:, None].float(), size=size, mode="bilinear", align_corners=False
    )[:, 0]
    light = light / torch.clamp(light.amax((1, 2), keepdim=True), min=1e-9)
    tint = np.array([1.0, 0.75, 0.2])
    lit = []
    for row in light.numpy()[:, :, :, None]:
        lit.append(np.clip(pixels * (0.3 + 0.7 * row) + 0.3 * row * tint * (1 - pixels), 0, 1))
    return [pixels, *lit]
