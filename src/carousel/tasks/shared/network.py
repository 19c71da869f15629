"""Recurrent stack that a configuration describes, and the losses that all tasks share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carousel import layers
from carousel.cells.spec import CellSpec
from carousel.cells.table import named
from carousel.config import (
    Config,
    LossConfig,
    ModelConfig,
    RegularizationConfig,
    refuse_idle,
)
from carousel.errors import ConfigError
from carousel.layers.base import Recurrent
from carousel.layers.initialization import initialize
from carousel.layers.ordinal import CumulativeLogits


def check(config: Config) -> None:
    """Raise `ConfigError` for settings that nothing reads, or that no network can have."""
    refuse_idle(config)
    model = config.model
    if model.tied and model.embedding_size not in (0, model.hidden_size):
        raise ConfigError(
            f"model.tied needs model.embedding_size = model.hidden_size; got "
            f"{model.embedding_size} and {model.hidden_size}"
        )
    if config.pretraining.epochs and config.training.budget:
        raise ConfigError(
            "training.budget has no part for pretraining.epochs: set the budget to '' and the "
            "epochs of both, or pretraining.epochs to 0"
        )
    _check_options(config)


def _check_options(config: Config) -> None:
    model, regularization = config.model, config.regularization
    if model.layer_norm and not model.reset_after:
        raise ConfigError(
            "model.layer_norm is of the GRU with model.reset_after = true: set one of them"
        )
    differ = model.nonlinearity == "relu" and model.activation not in ("", "relu")
    if differ:
        raise ConfigError("model.activation and model.nonlinearity differ: set one of them")
    if model.hidden_size % model.heads:
        raise ConfigError(
            f"model.hidden_size must be a multiple of model.heads; got {model.hidden_size} and "
            f"{model.heads}"
        )
    if model.r_min >= model.r_max:
        raise ConfigError(
            f"model.r_min must be below model.r_max; got {model.r_min} and {model.r_max}"
        )
    if model.coupled and model.variant in ("NIG", "NFG"):
        raise ConfigError(f"model.coupled needs both gates: model.variant is '{model.variant}'")
    if config.initialization.name == "chrono" and model.variant == "NFG":
        raise ConfigError("initialization.name = 'chrono' sets the forget gate: 'NFG' has none")
    if regularization.variational and regularization.naive_recurrent_dropout:
        raise ConfigError(
            "regularization.variational and naive_recurrent_dropout both drop the state: set one"
        )


def make_recurrent(
    input_size: int,
    model: ModelConfig,
    regularization: RegularizationConfig,
    *,
    batch_first: bool,
) -> Recurrent:
    """The recurrent layers, with dropout between them and what regularises the cells."""
    spec = named(model.cell)
    given = _given(spec, model, regularization)
    recurrent: Recurrent = getattr(layers, spec.layer)(
        input_size,
        model.hidden_size,
        num_layers=model.num_layers,
        batch_first=batch_first,
        dropout=regularization.dropout if model.num_layers > 1 else 0.0,
        bidirectional=model.bidirectional,
        **{name: value for name, value in given.items() if name in spec.options},
        **spec.arguments,
    )
    return recurrent


def _given(
    spec: CellSpec, model: ModelConfig, regularization: RegularizationConfig
) -> dict[str, Any]:
    """Value in the settings of every option of a cell, whether it has the option or not."""
    state, cell = regularization.zoneout, regularization.zoneout_cell
    given: dict[str, Any] = {
        "gate_activation": model.gate_activation or "sigmoid",
        "layer_norm": model.layer_norm,
        "precision": model.precision,
        "reset_after": model.reset_after,
        "forget_bias": None if model.variant == "NFG" else model.forget_bias,
        "heads": model.heads,
        "order": model.order,
        "theta": model.theta,
        "r_min": model.r_min,
        "r_max": model.r_max,
        "max_phase": model.max_phase,
        "peephole": model.peephole,
        "coupled": model.coupled,
        "variant": model.variant,
        "zoneout": state if len(spec.states) == 1 else (state if cell < 0 else cell, state),
        "weight_dropout": regularization.weight_dropout,
        "recurrent_dropout": regularization.recurrent_dropout,
        "variational": regularization.variational,
        "naive_recurrent_dropout": regularization.naive_recurrent_dropout,
    }
    if model.nonlinearity in spec.nonlinearities:
        given["nonlinearity"] = model.nonlinearity
    if model.activation:
        given["activation"] = model.activation
    return given


def make_dropout(p: float) -> nn.Module:
    """Dropout, or nothing: torch's costs a product with p = 0 too."""
    return nn.Dropout(p) if p else nn.Identity()


