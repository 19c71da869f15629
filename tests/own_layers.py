"""What the tests of sLSTM layers share: kinds, layers with random weights, states."""

import torch
from oracle import randn, randomise

import carousel

# Name of the layer, and what it is made with: the units of a head are as many as its factor.
KINDS = {
    "SLSTM": ("SLSTM", {}),
    "SLSTM-exp": ("SLSTM", {"nonlinearity": "exp"}),
    "SLSTM-heads": ("SLSTM", {"heads": 3}),
    "SLSTM-exp-heads": ("SLSTM", {"heads": 2, "nonlinearity": "exp"}),
}


def make(kind, inputs, hidden, *, seed=0, dtype=torch.float32, **options):
    """A layer whose weights are random and differ in scale and offset for each unit and gate.

    hidden: rounded up to units that its heads divide.
    """
    name, own = KINDS[kind]
    heads = own.get("heads", 1)
    hidden = -(-hidden // heads) * heads
    return randomise(getattr(carousel, name)(inputs, hidden, dtype=dtype, **own, **options), seed)


def state_of(layer, rows, seed=1):
    """A state (h, c, n, m) that a layer could have come to: its normaliser is positive."""
    shape = (layer.num_layers * (1 + layer.bidirectional), rows, layer.hidden_size)
    parts = [randn(*shape, seed=seed + k, dtype=layer.weight_ih_l0.dtype) for k in range(4)]
    parts[2] = 1 + parts[2].abs()
    return tuple(parts)


def rows_of(state, rows):
    """A state's rows."""
    return tuple(part[:, rows] for part in state)
