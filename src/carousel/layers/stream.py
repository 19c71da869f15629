"""Live data, one step at a time: `Stream` keeps the state, and the weights ready, between calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules

from carousel import kernels
from carousel.layers.base import Recurrent
from carousel.layers.int8 import Int8Call, noting_ranges, recurrent_layers, replaced
from carousel.layers.row import Row, is_row


class Stream:
    """Feeds a layer, or a model of such layers, one step at a time and remembers its state.

    Step by step gives the same bits as the whole sequence at once. A single layer runs in the
    native kernels with its weights packed beforehand, and so do those of a `torch.nn.Sequential`,
    in which a recurrent layer hands on its outputs, and all others read a step (B, F); another
    model is called on sequences of one step, with each recurrent layer starting where it stood.

    Args:
        layer_or_model: any layer of Carousel, or any module that holds some (see
            `carousel.accelerate` for those of torch). It is put into evaluation mode. Layers that
            read from the end (bidirectional) have no next step: ValueError.
        int8: whole numbers of eight bits in place of float32: weights as they are now, inputs,
            hidden states; two to four times as fast, with answers that differ in the third
            digit (see docs/int8.md). LSTM, GRU and RNN with tanh, without options:
            ValueError, with the reason, for others.
        calibration: of int8: inputs like those to come, as the model is called with (a tensor, or a
            tuple of arguments). The largest value of each feature fixes its range.

    The rows of the first step fix the number of streams B; `reset` forgets them. Weights may change
    between steps, in whatever way torch or NumPy write them, `.data` included: the next step uses
    the new ones. Where a layer computes its weights (pruning, weight norm, parametrizations), has
    hooks, or a `forward` of its own, each step calls it. Where somebody else refers to the memory
    of the weights (a NumPy view, a `state_dict` that is kept, shared memory), each step compares
    all of them, and takes several times as long. Modules are to stay: where one was replaced by
    another, make a new stream.

    >>> import carousel
    >>> layer = carousel.GRU(3, 5)
    >>> stream = Stream(layer)
    >>> x = torch.randn(4, 2, 3)
    >>> whole = layer(x)[0]
    >>> all(torch.equal(stream.step(x[t]), whole[t]) for t in range(4))
    True
    """

    def __init__(
        self, layer_or_model: nn.Module, *, int8: bool = False, calibration: Any = None
    ) -> None:
        self.model = layer_or_model.eval()
        self._layers = [m for m in self.model.modules() if isinstance(m, Recurrent)]
        if not self._layers:
            raise ValueError(
                f"{type(layer_or_model).__name__} holds no carousel layer to stream: see "
                f"carousel.accelerate for torch's"
            )
        for layer in self._layers:
            if layer.bidirectional:
                raise ValueError(f"{layer} reads from the end: it cannot be streamed")
        self._states: list[Any] = [None] * len(self._layers)
        self._stepper: kernels.Stepper | None = None
        self._feed: Callable[[Tensor, Tensor | None], Any] = _nothing_prepared
        self._past = 0
        self._int8: list[Int8Call] | None = None
        self._row: Row | None = None
        if is_row(self.model):
            self._row = self._row_of(int8, calibration)
            return
        self._int8 = self._calibrated(calibration) if int8 else None

    @torch.no_grad()
    def _row_of(self, int8: bool, calibration: Any) -> Row:
        """The layers of a Sequential; of its calibration, each gets what comes to it."""

        def stream_of(layer: Recurrent, given: Any) -> Stream:
            return Stream(layer, int8=int8, calibration=given)

        return Row(self.model, stream_of, calibration if int8 else None)

    @torch.no_grad()
    def _calibrated(self, calibration: Any) -> list[Int8Call]:
        """The layers in eight bits, with the ranges that inputs like those to come have."""
        layers = recurrent_layers(self.model)
        if calibration is None:
            raise ValueError(
                "int8=True needs calibration=: inputs like those to come, as the model is called "
                "with, for the range of each feature"
            )
        given = calibration if isinstance(calibration, tuple) else (calibration,)
        with noting_ranges(layers) as ranges:
            self.model(*given)
        return [Int8Call(*pair) for pair in zip(layers, ranges, strict=True)]

    @property
    def saturated(self) -> int:
        """Inputs of an int8 stream so far that were beyond the range of calibration, or NaN: each
        was read as the end of its range. 0 of other streams."""
        if self._row is not None:
            return sum(stream.saturated for stream in self._row.streams)
        found = self._past + sum(call.saturated for call in self._int8 or ())
        now = self._stepper
        return found + (now.saturated if isinstance(now, kernels.Int8Stepper) else 0)

    @property
    def state(self) -> Any:
        """The state so far, as the layer's hx (h or (h, c)); of a model, a list of them.

        None before the first step. Setting it continues from there: the tensors are copied.
        """
        if self._row is not None:
            return [stream.state for stream in self._row.streams]
        if self._stepper is not None:
            self._states[0] = self._stepper.state
        return self._states[0] if self.model is self._layers[0] else self._states

    @state.setter
    def state(self, state: Any) -> None:
        self.reset()
        if self._row is not None:
            for stream, part in zip(self._row.streams, state, strict=True):
                stream.state = part
            return
        self._states = [state] if self.model is self._layers[0] else list(state)

    def reset(self) -> None:
        """Forget: the next step is the first one, with any number of rows."""
        for stream in self._row.streams if self._row is not None else ():
            stream.reset()
        self._leave()
        self._states = [None] * len(self._layers)

    def _leave(self) -> None:
        """Let the stepper go, but not what it counted."""
        if isinstance(self._stepper, kernels.Int8Stepper):
            self._past += self._stepper.saturated
        self._stepper, self._feed = None, _nothing_prepared

    def step(self, x_t: Tensor, out: Tensor | None = None) -> Tensor:
        """The output for the next input.

        x_t: (B, I). out: memory for the result of a layer, (B, P), contiguous; with it, a step
            allocates nothing.
        Returns (B, P) of a layer; of a model its output, without the axis of time if it has one.
        """
        # A step takes less than a microsecond: a frame of our own would be a tenth of it.
        y = self._feed(x_t, out)
        return self._step_other(x_t, out) if y is None else y

    def _step_other(self, x_t: Tensor, out: Tensor | None) -> Tensor:
        """A step of what the compiled module has refused."""
        if self._stepper is not None:
            y = self._stepper.step_other(x_t, out)
            if y is not None:
                return y
        return self._start(x_t, out)

    @torch.no_grad()
    def _start(self, x_t: Tensor, out: Tensor | None) -> Tensor:
        """A step that finds nothing prepared."""
        if self._row is not None:
            self._feed = self._row.feed
            return self._row.feed(x_t, out)
        if self.model is not self._layers[0]:
            return self._step_model(x_t)
        self._stepper = self._prepare(x_t)
        if self._stepper is not None:
            self._feed = self._stepper.feed
            y = self._stepper.step_other(x_t, out)
            assert y is not None
        else:
            y, self._states[0] = self._layers[0].step(x_t, self._states[0])
            if out is not None:
                y = out.copy_(y)
        return y

    def _prepare(self, x_t: Tensor) -> kernels.Stepper | None:
        """A stepper for the layer as it is now, from the state so far; None if not native."""
        layer = self._layers[0]
        hx = self.state
        self._leave()
        self._states[0] = hx
        if x_t.dim() != 2:
            raise ValueError(f"a step is (B, I), got {x_t.dim()}-D; of one stream: x[None]")
        x = x_t.unsqueeze(1 if layer.batch_first else 0)
        state = layer.checked_state(x, hx)
        if self._int8 is not None:
            return kernels.Int8Stepper(self._int8[0].stack, state)
        if _has_ways_of_its_own(layer) or layer.path(x).name != "native":
            return None
        quiet = [*_HOOKS_OF_ALL, *(vars(layer)[name] for name in _HOOKS)]
        watch = kernels.Watch(layer.weights(), layer._parameters, layer.weight_names(), quiet)
        with torch.autocast("cpu", enabled=False):  # a stream goes by the layer's own precision
            stack = layer.stack()
        return kernels.make_stepper(stack, watch, state)

    def _step_model(self, x_t: Tensor) -> Tensor:
        hooks = []
        time = 1 if self._layers[0].batch_first else 0
        for index, layer in enumerate(self._layers):
            hooks += self._hooks(index, layer)
        try:
            with replaced(self._int8 or ()):
                y: Tensor = self.model(x_t.unsqueeze(time))
        finally:
            for hook in hooks:
                hook.remove()
        return y.squeeze(time) if y.dim() == 3 and y.size(time) == 1 else y

    def _hooks(self, index: int, layer: Recurrent) -> list[Any]:
        def give(module: nn.Module, args: Any, kwargs: Any) -> Any:
            if len(args) > 1 or "hx" in kwargs:
                raise ValueError("the model gives its recurrent layer a state: it is not streamed")
            return args, {**kwargs, "hx": self._states[index]}

        def take(module: nn.Module, args: Any, output: Any) -> None:
            self._states[index] = output[1]

        return [
            layer.register_forward_pre_hook(give, with_kwargs=True),
            layer.register_forward_hook(take),
        ]


def _nothing_prepared(x_t: Tensor, out: Tensor | None) -> None:
    """Feed of a stream that has packed no weights: it takes no step."""


# What runs around a module's forward, of its own and of all modules; both are never replaced.
_HOOKS = ("_forward_pre_hooks", "_forward_hooks")
_HOOKS_OF_ALL = (modules._global_forward_pre_hooks, modules._global_forward_hooks)


def _has_ways_of_its_own(layer: Recurrent) -> bool:
    """True if a call of the layer is more than its cells with its parameters."""
    return (
        type(layer).forward is not Recurrent.forward
        or "forward" in vars(layer)
        or any(_HOOKS_OF_ALL)
        or any(vars(layer)[name] for name in _HOOKS)
        or any(layer._parameters.get(name) is None for name in layer.weight_names())
    )
