"""How many frames of ours stand between the call of a layer and the compiled kernels."""

import sys
from pathlib import Path

import pytest
import torch

import carousel
from carousel.kernels import native, reading

HOME = str(Path(carousel.__file__).parent)


def frames_of_ours(frame):
    found = []
    while frame is not None:
        if frame.f_code.co_filename.startswith(HOME):
            found.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return found


class Spied:
    """The compiled module, whose `forward` notes who called it."""

    def __init__(self, module):
        self.module, self.frames = module, []

    def __getattr__(self, name):
        return getattr(self.module, name)

    def forward(self, *arguments):
        self.frames += frames_of_ours(sys._getframe(1))
        return self.module.forward(*arguments)


@pytest.mark.parametrize(
    "name",
    ["RNN", "GRU", "LSTM", "MinGRU", "MinLSTM", "IndRNN", "SLSTM", "SRU", "QRNN", "LRU", "S6"],
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


@pytest.mark.parametrize(
    "name",
    [
        "RNN",
        "GRU",
        "LSTM",
        "MinGRU",
        "MinLSTM",
        "IndRNN",
        "SLSTM",
        "SRU",
        "RGLRU",
        "QRNN",
        "LRU",
        "S6",
    ],
)
def test_at_most_two_frames_from_a_layer_that_keeps_its_weights_to_the_kernels(name):
    layer, x = getattr(carousel, name)(3, 5).eval(), torch.zeros(4, 2, 3)
    with torch.no_grad():
        layer(x), layer(x)
    if not reading.read_directly():
        pytest.skip("this torch is too old")
    kept = layer._keeper().kept
    assert kept is not None
    direct, frames = kept.direct, []

    def spied(*arguments):
        frames.extend(frames_of_ours(sys._getframe(1)))
        return direct(*arguments)

    kept.direct = spied
    with torch.no_grad():
        layer(x)
    assert 1 <= len(frames) <= 2, frames
