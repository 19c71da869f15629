"""Several processes that train one model: who they are, and what they tell each other.

`torchrun` (or whatever sets its variables: RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE,
MASTER_ADDR, MASTER_PORT) starts the processes; Lightning Fabric joins them, with gloo on CPUs and
NCCL on GPUs. Every process reads the same data, draws the same batches and takes every N-th row of
each: process r of N has the rows r, r + N, r + 2 N, … Batches are sorted by length where lengths
differ, so the shares are of like lengths; all take the same number of steps. With w_r, what the
objective of process r is a mean over,

    loss = Σ_r w_r loss_r / Σ_r w_r,    gradient = Σ_r (w_r / Σ_q w_q) ∂loss_r

are those of the whole batch, and the step is that of one process.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import distributed, nn

from carousel.errors import CarouselError
from carousel.tasks.shared.losses import Batch, Carry, StepLoss
from carousel.tasks.shared.subject import TaskSubject
from carousel.training.meeting import meet

T = TypeVar("T")

#: Longest wait of a process for another: for a validation or the test part, which one measures. A
#: process that ends is noticed at once, a machine that is lost by torchrun.
_PATIENCE = timedelta(days=1)
#: What keeps the random numbers of the processes apart.
_APART = 7_919_000_003
_SIGN = [0.0]  # nobody waits for a message without a number
_CARRY_ROWS = 1  # dimension of the rows in what a task carries: states are (layers, B, H)


class TeamEnded(CarouselError):  # noqa: N818  # it names what happened
    """Another process of the training has ended, so that this one cannot go on."""


@dataclass(frozen=True)
class Place:
    """Place of a process among those that train together, as `torchrun` has set it.

    rank of size processes; local_rank of local_size on this machine. launch: a name of what
    started them, the same after `torchrun` has started them anew; empty where it has none.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    launch: str = ""

    @classmethod
    def found(cls) -> Place:
        """The place that the environment names; alone where it names none."""
        known = os.environ
        size, launch = int(known.get("WORLD_SIZE", "1")), _launch(known)
        if size <= 1 or "RANK" not in known:
            return cls(launch=launch)
        return cls(
            rank=int(known["RANK"]),
            size=size,
            local_rank=int(known.get("LOCAL_RANK", "0")),
            local_size=int(known.get("LOCAL_WORLD_SIZE", "1")),
            launch=launch,
        )

    @property
    def leads(self) -> bool:
        """True for the process that writes the run, and for one that is alone."""
        return self.rank == 0


def _launch(known: Mapping[str, str]) -> str:
    """A name of this `torchrun`: the one it was given, or the folder of its logs, which is its own
    and stays when it starts the processes anew."""
    name = known.get("TORCHELASTIC_RUN_ID", "")
    if name and name != "none":
        return name
    errors = Path(known.get("TORCHELASTIC_ERROR_FILE", ""))  # folder/attempt_0/rank/error.json
    return str(errors.parents[2]) if len(errors.parents) > 3 else ""


class _Environment(TorchElasticEnvironment):
    def validate_settings(self, num_devices: int, num_nodes: int) -> None:
        """Machines may have different numbers of processes."""

    def world_size(self) -> int:
        return int(os.environ["WORLD_SIZE"])


class _Summed(DDPStrategy):
    """Fabric's processes, without torch's wrapper of modules: `Team` adds the gradients up."""

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]
        return module