def make_head(features: int, outputs: int, config: Config) -> nn.Linear | CumulativeLogits:
    """The output layer (B, H) to (B, C): linear, or of ranks with thresholds."""
    kind = CumulativeLogits if config.columns.ordinal else nn.Linear
    return kind(features, outputs)


class Bias(nn.Module):
    """The output layer's own part where its weight is the embedding's."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(size))


def drop_words(x: Tensor, tokens: Tensor, p: float, vocabulary: int) -> Tensor:
    """Embedded tokens with a share p of the vocabulary set to zero and the rest scaled up.

    A word is dropped wherever it stands in the batch. x (..., E), tokens (...). Source: Gal and
    Ghahramani 2016 (arXiv:1512.05287).
    """
    keep = torch.rand(vocabulary, 1, device=tokens.device) >= p
    return x * F.embedding(tokens, keep.to(x.dtype) / (1 - p))


@contextmanager
def evaluating(network: nn.Module) -> Iterator[torch.device]:
    """The network in evaluation mode, without gradients, and back; gives the device it is on."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield next(network.parameters()).device
    finally:
        network.train(was_training)


def weighted_loss(
    logits: Tensor,
    labels: Tensor,
    config: LossConfig,
    weights: Tensor | None,
    rows: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean to differentiate, and the plain summed cross-entropy to report.

    logits (N, C), labels (N,) without a masked one. weights (C,): of the classes, or None. rows
    (N,): how much each counts in both, or None.
    """
    if rows is not None:
        smoothing = config.label_smoothing
        losses = F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing) * rows
        if weights is not None:
            losses = losses * weights.to(losses.device)[labels]
        plain = F.cross_entropy(logits, labels, reduction="none") * rows
        return losses.mean(), plain.sum().detach()
    total = F.cross_entropy(logits, labels, reduction="sum")
    if not config.label_smoothing and weights is None:
        return total / len(labels), total.detach()
    losses = F.cross_entropy(
        logits, labels, reduction="none", label_smoothing=config.label_smoothing
    )
    if weights is not None:
        losses = losses * weights.to(losses.device)[labels]
    return losses.mean(), total.detach()


def class_weights(labels: Tensor, classes: int, config: LossConfig) -> Tensor | None:
    """n / (C n_c) for each class, or None where all count alike. labels: of the training part.

    >>> class_weights(torch.tensor([0, 0, 0, 1]), 2, LossConfig(class_weights="balanced"))
    tensor([0.6667, 2.0000])
    """
    if config.class_weights == "none":
        return None
    counts = torch.bincount(labels, minlength=classes)
    return len(labels) / (classes * counts.clamp(min=1).float())


def start(network: nn.Module, config: Config) -> None:
    """Give a new network the initial weights that the configuration asks for."""
    start = config.initialization
    initialize(
        network,
        start.name,
        range=start.range,
        steps=start.steps,
        forget_bias=config.model.forget_bias,
    )


@contextmanager
def noting_outputs(recurrent: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the outputs of recurrent layers inside the block, a tensor for each call."""
    noted: list[Tensor] = []
    handle = recurrent.register_forward_hook(lambda _, given, output: noted.append(output[0]))
    try:
        yield noted
    finally:
        handle.remove()


def has_activation_penalty(config: RegularizationConfig) -> bool:
    """True if `activation_penalty` gives one."""
    return bool(config.activation or config.temporal_activation)


def activation_penalty(
    outputs: Tensor, dropped: Tensor, config: RegularizationConfig, time_dim: int
) -> Tensor | None:
    """α mean(dropped²) + β mean((y_t - y_{t-1})²), or None where α and β are 0.

    outputs: y, of the last recurrent layer; dropped: the same after dropout. Source: Merity et
    al. 2017 (arXiv:1708.02182), activation and temporal activation regularisation.
    """
    penalty: Tensor | None = None
    if config.activation:
        penalty = config.activation * dropped.square().mean()
    steps = outputs.size(time_dim)
    if config.temporal_activation and steps > 1:
        later, earlier = (
            outputs.narrow(time_dim, 1, steps - 1),
            outputs.narrow(time_dim, 0, steps - 1),
        )
        change = config.temporal_activation * (later - earlier).square().mean()
        penalty = change if penalty is None else penalty + change
    return penalty
