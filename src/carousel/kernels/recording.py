"""Tests of who records a call instead of computing it, and what that asks of the path.

torch.compile and torch.export write down our operator, and what they make runs on our kernels.
The graphs of torch.jit and ONNX are for programs that know torch's operators, or ONNX's, alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")

TRACED = "while torch.jit traces: its graphs are for torch's operators alone"
_ONNX = "while torch.onnx exports"


def asked_while_tracing(function: Callable[[], T]) -> Callable[[], T]:
    """Mark a function that torch.compile cannot look into: it is asked while tracing, and its
    answer stays in what is compiled."""
    # All that torch.compiler.assume_constant_result does; but calling that imports the compiler,
    # which takes as long as importing torch.
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


@asked_while_tracing
def is_exporting() -> bool:
    """True if torch.export looks at the call; for ONNX, too."""
    asked = getattr(torch.compiler, "is_exporting", None)  # since torch 2.7
    return bool(asked()) if asked is not None else torch.compiler.is_compiling()


@asked_while_tracing
def is_tracing() -> bool:
    """True if torch.jit.trace looks at the call, or what is built on it."""
    return torch._C._get_tracing_state() is not None


@asked_while_tracing
def writes_onnx() -> bool:
    """True if torch.onnx.export looks at the call, by torch.export or by torch.jit.trace."""
    return (is_exporting() or is_tracing()) and torch.onnx.is_in_onnx_export()


def onnx_way(lacking: str, options: tuple[str, ...], projected: bool) -> tuple[str, str]:
    """The path of a call that becomes a part of an ONNX model, and why.

    lacking: what torch does not have, in words; options: those among it that are options.
    """
    has_nodes = not is_tracing() and hasattr(torch.onnx, "ops")  # since torch 2.8
    if lacking and options == ("reset_after=False",):  # which ONNX has
        if has_nodes:
            return "onnx", _ONNX
        return "cells", f"{_ONNX}; torch has no {lacking}: steps written one by one"
    if lacking:
        return "cells", f"{_ONNX}; neither torch nor ONNX has {lacking}: steps written one by one"
    if projected:
        return "cells", f"{_ONNX}; ONNX has no proj_size: steps written one by one"
    if is_tracing():
        return "torch", f"{_ONNX}, by torch.jit.trace, which knows torch's operators alone"
    if not has_nodes:
        return "torch", f"{_ONNX}; this torch translates its own operators alone"
    return "onnx", _ONNX
