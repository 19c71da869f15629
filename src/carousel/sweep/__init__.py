"""Sweeps: many settings of a recipe, on one machine or several, chosen by validation (Optuna)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from carousel.sweep.run import Swept as Swept
    from carousel.sweep.run import sweep as sweep

__all__ = ["Swept", "sweep"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from carousel.sweep import run

    return getattr(run, name)
