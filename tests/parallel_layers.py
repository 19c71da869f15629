"""What the tests of cells without a recurrent product share: kinds, random layers, states."""

import torch
from oracle import randn, randomise

import carousel
from carousel.cells.states import hx_of, states_of

# Name of the layer and its nonlinearity, if it has a choice.
KINDS = {
    "MinGRU": ("MinGRU", "g"),
    "MinGRU-linear": ("MinGRU", "linear"),
    "MinLSTM": ("MinLSTM", "g"),
    "MinLSTM-linear": ("MinLSTM", "linear"),
    "IndRNN": ("IndRNN", "relu"),
    "IndRNN-tanh": ("IndRNN", "tanh"),
    "SRU": ("SRU", None),
    "RGLRU": ("RGLRU", None),
}


def make(kind, inputs, hidden, *, seed=0, dtype=torch.float32, **options):
    """A layer whose weights are random and differ in scale and offset for each unit and gate."""
    name, nonlinearity = KINDS[kind]
    chosen = {} if nonlinearity is None else {"nonlinearity": nonlinearity}
    layer = getattr(carousel, name)(inputs, hidden, dtype=dtype, **chosen, **options)
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
