"""Modules of one step of a few streams as calls of NumPy, which cost less than torch's modules.

A convolution of one short frame takes torch a hundred microseconds and more, most of them to bring
its weights into an order that pays for long signals; a dense layer of one row takes it six.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.layers.magnitude import Magnitude
from carousel.layers.parts import parts_of

Array = NDArray[np.float32]
_FEW = 4  # rows up to which this takes less time than the modules
_ALONE = 2**18  # multiplications up to which NumPy's products stay in the calling thread
_PADDED = {"zeros": "zeros", "reflect": "reflect"}


class FewRows:
    """Modules that look at one step alone, in evaluation mode: (B, F) to (B, F').

    modules: one after the other. whole: what computes the same in torch, for many rows and for
    modules that are none of those below; the Sequential itself if not given. channels: of the
    places that a row holds, which modules see as torch's convolutions do; F, so one place, if not
    given.
    """

    def __init__(
        self,
        modules: nn.Sequential,
        whole: Callable[[Tensor], Tensor] | None = None,
        channels: int | None = None,
    ) -> None:
        self._modules, self._channels, self._whole = modules, channels, whole or modules
        self._calls: Calls | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_calls": None}  # a copy prepares its own

    def step(self, x_t: Tensor) -> Tensor:
        """Features that modules make of a step, without gradients; to rounding alike either way."""
        calls = self._calls
        if calls is None or not calls.fits(x_t) or not calls.holds():
            calls = self._calls = self._prepared(x_t)
        if calls is None:
            with torch.no_grad():
                return self._whole(x_t)
        calls.row[...] = x_t.detach().numpy()
        return calls.run().clone()

    def _prepared(self, x_t: Tensor) -> Calls | None:
        """Calls for so many rows; None where there are none for these modules."""
        if x_t.dim() != 2 or x_t.size(0) > _FEW or x_t.dtype != torch.float32 or not x_t.is_cpu:
            return None
        rows, features = x_t.shape
        channels = self._channels or features
        if not rows or not features or features % channels:
            return None
        try:
            calls = Calls(self._modules, rows, features // channels, channels)
        except NotImplementedError:
            return None
        return calls if calls.holds() else None


class Calls:
    """Calls of NumPy whose arrays are there before. Weights are read where they lie: what changes
    them in place is seen.

    row (N, places · channels): to be filled before `run`, which returns (N, places' · channels').
    Raises `NotImplementedError` for a module that has no such calls.
    """

    def __init__(self, modules: nn.Sequential, rows: int, places: int, channels: int) -> None:
        x: Array = np.zeros((rows, places, channels), np.float32)
        self.row, self._shape = x.reshape(rows, -1), (rows, places * channels)
        parts = [*parts_of(modules)]
        self._modules = [
            (module, type(module), module._forward_pre_hooks, module._forward_hooks)
            for module in parts
        ]
        rows_of = [m for m in modules.modules() if isinstance(m, nn.Sequential)]
        self._inside = [(row._modules, [*row._modules.values()]) for row in rows_of]
        self._weights: list[tuple[dict[str, Any], str, Tensor, int]] = []
        self._calls: list[Callable[[], Any]] = []
        y = x
        for module in parts:
            maker = _MAKERS.get(type(module))
            if maker is None:
                raise NotImplementedError(type(module).__name__)
            y = maker(self, module, y)
        self._y = torch.from_numpy(y.reshape(rows, -1))

    def run(self) -> Tensor:
        """Features that the modules make of `row`; the next call writes over them."""
        for call in self._calls:
            call()
        return self._y

    def fits(self, x_t: Tensor) -> bool:
        """True for a step of as many rows and features, in float32 on the CPU."""
        return x_t.shape == self._shape and x_t.dtype == torch.float32 and x_t.is_cpu

    def holds(self) -> bool:
        """False once a module is another one, has hooks, or keeps its weights elsewhere."""
        for given, name, weight, place in self._weights:
            if given.get(name) is not weight or weight.data_ptr() != place:
                return False
        for module, kind, before, after in self._modules:
            if type(module) is not kind or before or after or module.training:
                return False
        return all([*given.values()] == modules for given, modules in self._inside)

    def _read(self, module: nn.Module, name: str) -> Array | None:
        """A parameter as it lies in memory, which `holds` looks after; None where there is none."""
        weight = module._parameters[name]
        if weight is None:
            return None
        if not weight.is_contiguous() or weight.device.type != "cpu":
            raise NotImplementedError("weights that do not lie in a row")
        self._weights.append((module._parameters, name, weight, weight.data_ptr()))
        return np.asarray(weight.detach().numpy(), np.float32)

    def _convolution(self, module: nn.Conv1d, x: Array) -> Array:
        weight, mode = self._read(module, "weight"), _PADDED.get(module.padding_mode)
        if module.groups > 1 or isinstance(module.padding, str) or mode is None or weight is None:
            raise NotImplementedError("a convolution in groups, or with another padding")
        if module.padding[0]:
            x = self._pad(x, module.padding[0], module.padding[0], mode)
        view = _seen(module, x)
        (rows, count), (outputs, inputs) = view.shape[:2], (len(weight), weight[0].size)
        seen = np.empty(view.shape, np.float32)
        self._calls.append(partial(np.copyto, seen, view))
        y = np.empty((rows, count, outputs), np.float32)
        flat, sums = seen.reshape(rows * count, inputs), y.reshape(rows * count, outputs)
        matrix, bias = weight.reshape(outputs, inputs), self._read(module, "bias")
        self._multiply(flat, matrix, bias, sums)
        return y

    def _linear(self, module: nn.Linear, x: Array) -> Array:
        weight, bias = self._read(module, "weight"), self._read(module, "bias")
        if weight is None or x.shape[1:] != (1, module.in_features):
            raise NotImplementedError("a dense layer over places")
        y = np.empty((len(x), 1, len(weight)), np.float32)
        self._multiply(x[:, 0], weight, bias, y[:, 0])
        return y

    def _multiply(self, x: Array, weight: Array, bias: Array | None, y: Array) -> None:
        """y = x Wᵀ + b, in parts that no second pool of threads is woken for."""
        outputs = len(weight)
        each = -(-outputs // -(-x.size * outputs // _ALONE))
        for start in range(0, outputs, each):
            part = slice(start, start + each)
            self._calls.append(partial(np.matmul, x, weight[part].T, y[:, part]))
        if bias is not None:
            self._calls.append(partial(np.add, y, bias, y))

    def _reflection(self, module: nn.ReflectionPad1d, x: Array) -> Array:
        return self._pad(x, *module.padding, "reflect")

    def _pad(self, x: Array, before: int, after: int, mode: str) -> Array:
        rows, places, channels = x.shape
        y = np.zeros((rows, before + places + after, channels), np.float32)
        end = before + places
        self._calls.append(partial(np.copyto, y[:, before:end], x))
        if mode == "reflect":
            back = x[:, ::-1]
            for to, source in (
                (y[:, :before], back[:, places - 1 - before : places - 1]),
                (y[:, end:], back[:, 1 : 1 + after]),
            ):
                self._calls.append(partial(np.copyto, to, source))
        return y

    def _magnitude(self, _: Magnitude, x: Array) -> Array:
        half = x.shape[2] // 2
        squares, y = np.empty_like(x), np.empty((*x.shape[:2], half), np.float32)
        self._calls += [
            partial(np.square, x, squares),
            partial(np.add, squares[..., :half], squares[..., half:], y),
            partial(np.sqrt, y, y),
        ]
        return y

    def _relu(self, _: nn.ReLU, x: Array) -> Array:
        y, nothing = np.empty_like(x), np.zeros_like(x)
        self._calls.append(partial(np.maximum, x, nothing, out=y))
        return y

    def _sigmoid(self, _: nn.Sigmoid, x: Array) -> Array:
        return self._by_torch(torch.sigmoid, x)

    def _tanh(self, _: nn.Tanh, x: Array) -> Array:
        return self._by_torch(torch.tanh, x)

    def _by_torch(self, function: Callable[..., Tensor], x: Array) -> Array:
        y = np.empty_like(x)
        source, to = torch.from_numpy(x), torch.from_numpy(y)
        self._calls.append(partial(function, source, out=to))
        return y

    def _nothing(self, _: nn.Module, x: Array) -> Array:
        return x


def _seen(module: nn.Conv1d, x: Array) -> Array:
    """Parts of x that outputs see: (N, count, channels, taps), as a weight lies in memory."""
    (rows, places, channels), (taps,) = x.shape, module.kernel_size
    (stride,), (dilation,) = module.stride, module.dilation
    count = (places - dilation * (taps - 1) - 1) // stride + 1
    row, place, channel = x.strides
    steps = (row, place * stride, channel, place * dilation)
    return as_strided(x, (rows, count, channels, taps), steps, writeable=False)


_MAKERS: dict[type[nn.Module], Callable[[Calls, Any, Array], Array]] = {
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
