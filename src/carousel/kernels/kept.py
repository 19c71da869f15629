"""Packed weights of a layer, kept from call to call as long as nobody changes them.

A short call takes less time than to bring its weights into the order in which the kernels read
them. So calls that save nothing for a backward pass keep them so. Whether they are still the
layer's is asked in every call (`carousel.kernels.watch`): the bits are those of packing anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from carousel import _native
from carousel.kernels.layer_call import check_lengths
from carousel.kernels.layer_spec import LayerSpec, Lengths
from carousel.kernels.native import empty, problem_of, rows_contiguous, rows_of
from carousel.kernels.paths import StackSpec
from carousel.kernels.products import product_of
from carousel.kernels.watch import address_of, moving_copies

# Calls that must have been served for keeping to have paid; and the most that are let pass
# before it is tried again where it did not.
_PAID, _LONGEST_PAUSE = 8, 64


class Kept:
    """Packed weights of one stack, while they are those of its module.

    stack: what the calls are described by. weights: of all its layers, float32 on the CPU.
    copies: as `watch.moving_copies` made them, before.
    """

    def __init__(
        self,
        stack: StackSpec,
        weights: list[Tensor],
        copies: list[Tensor],
    ) -> None:
        self.stack, self._copies, self._matrices = stack, copies, [w.contiguous() for w in weights]
        self._watched = _native.Watched(tuple(weights))
        asked = stack.options.precision
        self.product = product_of(asked) if asked else None
        per_layer = len(weights) // stack.num_layers
        self._specs: list[LayerSpec] = []
        problems = []
        for index in range(stack.num_layers):
            matrices = self._matrices[index * per_layer : (index + 1) * per_layer]
            spec = stack.layer("TBI", matrices[0].size(1), matrices)
            self._specs.append(spec)
            for d in range(spec.directions):
                problems.append(problem_of(spec, d, 1, 1, matrices[0].size(1), matrices, 0))
        self.packed = _native.Packed(problems, stack.directions, torch.get_num_threads())
        # The compiled module's way from a layer's arguments to its answer, or to None: (its class,
        # its attributes, x, hx, threads). To be asked of layers of the class `kind` alone.
        self.kind: type | None = None
        self.direct: Callable[[type, dict[str, Any], Any, Any, int], Any] | None = None
        self._inputs, spec = weights[0].size(1), self._specs[-1]
        self._features = spec.directions * spec.outputs
        self._depth, self._sizes = stack.num_layers * spec.directions, spec.state_sizes

    def answer_directly(
        self,
        kind: type,
        own: dict[str, Any],
        inherited: dict[str, Any],
        absent: tuple[str, ...],
        names: tuple[str, ...],
    ) -> None:
        """Let `direct` compute the calls of a layer that was described so, without a closer look.

        kind: its class. own, inherited: attributes of its own and of its class. absent: what must
        not be among its own. names: of its weights, among its parameters.
        """
        features = [self._inputs, self._features, *self._sizes]
        types, first = (Tensor, torch.nn.Parameter), self.stack.batch_first
        self.kind = kind
        self.direct = _native.PlainCall(
            self.packed,
            self._watched,
            own,
            inherited,
            absent,
            names,
            types,
            features,
            self._depth,
            first,
        ).answer

    def serves(self, stack: StackSpec, weights: list[Tensor]) -> bool:
        """True if a call so described, with these weights, finds them packed."""
        return (
            (self.stack is stack or self.stack == stack)
            and self._watched.unchanged(weights)
            and self.multiplies_so()
        )

    def multiplies_so(self) -> bool:
        """True if products still multiply in the way for which the weights were packed."""
        return self.product is None or self.product == product_of(self.stack.options.precision)

    def forward(
        self, layout: str, x: Tensor, rows: Lengths | None, state: Sequence[Tensor]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The output of the whole stack and its final states, as `native_path.run`."""
        spec = self._specs[0]
        x = rows_contiguous(x)
        if x.size(-1) != self._inputs:
            raise RuntimeError(
                f"{spec.mode}: the weights are for {self._inputs} features, got {x.size(-1)}"
            )
        first, second = x.shape[0], x.shape[1]
        steps, batch = (first, second) if layout == "TBI" else (second, first)
        y = empty(x, first, second, self._features)
        final = tuple([x.new_empty(self._depth, batch, size) for size in self._sizes])
        state = [part.contiguous() for part in state]
        if rows is not None:
            check_lengths(rows, steps, batch)
        self.packed.forward(
            steps,
            batch,
            first * second,
            True,
            rows_of(layout, x, None, 0),
            rows_of(layout, y, None, 0)[:3],
            (rows.order.data_ptr(), rows.sorted.data_ptr()) if rows is not None else (0, 0),
            [address_of(part) for part in state],
            [part.data_ptr() for part in final],
            torch.get_num_threads(),
        )
        return y, final


class Keeper:
    """Choice, call by call, of whether the packed weights of a layer are kept.

    Packing pays for a second call with the same weights. Where weights change between any two
    calls, to keep them costs a copy of them at every change: so a call whose weights are those of
    the call before keeps them, and the more calls are let pass the more often that was in vain.
    """

    def __init__(self) -> None:
        self.kept: Kept | None = None
        self.obstacle = ""  # why they are not kept, in words
        self._seen: Any = None
        self._wait = self._pause = 0

    def find(self, stack: StackSpec, weights: list[Tensor]) -> Kept | None:
        """The packed weights for a call that saves nothing; None if it must pack them.

        weights: float32 on the CPU, what `Watched` may stand for.
        """
        kept = self.kept
        if kept is not None:
            if kept.serves(stack, weights):
                return kept
            self._lose(kept)
        if self._wait > 0:
            self._wait -= 1
            return None
        self.obstacle = ""
        if any(weight.is_inference() for weight in weights):
            self._refuse("they were made in inference mode")
            return None
        seen = (stack, [(address_of(weight), weight._version) for weight in weights])
        if seen != self._seen:
            self._seen = seen
            return None
        copies = moving_copies(weights)
        if copies is None:
            self._refuse(
                "others refer to their memory too (a NumPy view, a state_dict, shared or mapped "
                "memory), or torch is too old to say"
            )
            return None
        self._seen = None
        kept = Kept(stack, weights, copies)
        if [address_of(weight) for weight in weights] == [address_of(copy) for copy in copies]:
            self.kept = kept  # nobody has written in between
        return kept

    def drop(self) -> None:
        """Let go of them: the weights are about to change."""
        if self.kept is not None:
            self.kept = None

    def _lose(self, kept: Kept) -> None:
        self.kept = self._seen = None
        self._back_off(paid=kept.packed.calls >= _PAID)

    def _refuse(self, obstacle: str) -> None:
        self.obstacle, self._seen = obstacle, None
        self._back_off(paid=False)

    def _back_off(self, *, paid: bool) -> None:
        self._pause = 0 if paid else min(2 * self._pause + 1, _LONGEST_PAUSE)
        self._wait = self._pause

    @property
    def words(self) -> str:
        """Sentence about what is kept, for a person; empty before anything was kept or refused."""
        if self.kept is not None:
            size = self.kept.packed.bytes
            return f"weights kept packed in {size / 1e6:.3g} MB until somebody changes them"
        return f"weights packed in every call: {self.obstacle}" if self.obstacle else ""
