"""Comparisons for options of cells and small layers: the plain cell, the cell as a torch loop."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from carousel import cells, layers
from carousel.bench.cases import Case, Problem
from carousel.bench.peers.base import Contestant
from carousel.bench.peers.torch_layers import POOL, build, layer_contestant
from carousel.bench.results import LOOP, PLAIN_CELL
from carousel.cells import masks


class PlainCell:
    """Carousel's layer of the same cell without options: it computes something else."""

    name = PLAIN_CELL
    pool = POOL
    baseline = True

    def missing(self) -> str:
        return ""

    def why_not(self, case: Case) -> str:
        return "" if case.option else "only next to options"

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        torch.set_num_threads(threads)
        case = problem.case
        layer = getattr(layers, case.cell)(case.inputs, case.hidden)
        return layer_contestant(layer, lambda x: layer(x)[0], problem)

    def close(self) -> None:
        pass


_COMPILED = (4, 24)  # rows and units, in the suite "small"


class CompiledLoop:
    """The equations of `carousel.cells`, a step under `torch.compile`, in a loop over time.

    What one would write without Carousel: masks come from `torch.rand`. Compiling the step, not
    the loop, because unrolled over a hundred steps it compiles for minutes.
    """

    name = LOOP
    pool = POOL
    baseline = True

    def __init__(self, backend: str = "inductor") -> None:
        self._backend = backend

    def missing(self) -> str:
        found = shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")
        return "" if found else "not installed: a C++ compiler"

    def why_not(self, case: Case) -> str:
        if case.suite == "small":  # a quarter of a minute each: one size of each T
            is_one = (case.batch, case.hidden) == _COMPILED
            return "" if is_one else "compiles for too long to take part in each row"
        return "" if case.option else "only next to options"

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        import torch._dynamo

        torch.set_num_threads(threads)
        torch._dynamo.reset()
        layer = build(getattr(layers, problem.case.cell), problem)
        return layer_contestant(layer, _loop(layer, self._backend), problem)

    def close(self) -> None:
        pass


def _loop(layer: Any, backend: str) -> Callable[[Tensor], Tensor]:
    options = layer.options()
    step = torch.compile(_step(layer), dynamic=False, backend=backend)
    inputs, _, outputs = layer.variational
    names = [name.removesuffix("_l0") for name in layer.weight_names()]

    def forward(x: Tensor) -> Tensor:
        weights = dict(zip(names, layer.weights(), strict=True))
        if layer.weight_dropout:
            weights["weight_hh"] = F.dropout(weights["weight_hh"], layer.weight_dropout)
        x = x * _kept(inputs, x[:1]) if inputs else x
        zeros = x.new_zeros(x.size(1), layer.hidden_size)
        mask = None
        if options.state_dropout and not options.each_step:
            mask = _kept(options.state_dropout, zeros)
        start = (zeros,) * len(layer.cell_spec.states)
        y, _ = cells.scan(lambda x, state: step(x, state, mask, weights), x, start)
        return y * _kept(outputs, y[:1]) if outputs else y

    return forward


def _step(layer: Any) -> Callable[..., tuple[Tensor, ...]]:
    options = layer.options()
    kind, settings = layer.cell_spec.step, options.settings(layer.mode)

    def step(
        x: Tensor, state: tuple[Tensor, ...], mask: Tensor | None, weights: dict[str, Tensor]
    ) -> tuple[Tensor, ...]:
        given: dict[str, Any] = {**settings, **weights}
        if mask is not None:
            given["product_mask"] = mask
        elif options.each_step:
            given["product_mask"] = _kept(options.state_dropout, state[0])
        if options.recurrent_dropout:
            given["candidate_mask"] = _kept(options.recurrent_dropout, state[0])
        new = kind(x, state, **given)
        rates = (options.zoneout_state, options.zoneout_cell)
        return tuple(
            masks.zoneout(before, after, p, torch.rand_like(after) < p) if p else after
            for before, after, p in zip(state, new, rates, strict=False)
        )

    return step


def _kept(p: float, like: Tensor) -> Tensor:
    return (torch.rand_like(like) >= p).to(like.dtype) / (1 - p)
