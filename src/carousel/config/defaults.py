"""Settings of network and training where nobody chose any: by the size of the data."""

from __future__ import annotations

from typing import Any

_FEW, _MANY = 100, 5_000
_STEPS = 1_000
_LONG = 200


def defaults(n_sequences: int, mean_length: float, n_features: int) -> dict[str, Any]:
    """Settings, by their names, for sequences to train on, their mean length, and their features.

    The rule, in the order of what follows from what:

    - `hidden_size` is 32 for fewer than 100 sequences, 64 for fewer than 5,000, else 128; half as
      many for fewer than 100 steps in all, and at least a quarter of the features, up to 256.
    - `dropout` is 0.4, 0.3 and 0.2 in the same three cases.
    - `batch_size` is a power of two between 8 and 128: at most a twelfth of the sequences,
      so that an epoch has 12 steps at least where there are enough.
    - `epochs` are as many as 1,000 optimiser steps need, but 10 at least and 80 at most.
    - An LSTM, or a GRU for sequences of more than 200 steps, with Adam under a one-cycle schedule
      that rises to 0.005 for fewer than 100 sequences, else 0.003; gradients clipped at 1.

    >>> found = defaults(216, 16.0, 12)
    >>> found["model.hidden_size"], found["training.batch_size"], found["training.epochs"]
    (64, 16, 71)
    """
    size = 0 if n_sequences < _FEW else 1 if n_sequences < _MANY else 2
    hidden = (32, 64, 128)[size]
    if n_sequences * mean_length < _FEW:
        hidden //= 2
    while hidden < n_features / 4 and hidden < 256:
        hidden *= 2
    batch = 8
    while batch < 128 and batch * 2 <= n_sequences / 12:
        batch *= 2
    epochs = round(_STEPS / -(-n_sequences // batch))
    return {
        "model.cell": "gru" if mean_length > _LONG else "lstm",
        "model.hidden_size": hidden,
        "regularization.dropout": (0.4, 0.3, 0.2)[size],
        "optimizer.name": "adam",
        "optimizer.learning_rate": (5e-3, 3e-3, 3e-3)[size],
        "optimizer.clip_norm": 1.0,
        "schedule.name": "one-cycle",
        "schedule.warmup": 0.2,
        "training.batch_size": batch,
        "training.epochs": min(80, max(10, epochs)),
    }
