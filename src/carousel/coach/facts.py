"""Facts about network and data before the first step: sizes, lengths, scales, balance."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from carousel.cells.table import spec_of
from carousel.coach.subject import Batch, Trained
from carousel.coach.traces import recurrent_layers
from carousel.coach.watch import Call, in_evaluation, watch
from carousel.data.counting import unit_of

_MANY_CLASSES = 1000
_BATCHES = 8  # looked at, where their lengths differ


def of_task(
    task: Trained,
    model: nn.Module,
    *,
    to_device: Callable[[Batch], Batch] = lambda batch: batch,
    seconds: float = math.inf,
) -> dict[str, Any]:
    """Facts of a task and its network before the first step, in evaluation mode.

    seconds: after which no further batch is looked at. Besides what the other functions here tell:
    batches_per_epoch; window: the steps that gradients reach back; output_sums_to_one: whether the
    model puts out probabilities where the loss takes logits.
    """
    known = {"batches_per_epoch": task.batches_per_epoch, **facts_of_network(model)}
    known |= facts_of_validation(task)
    if (targets := task.subject.targets()) is not None:
        known |= facts_of_targets(*targets)
    calls, outputs = _first_calls(task, model, to_device, seconds)
    if calls:
        known |= facts_of_input(calls, task.batches_per_epoch)
        known["window"] = max(call.steps for call in calls)
    if outputs and "class_counts" in known:
        known["output_sums_to_one"] = sums_to_one(outputs[-1])
    return known


@torch.no_grad()
def _first_calls(
    task: Trained, model: nn.Module, to_device: Callable[[Batch], Batch], seconds: float
) -> tuple[list[Call], list[Tensor]]:
    """The first recurrent call in each of the first batches, and what the model put out: several
    batches where their lengths differ."""
    kept: list[Call] = []
    outputs: list[Tensor] = []

    def look(net: nn.Module, given: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            outputs[:] = [output]

    end = time.perf_counter() + seconds
    handle = model.register_forward_hook(look)
    try:
        for number, batch in enumerate(task.train_batches(0, 0), 1):
            with in_evaluation(model), watch(model) as calls:
                task.loss(model, to_device(batch))
            kept += calls[:1]
            ragged = bool(calls) and calls[0].lengths is not None
            if not ragged or number == _BATCHES or time.perf_counter() > end:
                break
    finally:
        handle.remove()
    return kept, outputs


def facts_of_network(model: nn.Module) -> dict[str, Any]:
    """parameters; forget_bias: the mean of both together at the start; vain_dropout: between the
    layers of a module that has one; layers: recurrent ones, in total."""
    facts: dict[str, Any] = {"parameters": sum(p.numel() for p in model.parameters())}
    biases, layers = [], 0
    for _, layer in recurrent_layers(model):
        layers += layer.num_layers
        if layer.dropout and layer.num_layers == 1:
            facts["vain_dropout"] = float(layer.dropout)
        if (place := _forget_gate(layer)) is not None and layer.bias:
            rows = slice(place * layer.hidden_size, (place + 1) * layer.hidden_size)
            both = [p for n, p in layer.named_parameters() if n.startswith(("bias_ih", "bias_hh"))]
            directions = layer.num_layers * (2 if layer.bidirectional else 1)
            biases.append(sum(float(p.detach()[rows].mean()) for p in both) / directions)
    if biases:
        facts["forget_bias"] = sum(biases) / len(biases)
    facts["recurrent_layers"] = layers
    return facts


def _forget_gate(layer: Any) -> int | None:
    """Index of the forget gate among the gates of a cell that has all of its own; of minLSTM,
    whose two gates share one, its bias alone says little."""
    spec = spec_of(layer.mode)
    whole = spec.gates_with(lambda option: getattr(layer, option, None)) == spec.gates
    if spec.is_parallel or "forget_bias" not in spec.options or not whole:
        return None
    forget = spec.forget_gate(lambda option: None)
    return None if forget is None else spec.gates.index(forget[0])


@torch.no_grad()
def facts_of_input(calls: list[Call], batches: int = 1) -> dict[str, Any]:
    """Facts about the inputs of the first recurrent layer in some batches.

    batches: of an epoch, from which training_steps is reckoned: the real steps of an epoch.
    length_min, length_median, length_max, padding_share; input_largest: |x| that 99.5 % of the
    values stay below; input_spread_ratio: the largest deviation of a feature to the median one.
    """
    first = [call for call in calls if call.name == calls[0].name and call.x.dim() == 3]
    if not first:
        return {}
    lengths, steps, values = [], 0, []
    for call in first:
        x: Tensor = call.x if not call.layer.batch_first else call.x.transpose(0, 1)
        own = call.lengths if call.lengths is not None else torch.full((x.size(1),), len(x))
        lengths.append(own.cpu())
        steps += len(x) * x.size(1)
        inside = torch.arange(len(x))[:, None] < own.cpu()[None, :]
        values.append(x.cpu()[inside])
    every, real = torch.cat(lengths), torch.cat(values).float()
    spread = real.std(0, correction=0)
    middle = float(spread[spread > 0].median()) if bool((spread > 0).any()) else 0.0
    largest = real.abs().reshape(-1)
    kept = largest[:: -(-largest.numel() // 100_000)]
    return {
        "length_min": int(every.min()),
        "length_median": float(every.float().median()),
        "length_max": int(every.max()),
        "padding_share": 1 - float(every.sum()) / steps,
        "training_steps": int(float(every.sum()) / len(first) * batches),
        "input_largest": float(kept.quantile(0.995)),
        "input_spread_ratio": float(spread.max()) / middle if middle else 1.0,
    }


def sums_to_one(output: Tensor) -> bool:
    """True if every row (…, C) is a distribution over classes.

    >>> sums_to_one(torch.randn(7, 3).softmax(1)), sums_to_one(torch.randn(7, 3))
    (True, False)
    """
    if output.dim() < 2 or output.size(-1) < 2 or not output.dtype.is_floating_point:
        return False
    near = (output.sum(-1) - 1).abs().max() < 1e-4
    return bool(near) and bool((output >= 0).all())


def facts_of_targets(targets: Tensor, held: Tensor | None = None) -> dict[str, Any]:
    """Facts about targets. Whole numbers: class_counts, the count of each class; others:
    target_mean and target_std. held: targets of the validation part, for validation_examples and
    for guess: the accuracy that the most frequent class of the training part has there."""
    facts = _facts_of(targets)
    if held is not None and len(held):
        facts["validation_examples"] = len(held)
        if "class_counts" in facts:
            counts = facts["class_counts"]
            top = counts.index(max(counts))
            facts["guess"] = {"accuracy": float((held == top).float().mean())}
    return facts


def facts_of_validation(task: Trained) -> dict[str, Any]:
    """validation_units: how many things of their own (recordings, sentences, windows that share no
    step) the validation part has; validation_unit: their name; validation_many: whether each is
    asked for many answers."""
    unit, units = next(iter(task.parted.part("validation").counts.items()))
    return {
        "validation_units": units,
        "validation_unit": unit_of(units, unit),
        "validation_many": task.subject.many_answers,
    }


def _facts_of(targets: Tensor) -> dict[str, Any]:
    if targets.dtype.is_floating_point:
        finite = targets[torch.isfinite(targets)].double()
        if not finite.numel():
            return {}
        return {
            "target_mean": float(finite.mean()),
            "target_std": float(finite.std(correction=0)),
        }
    real = targets[targets >= 0]
    if not real.numel() or int(real.max()) >= _MANY_CLASSES:
        return {}
    return {"class_counts": torch.bincount(real).tolist()}
