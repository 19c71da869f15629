"""A small convolutional encoder: images to a map of features."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class ConvolutionalMap(nn.Module):
    """Images (N, C, H, W) to a feature map (N, F, h, w), with h and w a 2^L-th of H and W.

    Each of the L stages is x ← maxpool₂(relu(conv₃ₓ₃(x))) with zero padding; the first has
    `width` channels, each later one twice as many, up to `features` in the last.

    Raises ValueError if an image would have no place left.

    >>> encoder = ConvolutionalMap(1, (32, 48), width=8, features=24, stages=3)
    >>> encoder(torch.zeros(5, 1, 32, 48)).shape, encoder.shape
    (torch.Size([5, 24, 4, 6]), (4, 6))
    """

    def __init__(
        self, channels: int, size: tuple[int, int], *, width: int, features: int, stages: int
    ) -> None:
        super().__init__()
        self.shape = (size[0] >> stages, size[1] >> stages)
        if min(self.shape) < 1:
            raise ValueError(f"{stages} stages leave nothing of images of {size[0]} x {size[1]}")
        widths = [channels, *(width << i for i in range(stages - 1)), features]
        self.stages = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths)
        )
        for stage in self.stages:
            assert isinstance(stage, nn.Conv2d)
            assert stage.bias is not None
            nn.init.kaiming_normal_(stage.weight, nonlinearity="relu")
            nn.init.zeros_(stage.bias)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for stage in self.stages:
            x = torch.max_pool2d(torch.relu(stage(x)), 2)
        return x
