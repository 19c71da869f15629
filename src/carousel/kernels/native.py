"""The compiled kernels on tensors: one recurrent layer, all its directions, forward and backward.

Nothing here decides whether the kernels apply (see `carousel.kernels.ops`), and nothing here is
differentiable. Tensors are float32 on the CPU.

Letters: T steps, B rows, I inputs, H hidden units, P outputs (P = H without a projection),
D directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from carousel import _native

_CELLS = {"LSTM": 0, "GRU": 1, "RNN_TANH": 2, "RNN_RELU": 3}


@dataclass(frozen=True)
class Layer:
    """What the kernels must know of one layer besides its tensors.

    mode: torch's name of the cell.
    layout: "TBI" or "BTI" of padded input (T, B, I) or (B, T, I); "packed" for the data (N, I) of
        a `PackedSequence`.
    """

    mode: str
    layout: str
    bidirectional: bool
    bias: bool
    hidden_size: int
    proj_size: int

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def outputs(self) -> int:
        return self.proj_size or self.hidden_size

    @property
    def weights_per_direction(self) -> int:
        return 2 + 2 * self.bias + bool(self.proj_size)


@dataclass(frozen=True)
class Lengths:
    """Sequences of unequal length: rows in falling order of their lengths.

    order, sorted: (B,) int64 on the CPU, rows and their lengths.
    steps: for packed data (T,) int64, at which row of the data each step begins.
    """

    order: Tensor
    sorted: Tensor
    steps: Tensor | None = None


def forward(
    layer: Layer,
    x: Tensor,
    lengths: Lengths | None,
    state: tuple[Tensor, ...],
    weights: list[Tensor],
    save: bool,
) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """Outputs like x with D * P features, final states like `state`, what backward needs.

    state: (h, c) or (h,), each (D, B, ·); weights: torch's flat list, direction by direction.
    """
    y = x.new_empty((*x.shape[:-1], layer.directions * layer.outputs))
    final = tuple(torch.empty_like(part) for part in state)
    saved = x.new_empty(0)
    threads = torch.get_num_threads()
    for d in range(layer.directions):
        problem = _problem(layer, d, x, y, lengths, state, weights)
        problem.hn = final[0][d].data_ptr()
        if len(final) == 2:
            problem.cn = final[1][d].data_ptr()
        if save:
            if d == 0:
                saved = x.new_empty((layer.directions, _native.saved_floats(problem)))
            problem.saved = saved[d].data_ptr()
        _native.forward(problem, threads)
    return y, final, saved


def backward(
    layer: Layer,
    x: Tensor,
    lengths: Lengths | None,
    state: tuple[Tensor, ...],
    weights: list[Tensor],
    y: Tensor,
    saved: Tensor,
    dy: Tensor | None,
    d_final: tuple[Tensor | None, ...],
    want_dx: bool,
) -> tuple[Tensor | None, tuple[Tensor, ...], list[Tensor]]:
    """Gradients of x (if wanted), of the initial states and of the weights."""
    dx = torch.empty_like(x) if want_dx else None
    d_state = tuple(torch.empty_like(part) for part in state)
    d_weights = [torch.empty_like(weight) for weight in weights]
    threads = torch.get_num_threads()
    for d in range(layer.directions):
        problem = _problem(layer, d, x, y, lengths, state, weights)
        problem.saved = saved[d].data_ptr()
        if dy is not None:
            problem.set_dy(*_rows(layer, dy, lengths, d * layer.outputs))
        if dx is not None:
            problem.set_dx(*_rows(layer, dx, lengths, 0))
            problem.add_to_dx = d == 1
        for name, gradient in zip(("dhn", "dcn"), d_final, strict=False):
            if gradient is not None:
                setattr(problem, name, gradient[d].data_ptr())
        for name, gradient in zip(("dh0", "dc0"), d_state, strict=False):
            setattr(problem, name, gradient[d].data_ptr())
        for name, gradient in zip(_names(layer), _of_direction(layer, d_weights, d), strict=True):
            setattr(problem, "d" + name, gradient.data_ptr())
        _native.backward(problem, threads)
    return dx, d_state, d_weights


def _problem(
    layer: Layer,
    direction: int,
    x: Tensor,
    y: Tensor,
    lengths: Lengths | None,
    state: tuple[Tensor, ...],
    weights: list[Tensor],
) -> _native.Problem:
    if layer.layout == "packed":
        assert lengths is not None and lengths.steps is not None
        steps, rows = len(lengths.steps), len(lengths.order)
    else:
        steps, rows = (x.size(0), x.size(1)) if layer.layout == "TBI" else (x.size(1), x.size(0))
    problem = _native.Problem(
        _CELLS[layer.mode],
        steps,
        rows,
        x.size(-1),
        layer.hidden_size,
        layer.outputs,
        direction == 1,
        layer.layout != "packed",
    )
    problem.set_x(*_rows(layer, x, lengths, 0))
    problem.set_y(*_rows(layer, y, lengths, direction * layer.outputs))
    if lengths is not None:
        problem.order = lengths.order.data_ptr()
        problem.lengths = lengths.sorted.data_ptr()
    for name, part in zip(("h0", "c0"), state, strict=False):
        setattr(problem, name, part[direction].data_ptr())
    for name, weight in zip(_names(layer), _of_direction(layer, weights, direction), strict=True):
        setattr(problem, name, weight.data_ptr())
    return problem


def _rows(
    layer: Layer, array: Tensor, lengths: Lengths | None, offset: int
) -> tuple[int, int, int, int]:
    """Where the rows of a (T, B, ·) array stand, from feature `offset` on."""
    address = array.data_ptr() + 4 * offset
    if layer.layout == "packed":
        assert lengths is not None and lengths.steps is not None
        return address, 0, array.stride(0), lengths.steps.data_ptr()
    first, second = array.stride(0), array.stride(1)
    return (address, first, second, 0) if layer.layout == "TBI" else (address, second, first, 0)


def _names(layer: Layer) -> tuple[str, ...]:
    names = ("w_ih", "w_hh", "b_ih", "b_hh") if layer.bias else ("w_ih", "w_hh")
    return (*names, "w_hr") if layer.proj_size else names


def _of_direction(layer: Layer, weights: list[Tensor], direction: int) -> list[Tensor]:
    count = layer.weights_per_direction
    return weights[direction * count : (direction + 1) * count]
