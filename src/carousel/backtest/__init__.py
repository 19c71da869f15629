"""Backtests: forecasts from many origins in the past, judged by what came then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from carousel.backtest.judged import Backtested as Backtested
    from carousel.backtest.run import backtest as backtest

__all__ = ["Backtested", "backtest"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from carousel.backtest import judged, run

    return run.backtest if name == "backtest" else judged.Backtested
