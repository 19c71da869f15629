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

from carousel import cells
from carousel.cells import masks
from carousel.kernels import parallel, recording
from carousel.kernels.noise import draw_seeds, drop_features
from carousel.kernels.paths import StackSpec, State

Step = Callable[..., State]


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
    its input "x" (T, B, I), its gates and candidate as the cell names them, then its states "c"
    and "h", each (T, B, ·), time first whatever the stack's layout; zeros past a row's end.
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
            y, final = cells.scan(bound, x, start, lengths, reverse=direction == 1, timed=True)
            if record is not None and steps is not None:
                record.append({"x": x, **_side_by_side(steps, lengths)})
            outputs.append(y)
            last.append(final)
        x = torch.cat(outputs, dim=-1)
    x = drop_features(x, options.output_dropout, "TBI", None)
    y = x.transpose(0, 1) if stack.batch_first else x
    return y, tuple(torch.stack(parts) for parts in zip(*last, strict=True))


def _bind(stack: StackSpec, matrices: list[Tensor]) -> Step:
    """The step function of a layer's cell, with its weights and its activations."""
    if stack.mode in parallel.GATES:
        return _bind_parallel(stack, matrices)
    weight_ih, weight_hh, *rest = matrices
    options = stack.options
    named: dict[str, Any] = {"bias_ih": rest.pop(0), "bias_hh": rest.pop(0)} if stack.bias else {}
    if stack.proj_size:
        named["weight_hr"] = rest.pop(0)
    if options.peephole:
        named["weight_c"] = rest.pop(0)
    if options.layer_norm:
        gains = {
            "LSTM": ("weight_ln_ih", "weight_ln_hh", "weight_ln_c", "bias_ln_c"),
            "GRU": ("weight_ln_ih", "weight_ln_hh"),
        }
        named |= {name: rest.pop(0) for name in gains.get(stack.mode, ("weight_ln",))}
    if stack.mode.startswith("RNN"):
        own = "relu" if stack.mode == "RNN_RELU" else "tanh"
        named["nonlinearity"] = options.activation or own
        step: Step = cells.rnn_step
    else:
        named["activation"] = options.activation or "tanh"
        named["gate_activation"] = options.gate_activation or "sigmoid"
        step = cells.gru_step
    if stack.mode == "GRU":
        named["reset_after"] = not options.reset_first
    if stack.mode == "LSTM":
        named |= {"coupled": options.coupled, "variant": options.variant}
        step = cells.lstm_step
    return lambda x, state, **masks: step(x, state, weight_ih, weight_hh, **named, **masks)


def _bind_parallel(stack: StackSpec, matrices: list[Tensor]) -> Step:
    cell, _, nonlinearity = stack.mode.partition("_")
    arguments = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih"}
    known = [arguments[name] for name in parallel.names(stack.mode, stack.bias)]
    named: dict[str, Any] = dict(zip(known, matrices, strict=True))
    named["nonlinearity"] = nonlinearity.lower() or "g"
    steps: dict[str, Step] = {
        "MINGRU": cells.min_gru_step,
        "MINLSTM": cells.min_lstm_step,
        "INDRNN": cells.ind_rnn_step,
    }
    return lambda x, state, **masks: steps[cell](x, state, **named, **masks)


def _regularised(
    step: Step, stack: StackSpec, seed: Tensor | None, steps: list[dict[str, Tensor]] | None = None
) -> Callable[[Tensor, State, int], State]:
    """A step that knows its time, with the random masks and the zoneout of the options.

    steps: gets what is inside the cell, by time.
    """
    options = stack.options

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
        rates = {"state": options.zoneout_state, "cell": options.zoneout_cell}
        new = tuple(
            _zoned(before, after, p, kind, seed if options.draws else None, t)
            for before, after, (kind, p) in zip(state, new, rates.items(), strict=False)
        )
        if steps is not None:
            steps[t] = inside | dict(zip("hc", new, strict=False))
        return new

    return regularised


def _side_by_side(steps: list[dict[str, Tensor]], lengths: Tensor | None) -> dict[str, Tensor]:
    """The parts of all steps, (T, B, ·) each; the state that a layer gives out comes last."""
    names = [name for name in steps[0] if name != "h"]
    parts = {name: torch.stack([step[name] for step in steps]) for name in (*names, "h")}
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
