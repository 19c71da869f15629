"""Draws from torch's generator: seeds of the kernels' masks, and masks of features."""

from __future__ import annotations

import torch
from torch import Tensor

from carousel.kernels.layer_spec import Lengths
from carousel.kernels.paths import StackSpec


def draw_seeds(stack: StackSpec, device: torch.device) -> Tensor | None:
    """Seeds (L, D) int64 of the masks inside the cells; None, and nothing drawn, where there are
    none. From the generator of the CPU: one number per layer and direction."""
    if not stack.options.seeded:
        return None
    seeds = torch.randint(2**62, (stack.num_layers, stack.directions), dtype=torch.int64)
    return seeds.to(device)


def drop_features(x: Tensor, p: float, layout: str, lengths: Lengths | None) -> Tensor:
    """Inverted dropout of x with one mask (B, ·) for all steps (Gal and Ghahramani 2016).

    layout: see `LayerSpec`. The rows of packed data are those of its first step.
    """
    if not p:
        return x
    # In float32 whatever x is, so that every precision draws the same mask.
    if layout == "packed":
        assert lengths is not None
        assert lengths.steps is not None
        mask = torch.rand(len(lengths.order), x.size(-1), device=x.device)
        position = torch.arange(len(x))
        step = torch.searchsorted(lengths.steps, position, right=True) - 1
        mask = mask[(position - lengths.steps[step]).to(x.device)]
    else:
        time, batch = (1, 0) if layout == "BTI" else (0, 1)
        mask = torch.rand(x.size(batch), x.size(-1), device=x.device).unsqueeze(time)
    return x * ((mask >= p).to(x.dtype) / (1 - p))
