"""Checks of the options that a layer's constructor takes beyond torch's."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from carousel.cells.activations import ACTIVATIONS, GATE_ACTIVATIONS
from carousel.cells.gru import NORMALIZED_AFTER
from carousel.cells.lstm import VARIANTS

Rates = float | Sequence[float]


def probability(name: str, value: Any) -> float:
    """The value as a float in [0, 1); raises ValueError naming the option."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name} must be a probability of at least 0 and below 1, got {value!r}")
    return float(value)


def probabilities(name: str, value: Any, parts: tuple[str, ...]) -> tuple[float, ...]:
    """One probability for all parts, or one for each of them."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return (probability(name, value),) * len(parts)
    if len(value) != len(parts):
        raise ValueError(f"{name} must be a number or ({', '.join(parts)}), got {value!r}")
    return tuple(
        probability(f"{name} of the {part}", p) for part, p in zip(parts, value, strict=True)
    )


def between_layers(dropout: Any, num_layers: int) -> Any:
    """What torch is told of a dropout between layers: with one layer none, and a warning."""
    number = isinstance(dropout, int | float) and not isinstance(dropout, bool)
    if num_layers != 1 or not number or not 0 < dropout <= 1:
        return dropout  # torch says what is wrong with it, if anything is
    warnings.warn(
        f"dropout={dropout} has no effect with num_layers=1: it acts between layers. Put "
        "torch.nn.Dropout before or after the layer, or use variational=, zoneout= or "
        "weight_dropout= in it",
        UserWarning,
        stacklevel=3,
    )
    return 0.0


def check_activation(value: str) -> str:
    return _one_of("activation", value, ACTIVATIONS)


def check_gate_activation(value: str) -> str:
    return _one_of("gate_activation", value, GATE_ACTIVATIONS)


def check_reset(reset_after: bool, layer_norm: bool) -> None:
    """Raise ValueError for a reset gate of the GRU that cannot be."""
    if not isinstance(reset_after, bool):
        raise ValueError(f"reset_after must be True or False, got {reset_after!r}")
    if layer_norm and not reset_after:
        raise ValueError(NORMALIZED_AFTER)


def check_gates(variant: str, coupled: bool, forget_bias: float | None, bias: bool) -> None:
    """Raise ValueError for gates of the LSTM that contradict each other."""
    if variant:
        _one_of("variant", variant, VARIANTS)
    if coupled and variant in ("NIG", "NFG"):
        raise ValueError(
            f"coupled makes the forget gate from the input gate: variant={variant!r} lacks one of "
            "them; choose one of the two"
        )
    if forget_bias is None:
        return
    if not bias:
        raise ValueError("forget_bias needs biases: leave it out, or set bias=True")
    if variant == "NFG":
        raise ValueError("forget_bias needs a forget gate: variant='NFG' has none")


def _one_of(name: str, value: str, choices: Any) -> str:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return value
