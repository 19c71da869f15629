"""Choice of the path of a call: an explicit predicate, and words that say what it found.

native  the compiled kernels
torch   torch's own kernels (oneDNN, cuDNN, or its operators step by step), of what torch has
cells   the oracle, in Python: carousel.cells
onnx    ONNX's own RNN, GRU and LSTM, in the graph that torch.onnx.export writes
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from carousel.cells.spec import CellSpec
from carousel.cells.table import mode_of, spec_of
from carousel.kernels import recording
from carousel.kernels.isa import active_isa
from carousel.kernels.layer_spec import LayerSpec
from carousel.kernels.options import PLAIN, Options
from carousel.kernels.products import lowers, product_of
from carousel.kernels.recording import asked_while_tracing

State = tuple[Tensor, ...]

PATHS = ("native", "torch", "cells")

_REMEMBERED = 64  # shapes of the layers of stacks that are alike
_PLAIN = frozenset((Tensor, torch.nn.Parameter))
_NATIVE = frozenset(("", "native"))

logger = logging.getLogger("carousel")
_wanted: ContextVar[str] = ContextVar("carousel_wanted_path", default="")


@dataclass(frozen=True)
class StackSpec:
    """Description of a recurrent module for the kernels: all that they must know but its weights.

    mode: of the cell (see carousel.cells.spec.Mode).
    dropout: on the output of every layer but the last, in training.
    checkpoint_every: of the native kernels, see `carousel.LSTM`; the other paths keep everything.
    options: what the cell does differently from torch's in this call.
    hidden_size: that the weights must have; 0: whatever they have.
    """

    mode: str
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int
    checkpoint_every: int = 0
    options: Options = PLAIN
    hidden_size: int = 0

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def cell(self) -> CellSpec:
        """Description of its cell."""
        return spec_of(self.mode)

    @property
    def has_kernels(self) -> bool:
        """True if there are compiled kernels of the cell."""
        return mode_of(self.mode).native is not None

    def draws(self, training: bool) -> bool:
        """True if a call draws masks, inside its layers or between them."""
        options = self.options
        return bool(
            options.seeded
            or options.input_dropout
            or options.output_dropout
            or (training and self.dropout and self.num_layers > 1)
        )

    @property
    def joined(self) -> bool:
        """True if the kernels have the cell in another form: see carousel.kernels.joined."""
        return self.cell.joined != ""

    @functools.cached_property
    def _layers(self) -> dict[Any, LayerSpec]:
        return {}

    def layer(self, layout: str, inputs: int, weights: Sequence[Tensor]) -> LayerSpec:
        """The spec of one layer of the stack with these weights, of which it remembers some.

        Raises RuntimeError for weights whose shapes do not fit each other, the inputs or the stack.
        """
        shapes = tuple([weight.shape for weight in weights])
        found = self._layers.get((layout, inputs, shapes))
        if found is None:
            every, options = self.checkpoint_every, self.options.inside
            found = LayerSpec.of(self.mode, layout, self.bidirectional, shapes, every, options)
            found.check(inputs, shapes)
            if self.hidden_size not in (0, found.hidden_size):
                raise RuntimeError(
                    f"{self.mode}: weights must be of {self.hidden_size} hidden units, got those "
                    f"of {found.hidden_size}"
                )
            if len(self._layers) >= _REMEMBERED:
                self._layers.clear()
            self._layers[layout, inputs, shapes] = found
        return found


@dataclass(frozen=True)
class Path:
    """Path that computes a call ("native", "torch", "cells" or "onnx"), and why in words."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@contextmanager
def use(path: str) -> Iterator[None]:
    """Compute every recurrent layer called inside on `path`: "native", "torch" or "cells".

    A call that the native kernels cannot compute raises RuntimeError inside `use("native")`, and
    so does, inside `use("torch")`, one of a layer or with options that torch does not have.

    >>> with use("cells"):
    ...     print(choose(StackSpec("GRU", 1, True, False, 0.0, False, 0), torch.zeros(1, 1, 1)))
    cells: asked for by use('cells')
    """
    if path not in PATHS:
        raise ValueError(f"path must be 'native', 'torch' or 'cells', got {path!r}")
    token = _wanted.set(path)
    try:
        yield
    finally:
        _wanted.reset(token)


def choose(
    stack: StackSpec, x: Tensor, others: Sequence[Tensor] = (), *, ragged: bool = False
) -> Path:
    """The path a call takes. x: its input; others: its weights and states;
    ragged: whether rows differ in length."""
    return _with_precision(stack, _path(stack, x, others, ragged))


def _with_precision(stack: StackSpec, path: Path) -> Path:
    """The path, and how its products multiply if something else than float32 was asked for."""
    if not stack.options.precision or (path.name != "native" and lowers()):
        return path
    if path.name != "native":
        how = f"precision='{stack.options.precision}' without effect"
    elif "precision" not in stack.cell.options:
        how = f"products in float32: {stack.cell.layer} has no kernels of bfloat16"
    else:
        how = _product()
    return Path(path.name, f"{path.reason}; {how}")


