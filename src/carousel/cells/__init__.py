"""Recurrences: equations, the oracle of the tests and the fallback of fast paths, and rows of
`carousel.cells.table`, from which all is read that depends on the cell.

The equations are loaded, and torch with them, when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from carousel.cells.table import SPECS

if TYPE_CHECKING:
    from carousel.cells.gru import gru_step as gru_step
    from carousel.cells.ind_rnn import ind_rnn_step as ind_rnn_step
    from carousel.cells.lmu import lmu_step as lmu_step
    from carousel.cells.lru import lru_step as lru_step
    from carousel.cells.lstm import lstm_step as lstm_step
    from carousel.cells.min_gru import min_gru_step as min_gru_step
    from carousel.cells.min_lstm import min_lstm_step as min_lstm_step
    from carousel.cells.over_time import scan as scan
    from carousel.cells.qrnn import qrnn2_step as qrnn2_step
    from carousel.cells.qrnn import qrnn_step as qrnn_step
    from carousel.cells.rg_lru import rg_lru_step as rg_lru_step
    from carousel.cells.rnn import rnn_step as rnn_step
    from carousel.cells.s6 import s6_step as s6_step
    from carousel.cells.slstm import slstm_step as slstm_step
    from carousel.cells.sru import sru_step as sru_step

_HOME = {"scan": "over_time"} | {
    step: module for module, _, step in (spec.equations.partition(".") for spec in SPECS)
}

__all__ = [
    "gru_step",
    "ind_rnn_step",
    "lmu_step",
    "lru_step",
    "lstm_step",
    "min_gru_step",
    "min_lstm_step",
    "qrnn2_step",
    "qrnn_step",
    "rg_lru_step",
    "rnn_step",
    "s6_step",
    "scan",
    "slstm_step",
    "sru_step",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"carousel.cells.{_HOME[name]}"), name)
    raise AttributeError(f"module 'carousel.cells' has no attribute '{name}'")
