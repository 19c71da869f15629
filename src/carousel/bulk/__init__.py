"""Answers to many inputs, in a file: read piece by piece, asked in batches, written aside.

Memory is bounded by a batch, however large the input is. `answer_file` does all of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from carousel.bulk.answer import Outcome as Outcome
    from carousel.bulk.answer import answer_file as answer_file
    from carousel.bulk.pictures import Picture as Picture

__all__ = ["Outcome", "Picture", "answer_file"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "pictures" if name == "Picture" else "answer"
    return getattr(importlib.import_module(f"carousel.bulk.{home}"), name)
