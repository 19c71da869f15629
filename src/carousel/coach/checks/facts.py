"""What is known of data and network before training: the facts that the rules read."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from carousel.coach.checks.setup import Setup, first_call
from carousel.coach.traces import recurrent_layers


@torch.no_grad()
def facts_of(setup: Setup) -> dict[str, Any]:
    """Scales, lengths, counts and settings, from the first batches of training.

    input_largest, input_spread_ratio: of what the first recurrent layer reads, where that is not
    embedded tokens. target_mean, target_std: of numbers, as the loss sees them. class_counts.
    length_median, window, padding_share: of the sequences. parameters (without embeddings),
    training_steps: of an epoch. forget_bias: mean over the layers. vain_dropout.
    """
    task, model = setup.task, setup.model
    facts: dict[str, Any] = {}
    targets = torch.cat([task.batch_targets(batch) for batch in setup.batches])
    if targets.is_floating_point():
        facts["target_mean"] = float(targets.double().mean())
        facts["target_std"] = float(targets.double().std(correction=0))
    elif 0 < setup.classes <= 100 and len(targets):  # a vocabulary is never in balance
        facts["class_counts"] = torch.bincount(targets, minlength=setup.classes).tolist()
    embeds = any(isinstance(m, nn.Embedding) for m in model.modules())
    with first_call(model) as calls:
        task.loss(model, setup.batches[0])
    if calls:
        facts |= _of_sequences(setup, *calls[0], scales=not embeds)
    facts["parameters"] = sum(
        p.numel() for name, p in model.named_parameters() if "embedding" not in name
    )
    facts |= _of_layers(model)
    return facts


def _of_sequences(
    setup: Setup, layer: Any, x: Tensor, lengths: Tensor | None, *, scales: bool
) -> dict[str, Any]:
    x = x.transpose(0, 1) if layer.batch_first else x
    steps, rows = x.shape[:2]
    if lengths is None:
        lengths = torch.full((rows,), steps)
    real = torch.arange(steps)[:, None] < lengths
    facts: dict[str, Any] = {
        "length_median": float(lengths.double().median()),
        "window": steps,
        "training_steps": int(lengths.sum()) * setup.task.batches_per_epoch,
        "padding_share": 1 - float(lengths.sum()) / (steps * rows),
    }
    if scales:
        values = x[real].double()
        spread = values.std(0, correction=0)
        moving = spread[spread > 1e-6]
        if values.numel():  # of at most a million numbers, for torch's sake
            facts["input_largest"] = float(values.abs().flatten()[:1_000_000].quantile(0.999))
        if len(moving) > 1:
            facts["input_spread_ratio"] = float(moving.max() / moving.quantile(0.05))
    return facts


def _of_layers(model: nn.Module) -> dict[str, Any]:
    biases, facts = [], {}
    for _, layer in recurrent_layers(model):
        gates = getattr(layer, "gates", "ifgo") if isinstance(layer, nn.LSTM) else ""
        H = layer.hidden_size
        if "f" in gates and layer.bias:
            rows = slice(gates.index("f") * H, (gates.index("f") + 1) * H)
            named = dict(layer.named_parameters())
            biases += [
                float((p + named[n.replace("bias_ih", "bias_hh")])[rows].mean())
                for n, p in named.items()
                if n.startswith("bias_ih")
            ]
        if layer.num_layers == 1 and layer.dropout:
            facts["vain_dropout"] = float(layer.dropout)
    if biases:
        facts["forget_bias"] = sum(biases) / len(biases)
    return facts
