"""Recurrent networks that train properly, explain themselves and run fast on ordinary CPUs.

Names are loaded when first used, so `import carousel` costs nothing and the command line answers
`--help` without importing torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from carousel.operators import register_with_torch

if TYPE_CHECKING:
    from carousel import cells as cells
    from carousel import estimators as estimators
    from carousel import runtime as runtime
    from carousel.bundle import load as load
    from carousel.coach.callback import Coach as Coach
    from carousel.errors import CarouselError as CarouselError
    from carousel.export.exporting import export as export
    from carousel.kernels import active_isa as active_isa
    from carousel.layers import GRU as GRU
    from carousel.layers import LMU as LMU
    from carousel.layers import LRU as LRU
    from carousel.layers import LSTM as LSTM
    from carousel.layers import QRNN as QRNN
    from carousel.layers import RGLRU as RGLRU
    from carousel.layers import RNN as RNN
    from carousel.layers import S6 as S6
    from carousel.layers import SLSTM as SLSTM
    from carousel.layers import SRU as SRU
    from carousel.layers import IndRNN as IndRNN
    from carousel.layers import MinGRU as MinGRU
    from carousel.layers import MinLSTM as MinLSTM
    from carousel.layers import Stream as Stream
    from carousel.layers import accelerated as accelerated
    from carousel.layers import explain as explain
    from carousel.layers import restore as restore
    from carousel.layers.accelerate import accelerate as accelerate
    from carousel.training import train as train
    from carousel.training.own_data import fit as fit

_HOME = {
    "GRU": "carousel.layers",
    "LMU": "carousel.layers",
    "LRU": "carousel.layers",
    "LSTM": "carousel.layers",
    "QRNN": "carousel.layers",
    "RGLRU": "carousel.layers",
    "RNN": "carousel.layers",
    "S6": "carousel.layers",
    "SLSTM": "carousel.layers",
    "SRU": "carousel.layers",
    "IndRNN": "carousel.layers",
    "MinGRU": "carousel.layers",
    "MinLSTM": "carousel.layers",
    "CarouselError": "carousel.errors",
    "Coach": "carousel.coach.callback",
    "accelerate": "carousel.layers",
    "accelerated": "carousel.layers",
    "active_isa": "carousel.kernels",
    "Stream": "carousel.layers",
    "explain": "carousel.layers",
    "fit": "carousel.training.own_data",
    "load": "carousel.bundle",
    "restore": "carousel.layers",
    "train": "carousel.training",
}

__all__ = [  # noqa: RUF022  # in the order of a first reading
    "RNN",
    "LSTM",
    "GRU",
    "MinGRU",
    "MinLSTM",
    "IndRNN",
    "SLSTM",
    "SRU",
    "RGLRU",
    "QRNN",
    "LRU",
    "S6",
    "LMU",
    "Stream",
    "accelerate",
    "accelerated",
    "restore",
    "cells",
    "fit",
    "train",
    "load",
    "runtime",
    "export",
    "estimators",
    "Coach",
    "explain",
    "active_isa",
    "CarouselError",
]


def __getattr__(name: str) -> Any:
    if name in ("cells", "estimators", "export", "runtime"):
        return importlib.import_module(f"carousel.{name}")
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("carousel-rnn")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'carousel' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


register_with_torch()
