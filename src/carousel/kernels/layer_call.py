"""`LayerCall`: one layer on one batch, as the kernels compute and differentiate it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from carousel.kernels.layer_spec import LayerSpec, Lengths
from carousel.kernels.options import Options

# What both operators take of a call: see carousel.kernels.library, and `LayerCall.parse`.
ARGUMENTS = 13


class LayerCall(NamedTuple):
    """One layer, all its directions, on a batch.

    state: as of `native.forward`. rows: None where all are of one length. seed: (D,) int64, of the
    masks, or None.
    """

    spec: LayerSpec
    x: Tensor
    state: Sequence[Tensor]
    weights: Sequence[Tensor]
    rows: Lengths | None = None
    seed: Tensor | None = None

    @classmethod
    def parse(cls, arguments: Sequence[Any], *, known: bool = True) -> LayerCall:
        """The call that these arguments of an operator stand for.

        known: sizes are numbers, and the weights are checked; elsewhere they may be symbols.
        """
        x, state, weights, order, lengths, steps, seed, mode, layout, *rest = arguments
        bidirectional, checkpoint_every, text, rates = rest
        shapes = tuple(weight.shape for weight in weights)
        spec_of = _checked_spec if known else _spec
        spec = spec_of(
            mode, layout, bidirectional, checkpoint_every, text, tuple(rates), x.size(-1), shapes
        )
        rows = None if order is None or lengths is None else Lengths(order, lengths, steps)
        return cls(spec, x, state, weights, rows, seed)

    def arguments(self) -> tuple[Any, ...]:
        """Arguments of the operators for this call."""
        spec, rows = self.spec, self.rows
        given = (None, None, None) if rows is None else (rows.order, rows.sorted, rows.steps)
        return (
            self.x,
            list(self.state),
            list(self.weights),
            *given,
            self.seed,
            spec.mode,
            spec.layout,
            spec.directions == 2,
            spec.checkpoint_every,
            spec.options.text,
            spec.options.rates,
        )

    def check(self) -> None:
        """Raise ValueError or RuntimeError for states or lengths that do not fit.

        Memory is at stake: nobody else has looked at what a compiled program brings, or at what a
        `PackedSequence` says of itself.
        """
        if self.x.numel() == 0:
            return
        steps, rows = self.spec.steps_and_rows(self.x, self.rows)
        expected = [(self.spec.directions, rows, size) for size in self.spec.state_sizes]
        if self.state and [part.shape for part in self.state] != expected:
            raise RuntimeError(
                f"{self.spec.mode}: states must have the shapes {expected}, got "
                f"{[tuple(part.shape) for part in self.state]}"
            )
        if self.rows is None:
            return
        if self.spec.layout == "packed":
            _check_packed(self.x, self.rows)
        else:
            check_lengths(self.rows, steps, self.x.size(1 if self.spec.layout == "TBI" else 0))


def _spec(
    mode: str,
    layout: str,
    bidirectional: bool,
    checkpoint_every: int,
    text: str,
    rates: tuple[float, ...],
    _: int,
    shapes: tuple[torch.Size, ...],
) -> LayerSpec:
    options = Options.parse(text, rates)
    return LayerSpec.of(mode, layout, bidirectional, shapes, checkpoint_every, options)


@functools.lru_cache(256)
def _checked_spec(*described: Any) -> LayerSpec:
    spec = _spec(*described)
    spec.check(*described[-2:])
    return spec


def check_lengths(lengths: Lengths, steps: int, rows: int) -> None:
    """Raise ValueError unless these are the lengths of so many rows of so many steps."""
    if len(lengths.sorted) != rows:
        raise ValueError(f"lengths must be {rows} numbers, got {len(lengths.sorted)}")
    longest, shortest = int(lengths.sorted[0]), int(lengths.sorted[-1])
    if shortest < 0 or longest > steps:
        raise ValueError(
            f"lengths must lie between 0 and the {steps} steps of the input; got "
            f"{shortest} to {longest}"
        )


def _check_packed(x: Tensor, lengths: Lengths) -> None:
    assert lengths.steps is not None
    steps, rows = len(lengths.steps), len(lengths.sorted)
    if rows and steps == int(lengths.sorted[0]) and int(lengths.sorted[-1]) > 0:
        ended = torch.bincount(lengths.sorted, minlength=steps + 1).cumsum(0)
        batch_sizes = rows - ended[:steps]
        before = batch_sizes.cumsum(0) - batch_sizes
        if torch.equal(before, lengths.steps) and int(lengths.sorted.sum()) == x.size(0):
            return
    raise RuntimeError(
        "PackedSequence: batch_sizes must be positive, must not grow, and must add up to the "
        f"{x.size(0)} rows of data"
    )
