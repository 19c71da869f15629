"""States one by one, and as layers hand them about: torch's h of a GRU, (h, c) of an LSTM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def states_of(hx: Any) -> tuple[Tensor, ...]:
    """The states that a layer takes or gives as `hx`, in the order of `CellSpec.states`.

    >>> states_of("h"), states_of(("h", "c"))
    (('h',), ('h', 'c'))
    """
    return tuple(hx) if isinstance(hx, tuple | list) else (hx,)


def hx_of(states: tuple[Tensor, ...]) -> Any:
    """State argument of a layer for these states: one by itself, several as a tuple.

    >>> hx_of(("h",)), hx_of(("h", "c"))
    ('h', ('h', 'c'))
    """
    return states[0] if len(states) == 1 else states