def make_fabric(place: Place, accelerator: str, devices: list[int] | int) -> Fabric:
    """A Fabric of one device, or of one for each of the processes, which are joined then."""
    if place.size == 1:
        return Fabric(accelerator=accelerator, devices=devices)
    os.environ.setdefault("LOCAL_RANK", str(place.local_rank))  # Fabric reads it
    strategy = _Summed(cluster_environment=_Environment(), timeout=_PATIENCE)
    nodes = max(1, place.size // place.local_size)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it greets every process
    fabric = Fabric(
        accelerator=accelerator, devices=place.local_size, num_nodes=nodes, strategy=strategy
    )
    with _noticing():
        if not distributed.is_initialized():
            meet(place.rank)
        fabric.launch()
    return fabric


@dataclass(frozen=True)
class Wish:
    """Wishes for after a step: a checkpoint, and an end of the training."""

    save: bool = False
    stop: bool = False


class Team:
    """The processes of one training, of which this is one; one that is alone is a team, too."""

    def __init__(self, place: Place | None = None, device: torch.device | None = None) -> None:
        self.place, self._device = place or Place(), device or torch.device("cpu")
        self.rank, self.size, self.leads = self.place.rank, self.place.size, self.place.leads
        self.wish = Wish()  # of this process, told with the next step
        self._agreed = Wish()

    # ---- batches

    def share(self, subject: TaskSubject[Any], batch: Batch) -> tuple[Batch, bool]:
        """The rows of a batch that are this process's, and whether it has none: the first row
        stands in then, and counts nothing."""
        if self.size == 1:
            return batch, False
        index = torch.arange(self.rank, subject.rows(batch), self.size)
        return subject.pick(batch, index if len(index) else torch.tensor([0])), not len(index)

    def whole_carry(self, mine: Carry, idle: bool) -> Carry:
        """Tensors that all processes carry, in the order of the whole batch; for the first alone.

        idle: this process has no row of it.
        """
        if self.size == 1:
            return mine
        all_of = self.gather([part[:, : 0 if idle else None].cpu() for part in mine])
        if not self.leads or not mine:
            return mine
        wholes = []
        for parts in zip(*all_of, strict=True):
            total = sum(part.size(_CARRY_ROWS) for part in parts)
            whole = parts[0].new_empty((parts[0].size(0), total, *parts[0].shape[2:]))
            for rank, part in enumerate(parts):
                whole[:, rank :: self.size] = part
            wholes.append(whole)
        return tuple(wholes)

    def own_carry(self, whole: Carry) -> Carry:
        """This process's rows of what all carry."""
        if self.size == 1:
            return whole
        return tuple(
            (part[:, self.rank :: self.size] if part.size(1) > self.rank else part[:, :1]).clone()
            for part in whole
        )

    # ---- a step

    def combine(self, result: StepLoss, idle: bool) -> StepLoss:
        """The loss of the whole batch: sums and count of all, and this process's part of the
        objective. Wishes are told by the way.

        idle: the rows of `result` stand in for none.
        """
        if self.size == 1:
            return result
        weight = result.count if result.weight is None else result.weight
        weight = 0 if idle else weight
        names = sorted(result.sums)
        told = [float(weight), float(0 if idle else result.count)]
        told += [float(self.wish.save), float(self.wish.stop)]
        told += [float(result.sums[name]) if weight else 0.0 for name in names]
        total, count, save, stop, *sums = self.total(told)
        self._agreed = Wish(save > 0, stop > 0)
        share = result.objective * (weight / total) if weight else result.objective.detach() * 0
        if not total:  # no target in the whole batch: as one process has it
            share = result.objective
        found = {
            name: torch.tensor(s, dtype=torch.float64) for name, s in zip(names, sums, strict=True)
        }
        return replace(result, objective=share, sums=found, count=int(count))

    def agreed(self, wish: Wish) -> Wish:
        """Wishes for after this step: `wish` of a process that is alone, else what all had told
        with the step. A wish is told with the next step."""
        if self.size == 1:
            return wish
        self.wish = wish
        return self._agreed

    def met(self, wish: Wish) -> Wish:
        """Wishes of all, between two epochs."""
        if self.size == 1:
            return wish
        save, stop = self.total([float(wish.save), float(wish.stop)])
        self.wish = self._agreed = Wish()
        return Wish(save > 0, stop > 0)

    def add_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Put the sums over all processes in place of the gradients: one message, end to end.

        A parameter without a gradient in any process keeps none.
        """
        if self.size == 1:
            return
        sizes = [p.numel() for p in parameters]
        first = parameters[0]
        flat = torch.zeros(sum(sizes) + len(sizes), dtype=first.dtype, device=first.device)
        *places, has = torch.split(flat, [*sizes, len(sizes)])
        for number, (parameter, place) in enumerate(zip(parameters, places, strict=True)):
            if parameter.grad is not None:
                place.copy_(parameter.grad.reshape(-1))
                has[number] = 1
        with _noticing():
            distributed.all_reduce(flat)
        for parameter, place, some in zip(parameters, places, has.tolist(), strict=True):
            parameter.grad = place.view_as(parameter) if some else None

    # ---- words

    def total(self, values: list[float]) -> list[float]:
        """The sums of numbers over all processes, in double precision."""
        told = torch.tensor(values, dtype=torch.float64, device=self._device)
        with _noticing():
            distributed.all_reduce(told)
        return [float(value) for value in told.tolist()]

    def told(self, value: T) -> T:
        """The value that the first process has."""
        if self.size == 1:
            return value
        box = [value]
        with _noticing():
            distributed.broadcast_object_list(box, device=self._device)
        return box[0]

    def gather(self, value: T) -> list[T]:
        """The values of all, in order, for the first process; others get nothing of it."""
        if self.size == 1:
            return [value]
        found: list[Any] | None = [None] * self.size if self.leads else None
        with _noticing():
            distributed.gather_object(value, found)
        return found or []

    def told_by_first(self) -> Any:
        """The next value that the first process tells (`told`)."""
        return self.told(None)

    def led(self, make: Callable[[], T]) -> T:
        """Result of `make` in the first process; the others wait for it."""
        return self.told(make()) if self.leads else cast(T, self.told_by_first())

    def in_turn(self, make: Callable[[], T]) -> T:
        """Result of `make` in each process, the first of each machine before the others: a download
        and a file made on the way are there then."""
        if self.size == 1:
            return make()
        if self.place.local_rank == 0:
            made = make()
            self.total(_SIGN)
            return made
        self.total(_SIGN)
        return make()

    @contextmanager
    def all_threads(self) -> Iterator[None]:
        """Let this process compute with the threads of all processes of its machine, which wait."""
        before = torch.get_num_threads()
        torch.set_num_threads(before * self.place.local_size)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def share_weights(self, model: nn.Module) -> None:
        """Give all processes the weights of the first, bit for bit: processors of different kinds
        may round differently."""
        if self.size == 1:
            return
        with torch.no_grad(), _noticing():
            for tensor in [*model.parameters(), *model.buffers()]:
                distributed.broadcast(tensor.detach(), 0)

    def seed(self, seed: int) -> None:
        """Random numbers of its own for each process but the first, which has those of one that
        is alone."""
        if self.rank:
            torch.manual_seed((seed + self.rank * _APART) % 2**63)


@contextmanager
def _noticing() -> Iterator[None]:
    """Raise `TeamEnded` where a message fails, as it does once a process has ended."""
    try:
        yield
    except RuntimeError as error:
        why = re.sub(r"^\[\S*\] |\. This is typically.*", "", str(error).splitlines()[0])
        raise TeamEnded(
            f"another process of this training has ended, or cannot be reached ({why})"
        ) from None
