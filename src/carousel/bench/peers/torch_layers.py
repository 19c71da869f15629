"""Carousel's layers, torch.nn's layers and torch.nn's cells, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from carousel import layers
from carousel.bench.cases import Array, Case, Problem
from carousel.bench.peers.base import Contestant, Local
from carousel.cells.states import hx_of, states_of

POOL = "OpenMP of torch"


class Ours:
    """Carousel's layers; live streams through `carousel.Stream`."""

    name = "carousel"
    pool = POOL
    baseline = False

    def missing(self) -> str:
        return ""

    def why_not(self, case: Case) -> str:
        return ""

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        torch.set_num_threads(threads)
        layer = build(getattr(layers, problem.case.cell), problem)
        if problem.case.mode == "stream":
            return _stream(layer, problem)
        return layer_contestant(layer, _our_forward(layer, problem), problem)

    def close(self) -> None:
        pass


class TorchLayers:
    """`torch.nn.LSTM`, `GRU` and `RNN`; batches of different lengths as a `PackedSequence`."""

    name = "torch.nn"
    pool = POOL
    baseline = True

    def missing(self) -> str:
        return ""

    def why_not(self, case: Case) -> str:
        return "has no such cell" if case.option else ""

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        torch.set_num_threads(threads)
        layer = build(getattr(nn, problem.case.cell), problem)
        if problem.case.mode == "stream":
            return _step_by_step(layer, problem)
        return layer_contestant(layer, _their_forward(layer, problem), problem)

    def close(self) -> None:
        pass


class TorchCells:
    """`torch.nn.LSTMCell`, `GRUCell` and `RNNCell`: torch's other way to make one step."""

    name = "torch.nn cell"
    pool = POOL
    baseline = True

    def missing(self) -> str:
        return ""

    def why_not(self, case: Case) -> str:
        return "" if case.mode == "stream" and case.layers == 1 else "one step only"

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        torch.set_num_threads(threads)
        case = problem.case
        cell = getattr(nn, f"{case.cell}Cell")(case.inputs, case.hidden)
        cell.load_state_dict({k: torch.from_numpy(v) for k, v in problem.weights[0].items()})
        x = torch.from_numpy(problem.x[0])
        zeros = torch.zeros(case.batch, case.hidden)
        state: Any = hx_of((zeros,) * len(case.spec.states))

        @torch.inference_mode()
        def call() -> Tensor:
            nonlocal state
            state = cell(x, state)
            return states_of(state)[0]

        return Local(call, lambda y: {"y": y[None].numpy()})

    def close(self) -> None:
        pass


def build(kind: Any, problem: Problem) -> Any:
    """A layer with the problem's weights."""
    case = problem.case
    options = case.options | {"num_layers": case.layers, "bidirectional": case.bidirectional}
    layer = kind(case.inputs, case.hidden, **options)
    state: dict[str, Tensor] = {}
    for index, weights in enumerate(problem.weights):
        depth, direction = divmod(index, case.directions)
        suffix = f"_l{depth}" + "_reverse" * direction
        state |= {name + suffix: torch.from_numpy(value) for name, value in weights.items()}
    layer.load_state_dict(state)
    return layer


def path_of(problem: Problem) -> str:
    """Path that computes our layer, in the words of `carousel.explain`."""
    if problem.case.mode == "stream":
        return "carousel.Stream"
    layer = build(getattr(layers, problem.case.cell), problem)
    x = torch.from_numpy(problem.x)
    if problem.case.mode == "training":
        return layers.explain(layer, x, _lengths(problem))
    with torch.inference_mode():
        return layers.explain(layer.eval(), x, _lengths(problem))


def training_parts(
    name: str, problem: Problem
) -> tuple[Callable[[], Tensor], list[Tensor], Tensor]:
    """A forward pass by "carousel" or "torch.nn", what to differentiate by, and the cotangent."""
    ours = name == Ours.name
    layer = build(getattr(layers if ours else nn, problem.case.cell), problem)
    forward = (_our_forward if ours else _their_forward)(layer, problem)
    x = torch.from_numpy(problem.x).requires_grad_()
    return (
        lambda: forward(x),
        [x, *layer.parameters()],
        torch.from_numpy(problem.cotangent),
    )


def _our_forward(layer: Any, problem: Problem) -> Callable[[Tensor], Tensor]:
    lengths = _lengths(problem)
    if lengths is None:
        return lambda x: layer(x)[0]
    return lambda x: layer(x, lengths=lengths)[0]


def _their_forward(layer: Any, problem: Problem) -> Callable[[Tensor], Tensor]:
    lengths = _lengths(problem)
    if lengths is None:
        return lambda x: layer(x)[0]

    def packed(x: Tensor) -> Tensor:
        data = pack_padded_sequence(x, lengths, enforce_sorted=False)
        return pad_packed_sequence(layer(data)[0], total_length=len(x))[0]

    return packed


def _lengths(problem: Problem) -> Tensor | None:
    lengths = problem.case.lengths
    return None if lengths is None else torch.tensor(lengths)


def layer_contestant(
    layer: nn.Module, forward: Callable[[Tensor], Tensor], problem: Problem
) -> Local:
    """The layer in the problem's mode: `forward` of it, and in training the gradients."""
    x = torch.from_numpy(problem.x)
    if problem.case.mode == "inference":
        layer.eval()

        @torch.inference_mode()
        def infer() -> Tensor:
            return forward(x)

        return Local(infer, lambda y: {"y": y.numpy()})

    x.requires_grad_()
    cotangent = torch.from_numpy(problem.cotangent)
    inputs = [x, *layer.parameters()]

    def train() -> tuple[Tensor, Tensor]:
        y = forward(x)
        gradients = torch.autograd.grad(y, inputs, cotangent)
        return y, gradients[0]

    return Local(train, _numpy)


def _numpy(outcome: tuple[Tensor, Tensor]) -> dict[str, Array]:
    y, dx = outcome
    return {"y": y.detach().numpy(), "dx": dx.numpy()}


def _stream(layer: Any, problem: Problem) -> Local:
    stream, x = layers.Stream(layer), torch.from_numpy(problem.x[0])
    out = stream.step(x)
    stream.reset()
    return Local(lambda: stream.step(x, out), lambda y: {"y": y[None].numpy()})


def _step_by_step(layer: Any, problem: Problem) -> Local:
    layer.eval()
    x, state = torch.from_numpy(problem.x), None

    @torch.inference_mode()
    def call() -> Tensor:
        nonlocal state
        y, state = layer(x, state)
        return y  # type: ignore[no-any-return]

    return Local(call, lambda y: {"y": y.numpy()})
