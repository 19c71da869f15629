"""What the tests of cells without a recurrent product share: kinds, random layers, states."""

import torch
from oracle import randn, randomise

import carousel
from carousel.cells.states import hx_of, states_of

# Name of the layer, and what it is made with.
KINDS = {
    "MinGRU": ("MinGRU", {"nonlinearity": "g"}),
    "MinGRU-linear": ("MinGRU", {"nonlinearity": "linear"}),
    "MinLSTM": ("MinLSTM", {"nonlinearity": "g"}),
    "MinLSTM-linear": ("MinLSTM", {"nonlinearity": "linear"}),
    "IndRNN": ("IndRNN", {"nonlinearity": "relu"}),
    "IndRNN-tanh": ("IndRNN", {"nonlinearity": "tanh"}),
    "SRU": ("SRU", {}),
    "RGLRU": ("RGLRU", {}),
    "QRNN": ("QRNN", {}),
    "QRNN-two": ("QRNN", {"window": 2}),
    "LRU": ("LRU", {}),
    "S6": ("S6", {"order": 6}),
}


def make(kind, inputs, hidden, *, seed=0, dtype=torch.float32, **options):
    """A layer whose weights are random and differ in scale and offset for each unit and gate."""
    name, own = KINDS[kind]
    layer = getattr(carousel, name)(inputs, hidden, dtype=dtype, **own, **options)
    return randomise(layer, seed)


def state_of(layer, rows, seed=1):
    depth = layer.num_layers * (1 + layer.bidirectional)
    return hx_of(
        tuple(
            randn(depth, rows, size, seed=seed + k, dtype=layer.weight_ih_l0.dtype)
            for k, size in enumerate(layer._state_sizes())
        )
    )


def mapped(function, hx):
    """A function of each state, put together as layers hand states about."""
    return hx_of(tuple(function(part) for part in states_of(hx)))
