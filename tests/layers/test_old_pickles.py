"""Whole layers that the first generation saved are still read, and compute what they computed."""

from pathlib import Path

import pytest
import torch

import carousel

FILE = Path(__file__).parents[1] / "fixtures" / "first_generation" / "layers.pt"


@pytest.fixture
def saved():
    return torch.load(FILE, weights_only=False)


def test_the_file_names_the_classes_as_they_were_named_then():
    names = FILE.read_bytes()
    for kind in ("RNN", "GRU", "LSTM"):
        assert f"carousel.layers.recurrent\n{kind}\n".encode() in names
        assert getattr(carousel, kind).__module__ != "carousel.layers.recurrent"


def test_layers_saved_whole_have_todays_classes_and_their_options(saved):
    layers = saved["layers"]
    kinds = {name: type(layer).__name__ for name, layer in layers.items()}
    assert kinds == {
        "rnn": "RNN",
        "activated": "RNN",
        "gru": "GRU",
        "lstm": "LSTM",
        "swapped": "LSTM",
        "min": "MinLSTM",
    }
    assert all(type(layer) is getattr(carousel, kinds[name]) for name, layer in layers.items())
    assert repr(layers) == saved["text"]
    assert layers["lstm"].zoneout == (0.5, 0.25)
    assert layers["lstm"].checkpoint_every == 3
    assert layers["gru"].variational == (0.5, 0.5, 0.5)
    assert layers["gru"].reset_after  # which there was not then
    assert "accelerated" in repr(carousel.accelerated(layers))


def test_layers_saved_whole_answer_as_they_answered(saved):
    for name, layer in saved["layers"].items():
        torch.testing.assert_close(layer(saved["x"])[0], saved["answers"][name], msg=name)


def test_layers_saved_whole_still_train(saved):
    layers = saved["layers"].train()
    for layer in layers.values():
        layer(saved["x"])[0].sum().backward()
    assert all(parameter.grad is not None for parameter in layers.parameters())


def test_a_layer_that_was_swapped_then_can_be_given_back_to_torch(saved):
    layer = saved["layers"]["swapped"]
    assert type(carousel.restore(layer)) is torch.nn.LSTM
    torch.testing.assert_close(layer(saved["x"])[0], saved["answers"]["swapped"])
