"""How many frames of ours stand between the call of a layer and the compiled kernels."""

import sys
from pathlib import Path

import pytest
import torch

import carousel
from carousel.kernels import native

HOME = str(Path(carousel.__file__).parent)


class Spied:
    """The compiled module, whose `forward` notes who called it."""

    def __init__(self, module):
        self.module, self.frames = module, []

    def __getattr__(self, name):
        return getattr(self.module, name)

    def forward(self, *arguments):
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename.startswith(HOME):
                self.frames.append(frame.f_code.co_qualname)
            frame = frame.f_back
        return self.module.forward(*arguments)


@pytest.mark.parametrize(
    "name", ["RNN", "GRU", "LSTM", "MinGRU", "MinLSTM", "IndRNN", "SLSTM", "SRU"]
)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("lengths", [None, [4, 2]], ids=["full", "ragged"])
@pytest.mark.parametrize("plain", [False, True], ids=["looked at", "plain"])
def test_at_most_four_frames_from_the_layer_to_the_kernels(
    name, training, lengths, plain, monkeypatch
):
    spied = Spied(native._native)
    monkeypatch.setattr(native, "_native", spied)
    layer = getattr(carousel, name)(3, 5).train(training)
    if not plain:
        layer.check_forward_args = layer.check_forward_args
    with torch.set_grad_enabled(training):
        layer(torch.zeros(4, 2, 3), lengths=lengths)
    assert 1 <= len(spied.frames) <= 3 + training, spied.frames
