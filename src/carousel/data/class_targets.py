"""Tensors of what is to be told of an example: the number of its class, or 0 and 1 of labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def targets_of(labels: Sequence[str | tuple[str, ...]], classes: Sequence[str]) -> Tensor:
    """Numbers of classes (n,), int64; or where labels are tuples, 0 and 1 (n, C), float32.

    >>> targets_of([("b",), ("a", "b")], ["a", "b"]).tolist()
    [[0.0, 1.0], [1.0, 1.0]]
    """
    number = {label: i for i, label in enumerate(classes)}
    if not any(isinstance(label, tuple) for label in labels):
        return torch.tensor([number[str(label)] for label in labels])
    found = torch.zeros(len(labels), len(classes))
    for row, some in enumerate(labels):
        found[row, [number[label] for label in some]] = 1.0
    return found


def counts_of(targets: Tensor, classes: int) -> list[int]:
    """Number of examples of each class, or of each label.

    >>> counts_of(torch.tensor([0, 2, 2]), 3), counts_of(torch.tensor([[0.0, 1.0]]), 2)
    ([1, 0, 2], [0, 1])
    """
    if targets.dim() == 2:
        return [int(count) for count in targets.sum(0).tolist()]
    return torch.bincount(targets, minlength=classes).tolist()


def named(target: Tensor, classes: Sequence[str]) -> str:
    """A target as text.

    >>> named(torch.tensor([1.0, 0.0, 1.0]), ["a", "b", "c"]), named(torch.tensor(1), ["a", "b"])
    ('a; c', 'b')
    """
    if target.dim():
        return "; ".join(classes[i] for i in target.nonzero().flatten().tolist())
    return classes[int(target)]
