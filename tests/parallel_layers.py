"""What the tests of minGRU, minLSTM and IndRNN share: kinds, layers with random weights, states."""

import torch
from oracle import randn, randomise

import carousel

# Name of the layer and its nonlinearity.
KINDS = {
    "MinGRU": ("MinGRU", "g"),
    "MinGRU-linear": ("MinGRU", "linear"),
    "MinLSTM": ("MinLSTM", "g"),
    "MinLSTM-linear": ("MinLSTM", "linear"),
    "IndRNN": ("IndRNN", "relu"),
    "IndRNN-tanh": ("IndRNN", "tanh"),
}


def make(kind, inputs, hidden, *, seed=0, dtype=torch.float32, **options):
    """A layer whose weights are random and differ in scale and offset for each unit and gate."""
    name, nonlinearity = KINDS[kind]
    layer = getattr(carousel, name)(
        inputs, hidden, nonlinearity=nonlinearity, dtype=dtype, **options
    )
    return randomise(layer, seed)


def state_of(layer, rows, seed=1):
    depth = layer.num_layers * (1 + layer.bidirectional)
    return randn(depth, rows, layer.hidden_size, seed=seed, dtype=layer.weight_ih_l0.dtype)
