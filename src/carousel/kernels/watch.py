"""Weights that were packed: whether they are still those of their module, asked at every step."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from carousel._native import Watched as Watched

logger = logging.getLogger("carousel")

# Of torch: a copy that is made when one of the two is written to; where numbers stand, without
# such a copy; how many refer to a piece of memory.
_lazy_clone: Callable[[Tensor], Tensor] | None = getattr(torch, "_lazy_clone", None)
_const_data_ptr: Any = getattr(Tensor, "const_data_ptr", None)
_users: Callable[[int], int] | None = getattr(torch._C, "_storage_Use_Count", None)

# Two threads may begin to share the same weights at once, each for a stream of its own.
_one_at_a_time = threading.Lock()


# Where the numbers of a strided tensor begin: to read them, or to write memory of one's own.
# `data_ptr` may be written through: of memory that is shared until then it makes a copy.
address_of: Callable[[Tensor], int] = getattr(Tensor, "const_data_ptr", Tensor.data_ptr)


def apart(array: Tensor) -> Tensor:
    """A copy, made where torch can when one of the two is written to, in whatever way."""
    if _lazy_clone is None or torch.compiler.is_compiling():  # which would warn of it
        return array.clone()
    return _lazy_clone(array)


class Watch:
    """The weights of a module as they are now, and whether a later moment finds them the same.

    A change through `.data` leaves no trace on a tensor. But one that shares its memory until it
    is written to has to move for that, however it is written to: so `apart` of each weight is kept,
    and where the weight stands is compared. Where that is not sound, because somebody else could
    write into the very memory (a NumPy view, say), the numbers are compared.

    weights: float32 on the CPU. parameters, names: where the module has them. quiet: mappings that
        must stay empty, such as its hooks.
    """

    def __init__(
        self,
        weights: list[Tensor],
        parameters: dict[str, Any],
        names: list[str],
        quiet: list[Mapping[Any, Any]],
    ) -> None:
        self.weights, self.parameters, self.names, self.quiet = [*weights], parameters, names, quiet
        moving = moving_copies(weights)
        self.by_address = moving is not None
        self._kept = [w.detach().clone() for w in weights] if moving is None else moving
        self._places = list(map(_place, weights))
        if not self.by_address:
            logger.info(
                "Stream: others refer to the weights' memory too (a NumPy view, a state_dict, "
                "shared or mapped memory), or torch is too old to say: every step compares all "
                "weights, which takes longer than the step"
            )

    def unchanged(self) -> bool:
        """True if the module has the same parameters still, with the same numbers."""
        same = not any(self.quiet) and all(
            self.parameters.get(name) is weight and _place(weight) == place
            for name, weight, place in zip(self.names, self.weights, self._places, strict=True)
        )
        return same and (self.by_address or all(map(torch.equal, self.weights, self._kept)))


def moving_copies(weights: list[Tensor]) -> list[Tensor] | None:
    """A copy of each weight that makes it move when somebody writes to it, in whatever way; None
    where that is not sound, as somebody else could write into the very memory.

    While they are kept, weights that stand where their copies stand are as they were.
    """
    if not _alone(weights):
        return None
    copies = [_moving_copy(weight) for weight in weights]
    moving = [copy for copy in copies if copy is not None]
    return moving if len(moving) == len(weights) else None


def _place(weight: Tensor) -> tuple[int, bool]:
    return address_of(weight), weight.is_contiguous()


def _moving_copy(weight: Tensor) -> Tensor | None:
    """`apart` of a weight; None of memory that does not move, which is not torch's own."""
    if _lazy_clone is None or weight.is_inference():
        return None
    try:
        with _one_at_a_time, torch.inference_mode(False):
            return _lazy_clone(weight.detach())
    except RuntimeError:  # torch has no question to ask beforehand
        return None


def _alone(weights: list[Tensor]) -> bool:
    """True if nobody but these weights refers to their memory."""
    if _users is None or _const_data_ptr is None:
        return False
    fresh = torch.empty(1)
    handle = _users(fresh.untyped_storage()._cdata) - 1  # itself a user, or not
    storages = Counter(weight.untyped_storage()._cdata for weight in weights)
    return all(_users(place) == count + handle for place, count in storages.items())
