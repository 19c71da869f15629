"""What the tests of the cells' options share: the options, and calls that draw the same masks."""

import copy

import torch
from compiled import call, threads
from oracle import as_tuple, evaluate, randomise

import carousel
from carousel import kernels

# Of each option and of what meets in the same code. Those of RANDOM draw masks in training.
PLAIN = {
    "LSTM": [
        {"activation": "softsign"},
        {"activation": "relu", "gate_activation": "hard_sigmoid"},
        {"activation": "hard_tanh"},
        {"peephole": True},
        {"coupled": True},
        {"coupled": True, "peephole": True, "variant": "NOG"},
        {"variant": "NIG"},
        {"variant": "NFG", "peephole": True},
        {"variant": "NOG"},
        {"variant": "NIAF"},
        {"variant": "NOAF", "peephole": True, "activation": "softsign"},
        {"layer_norm": True},
        {"layer_norm": True, "peephole": True, "variant": "NOG", "activation": "softsign"},
        {"layer_norm": True, "coupled": True, "variant": "NOG"},
    ],
    "GRU": [
        {"layer_norm": True},
        {"activation": "softsign"},
        {"activation": "relu", "gate_activation": "hard_sigmoid"},
        {"activation": "hard_tanh"},
        {"reset_after": False},
        {"reset_after": False, "activation": "relu", "gate_activation": "hard_sigmoid"},
    ],
    "RNN": [
        {"activation": "softsign"},
        {"activation": "hard_tanh"},
        {"layer_norm": True},
        {"layer_norm": True, "activation": "softsign"},
    ],
}
RANDOM = {
    "LSTM": [
        {"zoneout": (0.3, 0.2)},
        {"zoneout": 0.4, "peephole": True, "coupled": True},
        {"recurrent_dropout": 0.3},
        {"variational": (0.2, 0.3, 0.4)},
        {"naive_recurrent_dropout": 0.4},
        {"weight_dropout": 0.5},
        {"layer_norm": True, "zoneout": (0.3, 0.2), "recurrent_dropout": 0.2},
    ],
    "GRU": [
        {"zoneout": 0.3},
        {"recurrent_dropout": 0.3},
        {"variational": (0.2, 0.3, 0.4)},
        {"naive_recurrent_dropout": 0.4, "zoneout": 0.2, "recurrent_dropout": 0.1},
        {"weight_dropout": 0.5},
        {"layer_norm": True, "zoneout": 0.2, "naive_recurrent_dropout": 0.3},
        {"reset_after": False, "zoneout": 0.3, "recurrent_dropout": 0.2},
        {"reset_after": False, "variational": (0.2, 0.3, 0.4), "activation": "softsign"},
        {"reset_after": False, "naive_recurrent_dropout": 0.4, "weight_dropout": 0.3},
    ],
    "RNN": [
        {"zoneout": 0.3},
        {"zoneout": 0.2, "nonlinearity": "relu"},
        {"variational": (0.2, 0.3, 0.4)},
        {"naive_recurrent_dropout": 0.4, "activation": "softsign"},
        {"weight_dropout": 0.5},
        {"layer_norm": True, "zoneout": 0.2, "variational": 0.2},
    ],
}


def pairs(*tables):
    """(cell, options) of the tables."""
    return [(cell, options) for table in tables for cell in table for options in table[cell]]


def name(pair):
    cell, options = pair
    return f"{cell}-" + "-".join(f"{key}={value}" for key, value in options.items())


def layer_with(cell, options, inputs, hidden, seed=0, dtype=torch.float32, **more):
    """A layer in training with random weights, different for each gate."""
    layer = getattr(carousel, cell)(inputs, hidden, **options, **more).double()
    return randomise(layer, seed).to(dtype)


def seeded(layer, lengths=None, packed=False, seed=9):
    """The layer as a function of a padded batch and hx that draws the same masks in every call."""
    run = call(layer, lengths, packed)

    def with_seed(x, hx):
        torch.manual_seed(seed)
        return run(x, hx)

    return with_seed


def by_native(layer, x, hx=None, lengths=None, packed=False, seed=9):
    """Outputs, states and all gradients by the kernels; an error if they cannot take the call."""
    with kernels.use("native"):
        return evaluate(seeded(layer, lengths, packed, seed), x, hx, layer.named_parameters())


def by_oracle(layer, x, hx=None, lengths=None, packed=False, seed=9):
    """The same in float64 by the cells' equations, rounded to float32."""
    double = copy.deepcopy(layer).double()
    raised = tuple(part.double() for part in as_tuple(hx))
    raised = raised if isinstance(hx, tuple) else raised[0] if raised else None
    with kernels.use("cells"), threads(1):
        results = evaluate(
            seeded(double, lengths, packed, seed), x.double(), raised, double.named_parameters()
        )
    return {name: tensor.float() for name, tensor in results.items()}
