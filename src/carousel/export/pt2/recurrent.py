"""A recurrent stack in torch: its own operator where it has one, else a scan over the equations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from carousel.cells.table import named
from carousel.export.description import Recurrent
from carousel.export.pt2.operators import OPERATORS

States = tuple[Tensor, ...]
Layer = Callable[[Tensor, States], tuple[Tensor, States]]


def is_torchs(stack: Recurrent) -> bool:
    """True if torch's own operator computes this stack."""
    return _operator_of(stack) is not None


def _operator_of(stack: Recurrent) -> object:
    usual = {"gate_activation": "sigmoid", "coupled": False, "variant": "", "reset_after": True}
    options = stack.options
    nonlinearity = str(options.get("activation", options.get("nonlinearity")))
    differs = any(options.get(name, value) != value for name, value in usual.items())
    extra = {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"}
    if differs or any(stack.zoneout) or not set(stack.layers[0][0]) <= extra:
        return None
    return OPERATORS.get((stack.cell, nonlinearity))


class Stack(nn.Module):
    """A stack that computes (B, T, I) to (B, T, D P); states (L D, B, size) in and out."""

    def __init__(self, stack: Recurrent) -> None:
        super().__init__()
        self.stack = stack
        for number, layer in enumerate(stack.layers):
            for side, weights in enumerate(layer):
                for name, weight in weights.items():
                    tensor = torch.from_numpy(weight.copy())
                    self.register_buffer(_buffer(name, number, side), tensor)

    def weights(self, number: int, side: int) -> dict[str, Tensor]:
        """The weights of one direction by their names. Buffers, for a scan takes no constants."""
        names = self.stack.layers[number][side]
        return {name: self.get_buffer(_buffer(name, number, side)) for name in names}

    def forward(
        self, x: Tensor, states: States, lengths: Tensor | None
    ) -> tuple[Tensor, States, Tensor]:
        """Outputs, states at the end, and the last layer's outputs at the end of each row and
        direction, (B, D P). With lengths, states are those behind the padding: they are not the
        rows' own."""
        if lengths is None and is_torchs(self.stack):
            y, final = self._whole(x, states)
        else:
            y, final = self._by_sides(x, states, lengths)
        P, D = self.stack.outputs, self.stack.directions
        ends = [_at_end(y[..., :P], lengths)] + ([y[:, 0, P:]] if D == 2 else [])
        return y, final, torch.cat(ends, -1)

    def _whole(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        stack, sides = self.stack, range(self.stack.directions)
        weights = [
            weight
            for number in range(len(stack.layers))
            for side in sides
            for weight in self.weights(number, side).values()
        ]
        y, *final = _call(stack, x, states, weights, len(stack.layers), stack.directions == 2)
        return y, tuple(final)

    def _by_sides(self, x: Tensor, states: States, lengths: Tensor | None) -> tuple[Tensor, States]:
        finals: list[States] = []
        for number in range(len(self.stack.layers)):
            outputs = []
            for side in range(self.stack.directions):
                index = number * self.stack.directions + side
                start = tuple(state[index : index + 1] for state in states)
                read = turned(x, lengths) if side else x
                y, final = self._one(read, start, self.weights(number, side))
                outputs.append(turned(y, lengths) if side else y)
                finals.append(final)
            x = torch.cat(outputs, -1)
        return x, tuple(torch.cat(parts) for parts in zip(*finals, strict=True))

    def _one(self, x: Tensor, start: States, weights: dict[str, Tensor]) -> tuple[Tensor, States]:
        if is_torchs(self.stack):
            y, *final = _call(self.stack, x, start, list(weights.values()), 1, False)
            return y, tuple(final)
        return _scanned(self.stack, x, start, weights)


def turned(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Steps of each row from its last to its first; the padding stays behind them."""
    if lengths is None:
        return torch.flip(x, (1,))
    place = torch.arange(x.shape[1])
    index = torch.where(place < lengths[:, None], lengths[:, None] - 1 - place, place)
    return torch.gather(x, 1, index[..., None].expand(-1, -1, x.shape[2]))


def _at_end(y: Tensor, lengths: Tensor | None) -> Tensor:
    """Outputs (B, P) of y (B, T, P) at the last step of each row; zeros of a row without any."""
    if lengths is None:
        return y[:, -1]
    index = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, y.shape[2])
    return torch.gather(y, 1, index).squeeze(1) * (lengths > 0)[:, None]


def _buffer(name: str, number: int, side: int) -> str:
    return f"{name}_l{number}{'_reverse' if side else ''}"


def _call(
    stack: Recurrent,
    x: Tensor,
    states: Sequence[Tensor],
    weights: list[Tensor],
    layers: int,
    bidirectional: bool,
) -> tuple[Tensor, ...]:
    """torch's operator: no dropout, not in training, batch first."""
    operator = _operator_of(stack)
    assert callable(operator)
    biases = "bias_ih" in stack.layers[0][0]
    given = list(states) if len(states) > 1 else states[0]
    y: tuple[Tensor, ...] = operator(
        x, given, weights, biases, layers, 0.0, False, bidirectional, True
    )
    return y


def _scanned(
    stack: Recurrent, x: Tensor, start: States, weights: dict[str, Tensor]
) -> tuple[Tensor, States]:
    """The equations over time: torch's scan, of any number of steps."""
    from torch._higher_order_ops.scan import scan

    step = named(stack.cell).step

    def body(carry: list[Tensor], x_t: Tensor) -> tuple[list[Tensor], Tensor]:
        new = step(x_t, tuple(carry), **weights, **stack.options)
        zoned = zip(stack.zoneout, carry, new, strict=True)
        after = [p * before + (1 - p) * now if p else now for p, before, now in zoned]
        return [state.clone() for state in after], after[0].clone()

    final, y = scan(body, [state[0] for state in start], x.transpose(0, 1))
    return y.transpose(0, 1), tuple(state[None] for state in final)
