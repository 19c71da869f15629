"""Parts of training with a state that a checkpoint holds, each by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from carousel.errors import RunError
from carousel.training.team import Team

V = TypeVar("V")


class Stateful(Protocol):
    """A part of training that a resumed run must find as it was.

    Its state has tensors and what JSON can hold, by name; torch's modules and schedules are such
    parts as they are.
    """

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> object: ...


def gather(parts: Mapping[str, Stateful]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors, named "part/name", and the other facts, by part, of all states."""
    tensors: dict[str, Tensor] = {}
    facts: dict[str, Any] = {}
    for part, stateful in parts.items():
        for name, value in stateful.state_dict().items():
            if isinstance(value, Tensor):
                tensors[f"{part}/{name}"] = value
            else:
                facts.setdefault(part, {})[name] = value
    return tensors, facts


def restore(
    parts: Mapping[str, Stateful], tensors: dict[str, Tensor], facts: dict[str, Any]
) -> None:
    """Give each part the state that `gather` found. Raises `RunError` if one has none there."""
    for part, stateful in parts.items():
        state = {**facts.get(part, {}), **under(tensors, f"{part}/")}
        if not state and stateful.state_dict():
            raise RunError(
                f"the checkpoint has nothing of the part '{part}' of training, as those of other "
                "versions of Carousel may: resume with the version that wrote it, or train anew"
            )
        stateful.load_state_dict(state)


def under(values: Mapping[str, V], prefix: str) -> dict[str, V]:
    """The entries whose name begins with a prefix, by the rest of their name.

    >>> under({"a/b": 1, "a/c/d": 2, "e": 3}, "a/")
    {'b': 1, 'c/d': 2}
    """
    return {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}


class OptimizerState:
    """The state of an optimiser, its tensors named "parameter/entry"."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer

    def state_dict(self) -> dict[str, Any]:
        state = self._optimizer.state_dict()
        groups = [
            {key: value for key, value in group.items() if key != "params"}
            for group in state["param_groups"]
        ]
        return {"groups": groups} | {
            f"{index}/{key}": value
            for index, entries in state["state"].items()
            for key, value in entries.items()
            if isinstance(value, Tensor)
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        entries: dict[int, dict[str, Any]] = {}
        for name, tensor in state.items():
            if name != "groups":
                index, key = name.split("/", 1)
                entries.setdefault(int(index), {})[key] = tensor
        fresh = self._optimizer.state_dict()["param_groups"]
        groups = [{**new, **old} for new, old in zip(fresh, state["groups"], strict=True)]
        self._optimizer.load_state_dict({"state": entries, "param_groups": groups})


class Carried:
    """The tensors that a task carries from one batch to the next; the state is that of all
    processes, in the order of the whole batch.

    idle: this process has no row of the batch, and carries what stands in for one.
    """

    def __init__(self, device: torch.device, team: Team) -> None:
        self.tensors: tuple[Tensor, ...] = ()
        self.idle = False
        self._device, self._team = device, team

    def state_dict(self) -> dict[str, Any]:
        whole = self._team.whole_carry(self.tensors, idle=self.idle)
        return {str(index): tensor for index, tensor in enumerate(whole)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        whole = tuple(state[str(number)] for number in range(len(state)))
        self.tensors = tuple(part.to(self._device) for part in self._team.own_carry(whole))


class RandomState:
    """torch's random state, of the CPU and of the device, in every process: those of process r
    are named "r/cpu" and "r/cuda", the first's without a number.

    A process that had no state, because there were fewer of them, goes on with the one it has.
    """

    def __init__(self, device: torch.device, team: Team) -> None:
        self._device, self._team = device, team

    def state_dict(self) -> dict[str, Any]:
        state = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self._device)
        of_all = enumerate(self._team.gather(state))
        return {f"{r}/{name}" if r else name: one[name] for r, one in of_all for name in one}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        state = under(state, f"{self._team.rank}/") if self._team.rank else state
        if "cpu" not in state:
            return
        torch.set_rng_state(state["cpu"])
        if "cuda" in state and self._device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self._device)
