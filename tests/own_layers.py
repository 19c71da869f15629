"""What the tests of sLSTM and LMU layers share: kinds, layers with random weights, states."""

import torch
from oracle import randn, randomise

import carousel

# Name of the layer, and what it is made with: the units of a head are as many as its factor.
KINDS = {
    "SLSTM": ("SLSTM", {}),
    "SLSTM-exp": ("SLSTM", {"nonlinearity": "exp"}),
    "SLSTM-heads": ("SLSTM", {"heads": 3}),
    "SLSTM-exp-heads": ("SLSTM", {"heads": 2, "nonlinearity": "exp"}),
    "LMU": ("LMU", {"order": 7, "theta": 12.5}),
    "LMU-relu": ("LMU", {"order": 18, "theta": 40.0, "nonlinearity": "relu"}),
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
    """A state that a layer could have come to: the normaliser of a sLSTM is positive."""
    depth, dtype = layer.num_layers * (1 + layer.bidirectional), layer.weight_ih_l0.dtype
    sizes = layer.cell_spec.state_sizes(layer.hidden_size, layer.hidden_size, layer.order)
    parts = {
        name: randn(depth, rows, size, seed=seed + k, dtype=dtype)
        for k, (name, size) in enumerate(zip(layer.cell_spec.states, sizes, strict=True))
    }
    if "n" in parts:
        parts["n"] = 1 + parts["n"].abs()
    return tuple(parts.values())


def rows_of(state, rows):
    """A state's rows."""
    return tuple(part[:, rows] for part in state)
