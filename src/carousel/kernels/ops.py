"""One place decides what computes a recurrent stack, by an explicit predicate, and says so.

`choose` names the path and the reason; `run` takes it. There is no fallback by exception: a path
that was chosen either computes the result or raises.

Letters: T steps, B rows, I inputs, H hidden units, P outputs (P = H without a projection),
L layers, D directions (1 or 2).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
)

from carousel import cells

State = tuple[Tensor, ...]

logger = logging.getLogger("carousel")
_wanted: ContextVar[str] = ContextVar("carousel_wanted_path", default="")


@dataclass(frozen=True)
class Stack:
    """What the kernels must know of a recurrent module, besides its weights.

    mode: torch's name, "LSTM", "GRU", "RNN_TANH" or "RNN_RELU".
    dropout: on the output of every layer but the last, in training.
    """

    mode: str
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1


@dataclass(frozen=True)
class Path:
    """What computes a call ("torch" or "cells"), and why in words."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@contextmanager
def use(path: str) -> Iterator[None]:
    """Compute every recurrent layer called inside on `path`: "torch" or "cells" (the oracle).

    >>> with use("cells"):
    ...     print(choose(Stack("GRU", 1, True, False, 0.0, False, 0), torch.zeros(1, 1, 1)))
    cells: asked for by use('cells')
    """
    if path not in ("torch", "cells"):
        raise ValueError(f"path must be 'torch' or 'cells', got {path!r}")
    token = _wanted.set(path)
    try:
        yield
    finally:
        _wanted.reset(token)


def choose(stack: Stack, x: Tensor, *, ragged: bool = False) -> Path:
    """The path a call takes. x: its input; ragged: whether rows differ in length."""
    wanted = _wanted.get()
    if wanted == "cells":
        return Path("cells", "asked for by use('cells')")
    dtype = str(x.dtype).removeprefix("torch.")
    what = f"{dtype} {stack.mode} on {x.device.type}"
    if x.device.type != "cpu":
        how = "cuDNN where torch has it"
    elif stack.mode == "LSTM" and not ragged and not stack.proj_size and _onednn_takes(x.dtype):
        how = "oneDNN"
    else:
        how = "separate operators per step"
    return Path("torch", f"{what}{', ragged' if ragged else ''}, {how}")


def _onednn_takes(dtype: torch.dtype) -> bool:
    usable = torch._C._has_mkldnn and torch.backends.mkldnn.enabled
    return bool(usable) and dtype in (torch.float32, torch.bfloat16)


def run(
    stack: Stack,
    x: Tensor,
    state: State,
    weights: list[Tensor],
    *,
    training: bool,
    lengths: Tensor | None = None,
) -> tuple[Tensor, State]:
    """The whole stack over a padded batch.

    Shapes: x (T, B, I), or (B, T, I) if batch_first; state: (h, c) for the LSTM, else (h,), each
    (L * D, B, ·); weights: torch's flat list, per layer and direction W_ih, W_hh, b_ih, b_hh,
    W_hr, those that exist; lengths (B,), any integer type and device, or None.
    Returns the output, shaped like x with D * P features, and the final state.
    """
    path = choose(stack, x, ragged=lengths is not None)
    _log_once(stack, path)
    if path.name == "cells":
        return _run_cells(stack, x, state, weights, training, lengths)
    if lengths is None or not len(lengths):  # no rows cannot be packed
        return _run_torch(stack, x, state, weights, training)
    return _run_torch_ragged(stack, x, state, weights, training, lengths)


def run_packed(
    stack: Stack, packed: PackedSequence, state: State, weights: list[Tensor], *, training: bool
) -> tuple[PackedSequence, State]:
    """The whole stack over a `PackedSequence`; the state's rows stand in the caller's order."""
    path = choose(stack, packed.data, ragged=True)
    _log_once(stack, path)
    if path.name == "cells":
        x, lengths = pad_packed_sequence(packed, batch_first=stack.batch_first)
        y, state = _run_cells(stack, x, state, weights, training, lengths.to(x.device))
        # pad_packed_sequence gave the caller's order: pack it back the way it came.
        sorted_lengths = lengths
        order = packed.sorted_indices
        if order is not None:
            batch_dim = 0 if stack.batch_first else 1
            y, sorted_lengths = y.index_select(batch_dim, order), lengths[order.cpu()]
        data = pack_padded_sequence(y, sorted_lengths, batch_first=stack.batch_first).data
    else:
        state = _permute(state, packed.sorted_indices)
        function = _torch_function(stack.mode)
        hx = state if stack.mode == "LSTM" else state[0]
        data, *last = function(
            packed.data,
            packed.batch_sizes,
            hx,
            weights,
            stack.bias,
            stack.num_layers,
            stack.dropout,
            training,
            stack.bidirectional,
        )
        state = _permute(tuple(last), packed.unsorted_indices)
    return PackedSequence(
        data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
    ), state


