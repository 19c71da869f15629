"""Gates and states of a recurrent layer at every step, computed by the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from carousel.cells.spec import CellSpec
from carousel.cells.states import states_of
from carousel.cells.table import spec_of
from carousel.kernels import StackSpec, cells_path
from carousel.layers.base import Recurrent


@dataclass(frozen=True)
class Trace:
    """One layer in one direction over a batch.

    spec: of its cell. layer: from 0 on. reverse: reads from the end; all tensors stand at the time
    of their input none the less. x: what it reads (T, B, I). parts: its gates and candidate, then
    its states, as `spec.parts` names them, (T, B, H) each and zero past a row's end; what it gives
    out, "h" (T, B, P), comes last. With zoneout the states are those after it. lengths (B,), or
    None where every row has T steps.
    """

    spec: CellSpec
    layer: int
    reverse: bool
    x: Tensor
    parts: dict[str, Tensor]
    lengths: Tensor | None = None

    def __str__(self) -> str:
        return f"layer {self.layer}{', backward' if self.reverse else ''}"

    @property
    def cell(self) -> str:
        """The cell in capitals, such as "GRU" or "MINGRU"."""
        return self.spec.name.upper()

    @property
    def output(self) -> Tensor:
        """The state that the layer gives out (T, B, P)."""
        return self.parts[self.spec.states[0]]

    @property
    def memory(self) -> Tensor:
        """The state that lasts (T, B, H): that beside the output, where there is one."""
        return self.parts[self.spec.states[:2][-1]]

    @property
    def inside(self) -> Tensor:
        """Mask (T, B), bool, of the steps that are real."""
        steps, rows = self.x.shape[:2]
        if self.lengths is None:
            return torch.ones(steps, rows, dtype=torch.bool, device=self.x.device)
        return torch.arange(steps, device=self.x.device)[:, None] < self.lengths.to(self.x.device)

    @property
    def gates(self) -> dict[str, Tensor]:
        """The parts that lie between 0 and 1."""
        return {name: self.parts[name] for name in self.spec.of_kind("gate")}

    @property
    def kept(self) -> Tensor | None:
        """The share of the memory that each step keeps (T, B, H), zero past a row's end; None for
        cells without a gate for that (RNN, IndRNN)."""
        return self._share(self.spec.keeps)

    @property
    def let_in(self) -> Tensor | None:
        """The share of what is new that each step lets into memory, as `kept`."""
        return self._share(self.spec.admits)

    def _share(self, gate: str) -> Tensor | None:
        share: Tensor | None = self.spec.share(gate, self.parts)
        return None if share is None else self.inside[..., None] * share

    @property
    def half_life(self) -> Tensor | None:
        """Steps after which half of a unit's memory is left (H,): ln 2 / -mean(ln kept).

        The mean is over all steps of all rows: a gate that closes once forgets what came before,
        however open it was. Infinite for a gate that never closes; None where `kept` is.
        """
        if self.kept is None:
            return None
        logs = self.kept.detach().double()[self.inside].clamp(min=1e-300).log()
        return torch.log(torch.tensor(2.0, dtype=torch.float64)) / logs.mean(0).abs()


def recurrent_layers(model: nn.Module) -> Iterator[tuple[str, Recurrent | nn.RNNBase]]:
    """The recurrent layers in a model with their names, Carousel's and torch's.

    >>> [name for name, _ in recurrent_layers(nn.ModuleDict({"reader": nn.GRU(2, 3)}))]
    ['reader']
    """
    for name, module in model.named_modules():
        if isinstance(module, Recurrent | nn.RNNBase):
            yield name, module


def trace(
    layer: Recurrent | nn.RNNBase,
    x: Tensor | PackedSequence,
    hx: Any = None,
    lengths: Tensor | None = None,
) -> list[Trace]:
    """Every gate and state of a layer while it reads x: for each level, its directions.

    Args:
        layer: any recurrent layer of Carousel, or one of torch's.
        x, hx, lengths: as the layer takes them.

    It is computed as in evaluation, without dropout and with the expectation of zoneout, step by
    step in Python (`carousel.cells`); the layer, its mode and its random state stay as they are.
    The tensors carry gradients where they are enabled, so that dL/dh_t can be asked for.

    >>> layer = nn.LSTM(3, 5, bidirectional=True)
    >>> first, back = trace(layer, torch.randn(7, 2, 3))
    >>> str(back), list(first.parts), tuple(first.parts["f"].shape)
    ('layer 0, backward', ['i', 'f', 'g', 'o', 'c', 'h'], (7, 2, 5))
    >>> y, _ = layer(first.x)
    >>> torch.testing.assert_close(y, output_of([first, back], layer))
    """
    if isinstance(x, PackedSequence):
        x, lengths = pad_packed_sequence(x, batch_first=layer.batch_first)
    batch_dim = 0 if layer.batch_first else 1
    if x.dim() == 2:
        x = x.unsqueeze(batch_dim)
        hx = None if hx is None else tuple(part.unsqueeze(1) for part in states_of(hx))
    if lengths is not None:
        lengths = torch.as_tensor(lengths)
    stack = _stack(layer)
    record: list[dict[str, Tensor]] = []
    state = _state(layer, stack, x, x.size(batch_dim), hx)
    weights: Any = layer.weights() if isinstance(layer, Recurrent) else layer._flat_weights
    cells_path.run(stack, x, state, weights, False, lengths, record=record)
    return [
        Trace(
            spec_of(stack.mode),
            index // stack.directions,
            index % stack.directions == 1,
            parts.pop("x"),
            parts,
            lengths,
        )
        for index, parts in enumerate(record)
    ]


def output_of(traces: list[Trace], layer: Recurrent | nn.RNNBase) -> Tensor:
    """The output that the layer gives, in its own layout (without `lengths` of torch's modules)."""
    top = [found.output for found in traces if found.layer == traces[-1].layer]
    y = torch.cat(top, -1)
    return y.transpose(0, 1) if layer.batch_first else y


def _stack(layer: Recurrent | nn.RNNBase) -> StackSpec:
    if isinstance(layer, Recurrent):
        training = layer.training
        layer.training = False  # options are those of a call in the layer's mode
        try:
            return layer.stack()
        finally:
            layer.training = training
    return StackSpec(
        layer.mode,
        layer.num_layers,
        layer.bias,
        layer.batch_first,
        0.0,
        layer.bidirectional,
        layer.proj_size,
    )


def _state(
    layer: Recurrent | nn.RNNBase, stack: StackSpec, x: Tensor, rows: int, hx: Any
) -> tuple[Tensor, ...]:
    if hx is not None:
        return states_of(hx)
    outputs = layer.proj_size or layer.hidden_size
    memory = getattr(layer, "order", 0)
    sizes = spec_of(stack.mode).state_sizes(layer.hidden_size, outputs, memory)
    depth = stack.num_layers * stack.directions
    return tuple(x.new_zeros(depth, rows, size) for size in sizes)
