"""A stack of one direction in the compiled kernels, fed one step at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from carousel import _native
from carousel.cells.states import hx_of
from carousel.kernels import arrays
from carousel.kernels.layer_spec import LayerSpec
from carousel.kernels.native import problem_of
from carousel.kernels.watch import Watch


class Stepper:
    """A stack of one direction, fed one step at a time, its weights packed once.

    watch: the weights, and whether they are still what was packed.
    state: as `CellSpec.states`, each (L, B, ·): where the stack stands; copied, then changed in
        place.
    """

    def __init__(self, layers: list[LayerSpec], watch: Watch, state: tuple[Tensor, ...]) -> None:
        self._state = tuple(part.clone(memory_format=torch.contiguous_format) for part in state)
        self._watch, weights = watch, watch.weights
        self._x_shape = (state[0].size(1), weights[0].size(1))
        self._y_shape = (state[0].size(1), layers[-1].outputs)
        self._fresh: list[Tensor] = []
        per_layer = len(weights) // len(layers)
        problems = []
        for index, layer in enumerate(layers):
            matrices = [w.contiguous() for w in weights[index * per_layer :][:per_layer]]
            inputs = matrices[0].size(1)
            problem = problem_of(layer, 0, 1, state[0].size(1), inputs, matrices, 0)
            for name, part in zip(layer.states, self._state, strict=True):
                arrays.FIRST_STATE[name](problem, part[index].data_ptr())
                arrays.LAST_STATE[name](problem, part[index].data_ptr())
            problems.append(problem)
        stepper = _native.Stepper(problems, torch.get_num_threads(), self._state)
        self._advance = stepper.step
        self._feed = self._make_feed(stepper)

    def _make_feed(self, stepper: _native.Stepper) -> Callable[[Tensor, Tensor | None], Any]:
        """Function that takes a step with tensors if they fit; it takes none where torch is older
        than 2.10, or the weights must be compared."""
        exchange, watch = getattr(Tensor, "__dlpack_c_exchange_api__", None), self._watch
        if exchange is None or not watch.by_address:
            return lambda x_t, out: None
        return _native.Feed(
            stepper,
            Tensor,
            exchange,
            _native.Watched(tuple(watch.weights)),
            watch.parameters,
            tuple(watch.names),
            tuple(watch.quiet),
            self._x_shape,
            self._y_shape,
            functools.partial(outputs_of, *self._y_shape),
        ).step

    @property
    def feed(self) -> Callable[[Tensor, Tensor | None], Any]:
        """Function of x_t (B, I) and memory for the output or None: takes the step, and gives the
        output; None, and nothing done, of what does not fit at first sight."""
        return self._feed

    @property
    def state(self) -> Any:
        """A copy of the state, as a layer's hx."""
        return hx_of(tuple(part.clone() for part in self._state))

    def step_other(self, x_t: Tensor, out: Tensor | None = None) -> Tensor | None:
        """A step of what `feed` has refused: the output of x_t (B, I), written into `out` (B, P),
        contiguous, if given.

        None, and nothing done, if x_t does not fit, or the weights are no longer as packed.
        """
        if (
            x_t.shape != self._x_shape
            or x_t.dtype is not torch.float32
            or not x_t.is_cpu
            or not self._unchanged()
        ):
            return None
        if out is None:
            self._fresh = self._fresh or outputs_of(*self._y_shape)
            out = self._fresh.pop()
        fits = out.shape == self._y_shape and out.dtype is torch.float32 and out.is_cpu
        if not (fits and out.is_contiguous()):
            raise ValueError(
                f"out must be a contiguous float32 tensor of shape {self._y_shape}, got "
                f"{out.dtype} of shape {tuple(out.shape)}"
            )
        x_t = x_t.contiguous()
        self._advance(x_t.data_ptr(), out.data_ptr())
        return out

    def _unchanged(self) -> bool:
        """True if the weights are as they were packed."""
        return self._watch.unchanged()


def outputs_of(rows: int, features: int) -> list[Tensor]:
    """Memory for the next outputs. To take a small tensor alone from torch costs as much as a
    step; those of one block share nothing but the memory's owner."""
    count = max(1, min(64, (1 << 14) // max(1, rows * features)))
    # Whatever torch's defaults are, and whichever mode the steps to come are made in.
    with torch.inference_mode(False), torch.no_grad():
        block = torch.empty(count * rows, features, dtype=torch.float32, device="cpu")
        return list(torch.unsafe_chunk(block, count)) if count > 1 else [block]
