"""Modules of one step of a few streams, in one call of the compiled module.

A convolution of one short frame takes torch a hundred microseconds and more, most of them to bring
its weights into an order that pays for long signals; a dense layer of one row takes it six.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules import module as modules

from carousel.kernels import RowProgram
from carousel.kernels.products import in_float32
from carousel.kernels.watch import Watched
from carousel.layers.frames import Frames
from carousel.layers.magnitude import Magnitude
from carousel.layers.parts import parts_of

Array = NDArray[np.float32]
_FEW = 8  # rows up to which this takes less time than the modules
_PADDED = ("zeros", "reflect")


class FewRows:
    """Modules that look at one step alone, in evaluation mode: (B, F) to (B, F').

    whole: the modules, or `Frames` of them; called for many rows, and where a module is none of
    those below, has hooks, a `forward` of its own or weights that are computed. One thread at a
    time: what is between the modules is kept.
    around: the models that the modules of `whole`, then a copy, come from: `step` raises ValueError
    once one of them has others.
    """

    def __init__(self, whole: nn.Sequential | Frames, around: Sequence[nn.Sequential] = ()) -> None:
        self._whole = whole
        self._around = [(model._modules, [*model._modules.values()]) for model in around]
        self._calls: Calls | None = None
        self._refused: torch.Size | None = None  # shape of a step that these modules have none for

    def step(self, x_t: Tensor) -> Tensor:
        """Features that modules make of a step, without gradients or autocast; to rounding alike
        either way."""
        calls = self._calls
        if calls is None or not calls.fits(x_t) or not calls.holds():
            calls = self._calls = self._prepared(x_t)
        if calls is None:
            with torch.no_grad(), in_float32():
                return self._whole(x_t)  # type: ignore[no-any-return]
        calls.row[...] = x_t.detach().numpy()
        return calls.run().clone()

    def _prepared(self, x_t: Tensor) -> Calls | None:
        """Calls for so many rows; None where there are none for these modules."""
        if not _are_there(self._around):
            raise ValueError(
                "a module of the model was replaced after its stream was made: make a new Stream"
            )
        if x_t.dim() != 2 or not 0 < x_t.size(0) <= _FEW or not _is_plain(x_t):
            return None
        if x_t.shape == self._refused or _does_more(self._whole):
            return None
        (rows, features), whole = x_t.shape, self._whole
        channels = whole.channels if isinstance(whole, Frames) else features
        if features != (whole.size if isinstance(whole, Frames) else max(features, 1)):
            return None
        # Whichever mode the steps to come are made in.
        with torch.inference_mode(False), torch.no_grad():
            calls = Calls(whole, rows, features // channels, channels, self._around)
        self._refused = None if calls.ready else x_t.shape
        return calls if calls.ready else None


class Calls:
    """Operations whose arrays are there before. Weights are read where they lie: what changes
    them in place is seen.

    ready: False where a module has no such operations; then there is nothing to run.
    row (N, places · channels): to be filled before `run`, which returns (N, places' · channels').
    """

    def __init__(
        self,
        whole: nn.Sequential | Frames,
        rows: int,
        places: int,
        channels: int,
        around: Sequence[tuple[dict[str, Any], list[Any]]] = (),
    ) -> None:
        x: Array = np.zeros((rows, places, channels), np.float32)
        self.row, self._shape = x.reshape(rows, -1), (rows, places * channels)
        layers = whole.layers if isinstance(whole, Frames) else whole
        all_modules = [*whole.modules()]
        self._kinds = [(module, type(module), module.__dict__) for module in all_modules]
        self._quiet = [module._forward_pre_hooks for module in all_modules]
        self._quiet += [module._forward_hooks for module in all_modules]
        self._quiet += [modules._global_forward_pre_hooks, modules._global_forward_hooks]
        copied = whole if around and isinstance(whole, nn.Sequential) else None
        self._inside = [*around]
        self._inside += [
            (module._modules, [*module._modules.values()])
            for module in all_modules
            if isinstance(module, nn.Sequential | Frames) and module is not copied
        ]
        self._weights: list[tuple[dict[str, Any], str, Tensor]] = []
        self._program = RowProgram()
        self._run = self._program.run
        y: Array | None = x
        for module in parts_of(layers):
            maker = _MAKERS.get(type(module))
            y = None if maker is None or y is None else maker(self, module, y)
        self.ready = y is not None
        self._y = torch.from_numpy((x if y is None else y).reshape(rows, -1))
        self._watched = Watched(tuple(weight for _, _, weight in self._weights))

    def run(self) -> Tensor:
        """Features that the modules make of `row`; the next call writes over them."""
        self._run()
        return self._y

    def fits(self, x_t: Tensor) -> bool:
        """True for a step of as many rows and features, in float32 on the CPU."""
        return x_t.shape == self._shape and _is_plain(x_t)

    def holds(self) -> bool:
        """False once a module is another one, has hooks, or keeps its weights elsewhere."""
        if any(self._quiet):
            return False
        if not self._watched.unchanged([given.get(name) for given, name, _ in self._weights]):
            return False
        for module, kind, own in self._kinds:
            if type(module) is not kind or own["training"] or "forward" in own:
                return False
        return _are_there(self._inside)

    def _read(self, module: nn.Module, name: str) -> Array | None:
        """A parameter as it lies in memory, which `holds` looks after; None where there is none
        that can be read so."""
        weight = module._parameters.get(name)  # not there: computed, as by pruning
        if weight is None or not weight.is_contiguous() or not _is_plain(weight):
            return None
        array: Array = weight.detach().numpy()
        self._weights.append((module._parameters, name, weight))
        return array

    def _convolution(self, module: nn.Conv1d, x: Array) -> Array | None:
        weight, mode, padding = self._read(module, "weight"), module.padding_mode, module.padding
        if weight is None or module.groups > 1 or isinstance(padding, str) or mode not in _PADDED:
            return None
        y: Array | None = self._pad(x, padding[0], padding[0], mode) if padding[0] else x
        if y is None or y.shape[2] != module.in_channels or _count(module, y.shape[1]) < 1:
            return None
        view = _seen(module, y)
        (rows, count), (outputs, inputs) = view.shape[:2], (len(weight), weight[0].size)
        seen = np.empty(view.shape, np.float32)
        self._program.copy(view, seen)
        sums = np.empty((rows, count, outputs), np.float32)
        flat, matrix = seen.reshape(rows * count, inputs), weight.reshape(outputs, inputs)
        done = self._multiply(module, flat, matrix, sums.reshape(rows * count, outputs))
        return sums if done else None

    def _linear(self, module: nn.Linear, x: Array) -> Array | None:
        weight = self._read(module, "weight")
        if weight is None or x.shape[1:] != (1, module.in_features):
            return None
        y = np.empty((len(x), 1, len(weight)), np.float32)
        return y if self._multiply(module, x[:, 0], weight, y[:, 0]) else None

    def _multiply(self, module: nn.Module, x: Array, weight: Array, y: Array) -> bool:
        """y = x Wᵀ + b; False where b cannot be read."""
        bias = self._read(module, "bias")
        if bias is None and getattr(module, "bias", None) is not None:
            return False
        self._program.product(x, weight, bias, y)
        return True

    def _reflection(self, module: nn.ReflectionPad1d, x: Array) -> Array | None:
        return self._pad(x, *module.padding, "reflect")

    def _pad(self, x: Array, before: int, after: int, mode: str) -> Array | None:
        rows, places, channels = x.shape
        if mode == "reflect" and not 0 <= min(before, after) <= max(before, after) < places:
            return None  # torch says what is wrong
        y = np.zeros((rows, before + places + after, channels), np.float32)
        end = before + places
        self._program.copy(x, y[:, before:end])
        if mode == "reflect":
            back = x[:, ::-1]
            for to, source in (
                (y[:, :before], back[:, places - 1 - before : places - 1]),
                (y[:, end:], back[:, 1 : 1 + after]),
            ):
                self._program.copy(source, to)
        return y

    def _magnitude(self, _: Magnitude, x: Array) -> Array | None:
        half = x.shape[2] // 2
        if x.shape[2] != 2 * half:
            return None
        y = np.empty((*x.shape[:2], half), np.float32)
        self._program.magnitude(x.reshape(-1, 2 * half), y.reshape(-1, half))
        return y

    def _relu(self, _: nn.ReLU, x: Array) -> Array:
        return self._pointwise("relu", x)

    def _sigmoid(self, _: nn.Sigmoid, x: Array) -> Array:
        return self._pointwise("sigmoid", x)

    def _tanh(self, _: nn.Tanh, x: Array) -> Array:
        return self._pointwise("tanh", x)

    def _pointwise(self, kind: str, x: Array) -> Array:
        y = np.empty_like(x)
        self._program.pointwise(kind, x, y)
        return y

    def _nothing(self, _: nn.Module, x: Array) -> Array:
        return x


def _are_there(inside: Sequence[tuple[dict[str, Any], list[Any]]]) -> bool:
    """True if these have the modules that they had."""
    return all([*given.values()] == modules for given, modules in inside)


def _does_more(whole: nn.Module) -> bool:
    """True if a call of these modules is more than what they are made for: it has to be made."""
    return any((modules._global_forward_pre_hooks, modules._global_forward_hooks)) or any(
        module.training
        or "forward" in vars(module)
        or module._forward_pre_hooks
        or module._forward_hooks
        for module in whole.modules()
    )


def _is_plain(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.is_cpu


def _count(module: nn.Conv1d, places: int) -> int:
    """Places of the output, of padded places."""
    reach: int = module.dilation[0] * (module.kernel_size[0] - 1)
    return (places - reach - 1) // int(module.stride[0]) + 1


def _seen(module: nn.Conv1d, x: Array) -> Array:
    """Parts of x that outputs see: (N, count, channels, taps), as a weight lies in memory."""
    (rows, places, channels), (taps,) = x.shape, module.kernel_size
    row, place, channel = x.strides
    steps = (row, place * module.stride[0], channel, place * module.dilation[0])
    shape = (rows, _count(module, places), channels, taps)
    return as_strided(x, shape, steps, writeable=False)


_MAKERS: dict[type[nn.Module], Callable[[Calls, Any, Array], Array | None]] = {
    nn.Conv1d: Calls._convolution,
    nn.ReflectionPad1d: Calls._reflection,
    Magnitude: Calls._magnitude,
    nn.Linear: Calls._linear,
    nn.ReLU: Calls._relu,
    nn.Sigmoid: Calls._sigmoid,
    nn.Tanh: Calls._tanh,
    nn.Identity: Calls._nothing,
    nn.Dropout: Calls._nothing,
}
