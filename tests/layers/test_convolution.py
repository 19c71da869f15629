"""The convolutional encoder, against its definition in NumPy."""

import numpy as np
import pytest
import torch

from carousel.layers.convolution import ConvolutionalMap


def by_hand(x, weight, bias):
    """relu(conv) with zero padding, then the maximum of 2 x 2 pixels; x (C, H, W)."""
    high, wide = x.shape[1:]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    y = np.empty((len(weight), high, wide))
    for i, j in np.ndindex(high, wide):
        y[:, i, j] = (weight * padded[None, :, i : i + 3, j : j + 3]).sum((1, 2, 3)) + bias
    y = np.maximum(y, 0)[:, : high // 2 * 2, : wide // 2 * 2]
    return y.reshape(len(weight), high // 2, 2, wide // 2, 2).max((2, 4))


def test_each_stage_is_a_convolution_a_rectifier_and_a_maximum():
    torch.manual_seed(1)
    encoder = ConvolutionalMap(2, (9, 13), width=3, features=5, stages=2)
    images = torch.randn(3, 2, 9, 13)
    found = encoder(images)
    assert found.shape == (3, 5, *encoder.shape) == (3, 5, 2, 3)
    for image, row in zip(images, found, strict=True):
        x = image.double().numpy()
        for stage in encoder.stages:
            x = by_hand(x, stage.weight.detach().numpy(), stage.bias.detach().numpy())
        np.testing.assert_allclose(row.detach().numpy(), x, rtol=1e-4, atol=1e-5)


def test_the_widths_double_up_to_the_features():
    encoder = ConvolutionalMap(3, (32, 32), width=4, features=7, stages=4)
    assert [stage.out_channels for stage in encoder.stages] == [4, 8, 16, 7]


def test_an_image_that_would_vanish_is_refused():
    with pytest.raises(ValueError, match="5 stages leave nothing of images of 16 x 32"):
        ConvolutionalMap(1, (16, 32), width=4, features=4, stages=5)
