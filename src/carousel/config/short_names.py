"""Settings by the names that programs give them: `epochs` in place of "training.epochs"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carousel.config.keys import closest
from carousel.errors import ConfigError

SHORT_NAMES = {
    "cell": "model.cell",
    "hidden_size": "model.hidden_size",
    "num_layers": "model.num_layers",
    "bidirectional": "model.bidirectional",
    "pooling": "model.pooling",
    "dropout": "regularization.dropout",
    "epochs": "training.epochs",
    "batch_size": "training.batch_size",
    "learning_rate": "optimizer.learning_rate",
    "patience": "training.patience",
}


def by_full_name(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their full names. Raises `ConfigError` for a short name that is none.

    >>> by_full_name({"epochs": 5, "frames__noise": 0.3, "model.cell": "gru"})
    {'training.epochs': 5, 'frames.noise': 0.3, 'model.cell': 'gru'}
    """
    found = {}
    for name, value in settings.items():
        key = SHORT_NAMES.get(name, name.replace("__", ".", 1))
        if "." not in key:
            raise ConfigError(
                f"there is no setting '{name}'.{closest(name, list(SHORT_NAMES))} Short names: "
                f"{', '.join(SHORT_NAMES)}; any other is section__key (docs/settings.md)"
            )
        found[key] = value
    return found
