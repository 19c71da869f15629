"""A recurrent stack by the oracle: the cells' equations, step by step in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
)

from carousel.cells import masks, over_time
from carousel.cells.table import JOINED, SPECS
from carousel.kernels import recording
from carousel.kernels.noise import draw_seeds, drop_features
from carousel.kernels.paths import StackSpec, State

Step = Callable[..., State]

_STEPS: dict[str, Step] = {spec.name: spec.step for spec in (*SPECS, *JOINED)}
_NEVER = (0.0, "")  # zoneout of a state without a rate of its own


def run(
    stack: StackSpec,
    x: Tensor,
    state: State,
    weights: list[Tensor],
    training: bool,
    lengths: Tensor | None,
    seeds: Tensor | None = None,
    record: list[dict[str, Tensor]] | None = None,
) -> tuple[Tensor, State]:
    """The stack over a padded batch. seeds: (L, D) of the masks; drawn if not given.

    record: gets, for each layer and in it each direction, what is inside the cell at every step:
    its input "x" (T, B, I), its gates and candidate as the cell names them, then its states,
    the output last, each (T, B, ·), time first whatever the stack's layout; zeros past a row's end.
    """
    if stack.batch_first:
        x = x.transpose(0, 1)
    if len(x) == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    if recording.is_tracing():  # a graph is for so many steps, and refuses others
        x = x.reshape(int(x.size(0)), x.size(1), x.size(2))
    if lengths is not None:
        lengths = lengths.to(x.device)
        # What stands in the padding must not matter, be it NaN: 0 * NaN in a gradient is NaN.
        past = torch.arange(len(x), device=x.device)[:, None] >= lengths
        x = x.masked_fill(past[..., None], 0)
    options = stack.options
    if seeds is None:
        seeds = draw_seeds(stack, x.device)
    per_direction = len(weights) // (stack.num_layers * stack.directions)
    last: list[State] = []
    for layer in range(stack.num_layers):
        if layer > 0 and stack.dropout:
            x = F.dropout(x, stack.dropout, training)
        x = drop_features(x, options.input_dropout, "TBI", None)
        outputs = []
        for direction in range(stack.directions):
            index = layer * stack.directions + direction
            matrices = weights[index * per_direction : (index + 1) * per_direction]
            seed = None if seeds is None else seeds[layer, direction]
            steps: list[dict[str, Tensor]] | None = None if record is None else [{}] * len(x)
            bound = _regularised(_bind(stack, matrices), stack, seed, steps)
            start = tuple(part[index] for part in state)
            y, final = over_time.scan(bound, x, start, lengths, reverse=direction == 1, timed=True)
            if record is not None and steps is not None:
                parts = _side_by_side(steps, stack.cell.states[0], lengths)
                record.append({"x": x, **parts})
            outputs.append(y)
            last.append(final)
        x = torch.cat(outputs, dim=-1)
    x = drop_features(x, options.output_dropout, "TBI", None)
    y = x.transpose(0, 1) if stack.batch_first else x
    return y, tuple(torch.stack(parts) for parts in zip(*last, strict=True))


def _bind(stack: StackSpec, matrices: list[Tensor]) -> Step:
    """The step function of a layer's cell, with its weights and its activations."""
    cell, options = stack.cell, stack.options
    given = {"bias": stack.bias, "proj_size": stack.proj_size}
    weights = cell.weights_with(lambda name: given[name] if name in given else options.value(name))
    named = {weight.name: matrix for weight, matrix in zip(weights, matrices, strict=True)}
    settings = options.settings(stack.mode)
    step = _STEPS[cell.name]
    return lambda x, state, **masks: step(x, state, **named, **settings, **masks)


def _regularised(
    step: Step, stack: StackSpec, seed: Tensor | None, steps: list[dict[str, Tensor]] | None = None
) -> Callable[[Tensor, State, int], State]:
    """A step that knows its time, with the random masks and the zoneout of the options.

    steps: gets what is inside the cell, by time.
    """
    options, names = stack.options, stack.cell.states
    rates = {"h": (options.zoneout_state, "state"), "c": (options.zoneout_cell, "cell")}

    def regularised(x: Tensor, state: State, t: int) -> State:
        rows = x.size(0)
        given: dict[str, Any] = {}
        inside: dict[str, Tensor] = {}
        if steps is not None:
            given["parts"] = inside
        if options.state_dropout:
            assert seed is not None
            when = t if options.each_step else masks.EVERY_STEP
            mask = masks.kept(options.state_dropout, "product", seed, when, rows, state[0].size(-1))
            given["product_mask"] = mask.to(state[0].dtype)
        if options.recurrent_dropout:
            assert seed is not None
            mask = masks.kept(
                options.recurrent_dropout, "candidate", seed, t, rows, state[-1].size(-1)
            )
            given["candidate_mask"] = mask.to(state[0].dtype)
        new = step(x, state, **given)
        drawn = seed if options.draws else None
        new = tuple(
            _zoned(before, after, *rates.get(name, _NEVER), drawn, t)
            for name, before, after in zip(names, state, new, strict=True)
        )
        if steps is not None:
            steps[t] = inside | dict(zip(names, new, strict=True))
        return new

    return regularised


def _side_by_side(
    steps: list[dict[str, Tensor]], output: str, lengths: Tensor | None
) -> dict[str, Tensor]:
    """The parts of all steps, (T, B, ·) each; the state that a layer gives out comes last."""
    names = [name for name in steps[0] if name != output]
    parts = {name: torch.stack([step[name] for step in steps]) for name in (*names, output)}
    if lengths is None:
        return parts
    past = torch.arange(len(steps), device=lengths.device)[:, None, None] >= lengths[:, None]
    return {name: part.masked_fill(past, 0) for name, part in parts.items()}


def _zoned(
    before: Tensor, after: Tensor, p: float, kind: str, seed: Tensor | None, t: int
) -> Tensor:
    if not p:
        return after
    keep = None if seed is None else masks.happens(p, kind, seed, t, *after.shape)
    return masks.zoneout(before, after, p, keep)


def run_packed(
    stack: StackSpec,
    packed: PackedSequence,
    state: State,
    weights: list[Tensor],
    training: bool,
    seeds: Tensor | None = None,
) -> tuple[PackedSequence, State]:
    """The stack over a `PackedSequence`; the state's rows stand in the caller's order."""
    # In the order of its own rows, which is that of the masks: as on the native path.
    own = PackedSequence(packed.data, packed.batch_sizes)
    x, lengths = pad_packed_sequence(own, batch_first=stack.batch_first)
    if packed.sorted_indices is not None:
        state = tuple(part.index_select(1, packed.sorted_indices) for part in state)
    y, state = run(stack, x, state, weights, training, lengths.to(x.device), seeds)
    data = pack_padded_sequence(y, lengths, batch_first=stack.batch_first).data
    if packed.unsorted_indices is not None:
        state = tuple(part.index_select(1, packed.unsorted_indices) for part in state)
    return PackedSequence(
        data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
    ), state
