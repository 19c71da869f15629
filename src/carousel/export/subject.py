"""`Subject`: a model beside its description, to be run as it is and compared with files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.cells.states import hx_of, states_of
from carousel.export.description import Network

Numbers = NDArray[Any]
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Subject:
    """A model that is exported.

    network: its description. compute: the model itself, from the network's inputs and "lengths",
    where there are any, to its outputs in their order. recurrent: its recurrent layers, in the
    order of `network.recurrent`. model: the module that has them.
    """

    network: Network
    compute: Callable[[Tensors], tuple[Tensor, ...]]
    recurrent: tuple[nn.Module, ...]
    model: nn.Module

    def run(self, given: Mapping[str, Numbers]) -> dict[str, Numbers]:
        """Outputs and states of the model in evaluation mode.

        given: every input by its name; "lengths" (B,) where rows end before the batch does; states
        to begin with as "h_in" and so on, zeros without them. Returns the outputs by their names,
        and the states afterwards as "h_out" and so on.
        """
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in given.items()}
        names = [state.name for state in self.network.states]
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad(), _states(self.recurrent, self._groups(names, tensors)) as final:
                found = self.compute(tensors)
        finally:
            self.model.train(was_training)
        outputs = {o.name: t for o, t in zip(self.network.outputs, found, strict=True)}
        ends = {f"{name}_out": t for name, t in zip(names, final, strict=True)}
        return {name: t.numpy() for name, t in (outputs | ends).items()}

    def _groups(self, names: Sequence[str], given: Tensors) -> list[tuple[Tensor, ...] | None]:
        """Initial states of each recurrent layer, None for zeros."""
        rest, groups = iter(names), []
        for stack in self.network.recurrent:
            own = [f"{next(rest)}_in" for _ in stack.state_names]
            groups.append(tuple(given[name] for name in own) if own[0] in given else None)
        return groups


@contextmanager
def _states(
    layers: Sequence[nn.Module], initial: Sequence[tuple[Tensor, ...] | None]
) -> Iterator[list[Tensor]]:
    """Begin recurrent layers from these states inside the block; collects those they end with."""
    final: list[Tensor] = []

    def begin(state: tuple[Tensor, ...] | None) -> Callable[..., Any]:
        def hook(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
            if state is None:
                return None
            return (given[0],), {**named, "hx": hx_of(state)}

        return hook

    def end(_: nn.Module, given: Any, output: Any) -> None:
        final.extend(states_of(output[1]))

    with ExitStack() as hooks:
        for layer, state in zip(layers, initial, strict=True):
            for handle in (
                layer.register_forward_pre_hook(begin(state), with_kwargs=True),
                layer.register_forward_hook(end),
            ):
                hooks.callback(handle.remove)
        yield final
