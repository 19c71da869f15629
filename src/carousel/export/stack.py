"""Layers as subjects: one alone, or those of a `torch.nn.Sequential`, run as they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from carousel.export.description import Convolution
from carousel.export.modules import describe_modules, is_recurrent, layers_of
from carousel.export.subject import Subject, Tensors
from carousel.layers.attention import step_mask
from carousel.layers.base import Recurrent
from carousel.layers.ordinal import CumulativeLogits
from carousel.layers.parts import parts_of
from carousel.layers.pooling import Pooling


def stack_subject(model: nn.Module) -> Subject:
    """A layer, or layers in a row, with their description; raises what `describe_modules` raises.

    A recurrent layer hands on its outputs alone, and all layers read (B, T, F), a convolution too,
    whatever their own layouts are: `torch.nn.Sequential` itself cannot run such a row.
    """
    network = describe_modules(model)
    parts = tuple(parts_of(model))

    def compute(given: Tensors) -> tuple[Tensor, ...]:
        return (_run(parts, given[network.inputs[0].name], given.get("lengths")),)

    return Subject(network, compute, tuple(filter(is_recurrent, parts)), model)


def _run(parts: tuple[nn.Module, ...], x: Tensor, lengths: Tensor | None) -> Tensor:
    state: Any = None
    for part in parts:
        if is_recurrent(part):
            x, state = _recur(part, x, lengths)
        elif isinstance(part, nn.Conv1d):
            if lengths is not None:
                x = x * step_mask(lengths, x.size(1)).unsqueeze(2)
            x = part(x.transpose(1, 2)).transpose(1, 2)
            if lengths is not None:
                (described,) = layers_of(part)
                assert isinstance(described, Convolution)
                lengths = torch.tensor([described.length(int(n)) for n in lengths])
        elif isinstance(part, Pooling):
            x = part(x, state, lengths)
        else:
            x = part(x).exp() if isinstance(part, CumulativeLogits) else part(x)
    return x


def _recur(part: Any, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Any]:
    """Outputs (B, T, ·) and states of a recurrent layer that reads (B, T, F)."""
    x = x if part.batch_first else x.transpose(0, 1)
    if lengths is None:
        y, state = part(x)
    elif isinstance(part, Recurrent):
        y, state = part(x, lengths=lengths)
    else:
        first, steps = part.batch_first, x.size(1 if part.batch_first else 0)
        packed = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
        y, state = part(packed)
        y, _ = pad_packed_sequence(y, batch_first=first, total_length=steps)
    return y if part.batch_first else y.transpose(0, 1), state
