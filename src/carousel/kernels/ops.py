"""One place runs a recurrent stack, on the path that `carousel.kernels.paths` chooses.

There is no fallback by exception: a path that was chosen either computes the result or raises.

Letters: T steps, B rows, I inputs, H hidden units, P outputs (P = H without a projection),
L layers, D directions (1 or 2).
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from carousel.kernels import cells_path, native_path, onnx_path, torch_path
from carousel.kernels.paths import Path, StackSpec, State, choose, log_once


class Runner(Protocol):
    """Function that computes a whole stack over a padded batch, on one path.

    Shapes: x (T, B, I), or (B, T, I) if batch_first; state: (h, c) for the LSTM, else (h,), each
    (L * D, B, ·); weights: torch's flat list, per layer and direction W_ih, W_hh, b_ih, b_hh,
    W_hr, those that exist; lengths (B,), any integer type and device, or None.
    Returns the output, shaped like x with D * P features, and the final state.
    """

    def __call__(
        self,
        stack: StackSpec,
        x: Tensor,
        state: State,
        weights: list[Tensor],
        training: bool,
        lengths: Tensor | None,
        /,
    ) -> tuple[Tensor, State]: ...


def runner(
    stack: StackSpec, x: Tensor, state: State, weights: list[Tensor], lengths: Tensor | None
) -> Runner:
    """Function that runs a call. The layer itself calls it: short calls feel every frame."""
    path = choose(stack, x, (*weights, *state), ragged=lengths is not None)
    log_once(stack, path)
    if path.name == "native":
        return native_path.run
    if path.name == "cells":
        return cells_path.run
    if path.name == "onnx":
        return onnx_path.run
    return torch_path.run


def run_packed(
    stack: StackSpec, packed: PackedSequence, state: State, weights: list[Tensor], *, training: bool
) -> tuple[PackedSequence, State]:
    """The whole stack over a `PackedSequence`; the state's rows stand in the caller's order."""
    path = choose(stack, packed.data, (*weights, *state), ragged=True)
    if path.name == "onnx":
        path = Path("torch", "ONNX has no PackedSequence")
    log_once(stack, path)
    runners = {
        "native": native_path.run_packed,
        "torch": torch_path.run_packed,
        "cells": cells_path.run_packed,
    }
    return runners[path.name](stack, packed, state, weights, training)
