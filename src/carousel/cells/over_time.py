"""The only Python loop over time. Backpropagation through time is autograd's, over this loop."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

State = tuple[Tensor, ...]
Step = Callable[[Tensor, State], State]
TimedStep = Callable[[Tensor, State, int], State]


def scan(
    step: Step | TimedStep,
    x: Tensor,
    state: State,
    lengths: Tensor | None = None,
    *,
    reverse: bool = False,
    timed: bool = False,
) -> tuple[Tensor, State]:
    """Apply `step` to x_1 … x_T (or x_T … x_1) and collect the first state of each step.

    timed: `step` also takes the time t of its input, counted from 0.

    Shapes: x (T, B, I); each state (B, ·); lengths (B,), integers in [0, T].
    Returns the outputs (T, B, ·) and the final state. Outputs stand at the time of their input,
    also when `reverse`.

    A row takes part in step t only while t < lengths[row]: beyond that its output is zero and its
    state stands still. So the final state is that of the last real step, and a reversed row
    starts at its own last step. Rows need no order, and a length may be zero.

    >>> count = lambda x, state: (state[0] + x,)
    >>> y, (h,) = scan(count, torch.ones(3, 2, 1), (torch.zeros(2, 1),), torch.tensor([3, 1]))
    >>> h.flatten().tolist(), y[:, 1, 0].tolist()
    ([3.0, 1.0], [1.0, 0.0, 0.0])
    """
    outputs: list[Tensor] = [x.new_empty(0)] * len(x)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        new = step(x[t], state, t) if timed else step(x[t], state)  # type: ignore[call-arg]
        if lengths is None:
            state = new
            outputs[t] = state[0]
        else:
            active = (t < lengths)[:, None]
            state = tuple(
                torch.where(active, after, before.to(after.dtype))  # they differ under autocast
                for after, before in zip(new, state, strict=True)
            )
            outputs[t] = torch.where(active, state[0], 0)
    return torch.stack(outputs), state