def _permute(state: State, order: Tensor | None) -> State:
    return state if order is None else tuple(part.index_select(1, order) for part in state)


@functools.cache
def _log_once(stack: Stack, path: Path) -> None:
    logger.info("%s runs on %s", stack.mode, path)


# ---- torch's own kernels


def _torch_function(mode: str) -> Callable[..., tuple[Tensor, ...]]:
    functions: dict[str, Callable[..., tuple[Tensor, ...]]] = {
        "LSTM": torch.lstm,
        "GRU": torch.gru,
        "RNN_TANH": torch.rnn_tanh,
        "RNN_RELU": torch.rnn_relu,
    }
    return functions[mode]


def _run_torch(
    stack: Stack, x: Tensor, state: State, weights: list[Tensor], training: bool
) -> tuple[Tensor, State]:
    y, *last = _torch_function(stack.mode)(
        x,
        state if stack.mode == "LSTM" else state[0],
        weights,
        stack.bias,
        stack.num_layers,
        stack.dropout,
        training,
        stack.bidirectional,
        stack.batch_first,
    )
    return y, tuple(last)


def _run_torch_ragged(
    stack: Stack, x: Tensor, state: State, weights: list[Tensor], training: bool, lengths: Tensor
) -> tuple[Tensor, State]:
    """Through a PackedSequence, which has no rows of length zero: those run one step of zeros,
    and their result is replaced by what an empty row gives: no output, the state it came with."""
    batch_dim, time_dim = (0, 1) if stack.batch_first else (1, 0)
    lengths = lengths.to("cpu", torch.int64)
    empty = (lengths == 0).to(x.device)
    any_empty = bool(empty.any())
    if any_empty:
        x = torch.where(empty[:, None, None] if stack.batch_first else empty[:, None], 0, x)
    packed = pack_padded_sequence(
        x, lengths.clamp(min=1), batch_first=stack.batch_first, enforce_sorted=False
    )
    packed_y, last = run_packed(stack, packed, state, weights, training=training)
    y, _ = pad_packed_sequence(
        packed_y, batch_first=stack.batch_first, total_length=x.size(time_dim)
    )
    if any_empty:
        shape = [1, 1, 1]
        shape[batch_dim] = -1
        y = torch.where(empty.view(shape), 0, y)
        last = tuple(
            torch.where(empty[:, None], before.to(after.dtype), after)
            for before, after in zip(state, last, strict=True)
        )
    return y, last


# ---- the oracle


def _cell_step(mode: str) -> Callable[..., State]:
    steps: dict[str, Callable[..., State]] = {
        "LSTM": cells.lstm_step,
        "GRU": cells.gru_step,
        "RNN_TANH": functools.partial(cells.rnn_step, nonlinearity="tanh"),
        "RNN_RELU": functools.partial(cells.rnn_step, nonlinearity="relu"),
    }
    return steps[mode]


def _run_cells(
    stack: Stack,
    x: Tensor,
    state: State,
    weights: list[Tensor],
    training: bool,
    lengths: Tensor | None,
) -> tuple[Tensor, State]:
    if stack.batch_first:
        x = x.transpose(0, 1)
    if lengths is not None:
        lengths = lengths.to(x.device)
        # What stands in the padding must not matter, be it NaN: 0 * NaN in a gradient is NaN.
        past = torch.arange(len(x), device=x.device)[:, None] >= lengths
        x = x.masked_fill(past[..., None], 0)
    step = _cell_step(stack.mode)
    per_direction = 2 + 2 * stack.bias + bool(stack.proj_size)
    last: list[State] = []
    for layer in range(stack.num_layers):
        if layer > 0 and stack.dropout:
            x = F.dropout(x, stack.dropout, training)
        outputs = []
        for direction in range(stack.directions):
            index = layer * stack.directions + direction
            matrices = weights[index * per_direction : (index + 1) * per_direction]
            bound = _bind(step, matrices, stack)
            start = tuple(part[index] for part in state)
            y, final = cells.scan(bound, x, start, lengths, reverse=direction == 1)
            outputs.append(y)
            last.append(final)
        x = torch.cat(outputs, dim=-1)
    y = x.transpose(0, 1) if stack.batch_first else x
    return y, tuple(torch.stack(parts) for parts in zip(*last, strict=True))


def _bind(
    step: Callable[..., State], matrices: list[Tensor], stack: Stack
) -> Callable[[Tensor, State], State]:
    weight_ih, weight_hh, *rest = matrices
    named = {"bias_ih": rest.pop(0), "bias_hh": rest.pop(0)} if stack.bias else {}
    if stack.proj_size:
        named["weight_hr"] = rest.pop(0)
    return lambda x, state: step(x, state, weight_ih, weight_hh, **named)