def _path(stack: StackSpec, x: Tensor, others: Sequence[Tensor], ragged: bool) -> Path:
    wanted = _asked_for()
    if wanted == "cells":
        return Path("cells", "asked for by use('cells')")
    lacking = ", ".join(stack.options.words) or stack.cell.layer * (not stack.cell.in_torch)
    if not wanted and recording.writes_onnx():
        return Path(*recording.onnx_way(lacking, stack.options.words, bool(stack.proj_size)))
    obstacle = "asked for by use('torch')" if wanted == "torch" else _native_obstacle(x, others)
    if not stack.has_kernels:
        obstacle = obstacle or f"{stack.cell.layer} has equations only"
    if not (obstacle or wanted or lacking) and recording.is_tracing():
        obstacle = recording.TRACED
    if not obstacle:
        return Path("native", _isa())
    if wanted == "native":
        raise RuntimeError(f"use('native'): the native kernels cannot run this call: {obstacle}")
    if lacking and wanted == "torch":
        raise RuntimeError(f"use('torch'): torch has no {lacking}")
    without_rule = "" if wanted else _without_rule()
    if without_rule:
        return Path("cells", without_rule)
    if lacking:
        return Path("cells", f"{obstacle}; torch has no {lacking}")
    return Path("torch", f"{obstacle}; {_torch_way(stack, x, ragged)}")


def is_plain(x: Tensor, others: Sequence[Any]) -> bool:
    """True if a call is for the native kernels at first sight, and nobody traces it.

    Most calls are. Of others nothing is said: `choose` looks closer, and says why. Not to be asked
    while torch.compile traces.
    others: its weights and states, whatever stands in their places.
    """
    if not is_quiet() or x.layout is not torch.strided or x.numel() == 0:
        return False
    for part in (x, *others):  # no generator: it would take as long as the looks
        if type(part) not in _PLAIN or part.dtype is not torch.float32 or not part.is_cpu:
            return False
    return True


def is_quiet() -> bool:
    """True if nothing but its arguments decides what becomes of a call: nobody has asked for a
    path, traces, transforms or lowers. Not to be asked while torch.compile traces."""
    return not (
        _wanted.get() not in _NATIVE
        or _dispatch_modes() > 0
        or _tracing_state() is not None
        or _transforms() is not None
        or forward_ad._current_level >= 0
        or _autocast()
    )


# Of torch, each asked in every call.
_dispatch_modes = torch._C._len_torch_dispatch_stack
_tracing_state = torch._C._get_tracing_state
_transforms = torch._C._functorch.peek_interpreter_stack
_autocast = functools.partial(torch.is_autocast_enabled, "cpu")


def _native_obstacle(x: Tensor, others: Sequence[Tensor]) -> str:
    """Why the compiled kernels do not compute this call; empty if they do."""
    if x.device.type != "cpu":
        return f"the input is on {x.device.type}"
    if x.layout != torch.strided:
        return f"the input's layout is {x.layout}"
    takes = {torch.float32}
    if torch.is_autocast_enabled("cpu"):  # what it has lowered is raised again
        takes |= {torch.bfloat16, torch.float16}
    if x.dtype not in takes:
        return str(x.dtype).removeprefix("torch.")
    for tensor in others:
        if tensor.dtype not in takes or tensor.device.type != "cpu":
            return f"weights or states of {tensor.dtype} on {tensor.device.type}"
        if type(tensor).__name__ == "ExpandedWeight":  # by name: torch imports it where it is used
            return "gradients of each sample by expanded weights"
    if x.numel() == 0:
        return "the input is empty"
    return _transform()


@asked_while_tracing
def _asked_for() -> str:
    return _wanted.get()


@asked_while_tracing
def _isa() -> str:
    return active_isa()


@asked_while_tracing
def _product() -> str:
    return product_of("bf16").reason


@asked_while_tracing
def _transform() -> str:
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return "inside a torch.func transform"
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation"
    return ""


@asked_while_tracing
def _without_rule() -> str:
    """Transform of the call for which torch's recurrent operators have no rules; empty if they
    have: gradients alone."""
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation, which torch's recurrent operators lack"
    levels: Any = torch._C._functorch.get_interpreter_stack()
    if all(level.key() == torch._C._functorch.TransformType.Grad for level in levels or ()):
        return ""
    return "inside a torch.func transform that torch's recurrent operators lack"


def _torch_way(stack: StackSpec, x: Tensor, ragged: bool) -> str:
    if x.device.type != "cpu":
        how = "cuDNN where torch has it"
    elif stack.mode == "LSTM" and not ragged and not stack.proj_size and _onednn_takes(x.dtype):
        how = "oneDNN"
    else:
        how = "separate operators per step"
    kept = ", checkpoint_every without effect" if stack.checkpoint_every else ""
    return f"{stack.mode}{', rows of different lengths' if ragged else ''}, {how}{kept}"


def _onednn_takes(dtype: torch.dtype) -> bool:
    usable = torch._C._has_mkldnn and torch.backends.mkldnn.enabled
    return bool(usable) and dtype in (torch.float32, torch.bfloat16)


def log_once(stack: StackSpec, path: Path) -> None:
    """Say at level INFO what runs, the first time that it does."""
    if not torch.compiler.is_compiling() and logger.isEnabledFor(logging.INFO):
        _log_once(stack, path)


def log_native(stack: StackSpec) -> None:
    """Say so of a plain call."""
    _log_once(stack, _with_precision(stack, Path("native", _isa())))


@functools.cache
def _log_once(stack: StackSpec, path: Path) -> None:
    logger.info("%s runs on %s", stack.mode, path)
