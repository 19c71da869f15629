"""The compiled kernels on tensors: one recurrent layer, all its directions, forward and backward.

Nothing here decides whether the kernels apply (see `carousel.kernels.ops`), and nothing here is
differentiable (see `carousel.kernels.library`). Tensors are float32 on the CPU.

Letters: T steps, B rows, I inputs, H hidden units, P outputs (P = H without a projection),
D directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from carousel import _native
from carousel.kernels import parallel
from carousel.kernels.options import PLAIN, Options
from carousel.kernels.watch import Watch, address_of

CELLS = {"LSTM": 0, "GRU": 1, "RNN_TANH": 2, "RNN_RELU": 3} | {
    mode: 4 + index for index, mode in enumerate(parallel.GATES)
}
_GATES = {"GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}  # the LSTM's depend on its options
_LARGE = 1 << 20  # floats from which large pages pay


@dataclass(frozen=True)
class Layer:
    """What the kernels must know of one layer besides its tensors.

    mode: torch's name of the cell.
    layout: "TBI" or "BTI" of padded input (T, B, I) or (B, T, I); "packed" for the data (N, I) of
        a `PackedSequence`.
    checkpoint_every: keep for the backward pass only the cell states of every so many steps, and
        compute the rest again (0: keep everything).
    options: what the cell does differently from torch's.
    """

    mode: str
    layout: str
    directions: int
    bias: bool
    hidden_size: int
    outputs: int
    checkpoint_every: int = 0
    options: Options = PLAIN

    @classmethod
    def of(
        cls,
        mode: str,
        layout: str,
        bidirectional: bool,
        weights: list[Tensor],
        checkpoint_every: int = 0,
        options: Options = PLAIN,
    ) -> Layer:
        """The layer that has these weights (torch's flat list, direction by direction)."""
        if mode in parallel.GATES:
            hidden, biased = parallel.shape_of(mode, bidirectional, weights)
            return cls(mode, layout, 1 + bidirectional, biased, hidden, hidden)
        gates = len(options.gates) if mode == "LSTM" else _GATES[mode]
        hidden, outputs = weights[1].size(0) // gates, weights[1].size(1)
        directions = 2 if bidirectional else 1
        more = (outputs != hidden) + options.peephole + len(_gains(mode, options))
        biased = len(weights) // directions - more == 4
        return cls(mode, layout, directions, biased, hidden, outputs, checkpoint_every, options)

    @property
    def projected(self) -> bool:
        return self.outputs != self.hidden_size

    def steps_and_rows(self, x: Tensor, lengths: Lengths | None) -> tuple[int, int]:
        if self.layout == "packed":
            assert lengths is not None
            assert lengths.steps is not None
            return len(lengths.steps), len(lengths.order)
        return (x.size(0), x.size(1)) if self.layout == "TBI" else (x.size(1), x.size(0))


@dataclass(frozen=True)
class Lengths:
    """Sequences of unequal length: rows in falling order of their lengths.

    order, sorted: (B,) int64 on the CPU, rows and their lengths.
    steps: for packed data (T,) int64, how many rows of the data stand before each step.
    """

    order: Tensor
    sorted: Tensor
    steps: Tensor | None = None


def forward(
    layer: Layer,
    x: Tensor,
    lengths: Lengths | None,
    state: tuple[Tensor, ...],
    weights: list[Tensor],
    save: bool,
    seed: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """Outputs like x with D * P features, final states like `state`, what backward needs.

    state: (h, c) or (h,), each (D, B, ·); weights: torch's flat list, direction by direction, and
    after each direction's the peepholes; seed: (D,) int64 of the masks, if the options draw any.
    """
    x, state, weights = _contiguous(x, state, weights)
    y = _empty(x, (*x.shape[:-1], layer.directions * layer.outputs))
    final = tuple(torch.empty_like(part) for part in state)
    saved = x.new_empty(0)
    threads = torch.get_num_threads()
    for d in range(layer.directions):
        problem = _problem(layer, d, x, y, lengths, state, weights, seed)
        problem.hn = final[0][d].data_ptr()
        if len(final) == 2:
            problem.cn = final[1][d].data_ptr()
        if save:
            if d == 0:
                saved = _empty(x, (layer.directions, _native.saved_floats(problem)))
            problem.saved = saved[d].data_ptr()
        _native.forward(problem, threads)
    return y, final, saved


def backward(
    layer: Layer,
    x: Tensor,
    lengths: Lengths | None,
    state: tuple[Tensor, ...],
    weights: list[Tensor],
    y: Tensor,
    saved: Tensor,
    dy: Tensor | None,
    d_final: tuple[Tensor | None, ...],
    want_dx: bool,
    seed: Tensor | None = None,
) -> tuple[Tensor | None, tuple[Tensor, ...], list[Tensor]]:
    """Gradients of x (if wanted), of the initial states and of the weights."""
    x, state, weights = _contiguous(x, state, weights)
    dy = None if dy is None else _rows_contiguous(dy)
    d_final = tuple(None if part is None else part.contiguous() for part in d_final)
    dx = _empty(x, x.shape) if want_dx else None
    d_state = tuple(torch.empty_like(part) for part in state)
    d_weights = [torch.empty_like(weight) for weight in weights]
    threads = torch.get_num_threads()
    for d in range(layer.directions):
        problem = _problem(layer, d, x, y, lengths, state, weights, seed)
        problem.saved = saved[d].data_ptr()
        matrices = _of_direction(layer, d_weights, d)
        if dy is not None:
            problem.set_dy(*_rows(layer, dy, lengths, d * layer.outputs))
        if dx is not None:
            problem.set_dx(*_rows(layer, dx, lengths, 0))
            problem.add_to_dx = d == 1
        for name, gradient in zip(("dhn", "dcn"), d_final, strict=False):
            if gradient is not None:
                setattr(problem, name, gradient[d].data_ptr())
        for name, gradient in zip(("dh0", "dc0"), d_state, strict=False):
            setattr(problem, name, gradient[d].data_ptr())
        for name, gradient in zip(_names(layer), matrices, strict=True):
            setattr(problem, "d" + name, gradient.data_ptr())
        if layer.mode not in parallel.GATES:
            _native.backward(problem, threads)
            continue
        da = _empty(x, (*x.shape[:-1], len(matrices[0])))
        problem.set_da(*_rows(layer, da, lengths, 0))
        _native.backward(problem, threads)
        weight = _of_direction(layer, weights, d)[0]
        parallel.products(layer.layout, lengths, x, da, weight, matrices, layer.bias, dx, d == 1)
    return dx, d_state, d_weights


def saved_floats(layer: Layer, steps: int, rows: int) -> int:
    """Floats that the forward pass of one direction saves."""
    one = _native.Problem(CELLS[layer.mode], 1, 1, 1, layer.hidden_size, layer.outputs, False, True)
    _set_options(one, layer, 0)
    one.segment = layer.checkpoint_every
    kept = -(-steps // layer.checkpoint_every) if layer.checkpoint_every else steps
    return kept * rows * _native.saved_floats(one)


def _problem(
    layer: Layer,
    direction: int,
    x: Tensor,
    y: Tensor,
    lengths: Lengths | None,
    state: tuple[Tensor, ...],
    weights: list[Tensor],
    seed: Tensor | None,
) -> _native.Problem:
    steps, rows = layer.steps_and_rows(x, lengths)
    problem = _native.Problem(
        CELLS[layer.mode],
        steps,
        rows,
        x.size(-1),
        layer.hidden_size,
        layer.outputs,
        direction == 1,
        layer.layout != "packed",
    )
    _set_options(problem, layer, 0 if seed is None else int(seed[direction]))
    problem.segment = layer.checkpoint_every
    problem.set_x(*_rows(layer, x, lengths, 0))
    problem.set_y(*_rows(layer, y, lengths, direction * layer.outputs))
    if lengths is not None:
        problem.order = lengths.order.data_ptr()
        problem.lengths = lengths.sorted.data_ptr()
    for name, part in zip(("h0", "c0"), state, strict=False):
        setattr(problem, name, address_of(part[direction]))
    for name, weight in zip(_names(layer), _of_direction(layer, weights, direction), strict=True):
        setattr(problem, name, address_of(weight))
    return problem


def _set_options(problem: _native.Problem, layer: Layer, seed: int) -> None:
    options = layer.options
    if not options.in_cell:
        return
    own = options.activation or ("relu" if layer.mode == "RNN_RELU" else "tanh")
    problem.set_options(
        activation="identity" if options.variant == "NIAF" else own,
        output="identity" if options.variant == "NOAF" else own,
        hard_gates=options.gate_activation == "hard_sigmoid",
        gates=options.gates,
        peephole=options.peephole,
        coupled=options.coupled,
        zone_cell=options.zoneout_cell,
        zone_state=options.zoneout_state,
        candidate=options.recurrent_dropout,
        product=options.state_dropout,
        each_step=options.each_step,
        draws=options.draws,
        seed=seed,
        layer_norm=options.layer_norm,
        reset_first=options.reset_first,
    )


def _rows(
    layer: Layer, array: Tensor, lengths: Lengths | None, offset: int
) -> tuple[int, int, int, int]:
    """Where the rows of a (T, B, ·) array stand, from feature `offset` on."""
    address = address_of(array) + 4 * offset
    if layer.layout == "packed":
        assert lengths is not None
        assert lengths.steps is not None
        return address, 0, array.stride(0), lengths.steps.data_ptr()
    first, second = array.stride(0), array.stride(1)
    return (address, first, second, 0) if layer.layout == "TBI" else (address, second, first, 0)


def _names(layer: Layer) -> tuple[str, ...]:
    if layer.mode in parallel.GATES:
        return parallel.names(layer.mode, layer.bias)
    names = ("w_ih", "w_hh", "b_ih", "b_hh") if layer.bias else ("w_ih", "w_hh")
    names = (*names, "w_hr") if layer.projected else names
    names = (*names, "w_c") if layer.options.peephole else names
    return (*names, *_gains(layer.mode, layer.options))


def _gains(mode: str, options: Options) -> tuple[str, ...]:
    """The weights of layer normalisation, the last of each direction."""
    if not options.layer_norm:
        return ()
    if mode == "LSTM":
        return ("w_ln_ih", "w_ln_hh", "w_ln_c", "b_ln_c")
    return ("w_ln_ih", "w_ln_hh") if mode == "GRU" else ("w_ln_hh",)


def _of_direction(layer: Layer, weights: list[Tensor], direction: int) -> list[Tensor]:
    count = len(weights) // layer.directions
    return weights[direction * count : (direction + 1) * count]


def _contiguous(
    x: Tensor, state: tuple[Tensor, ...], weights: list[Tensor]
) -> tuple[Tensor, tuple[Tensor, ...], list[Tensor]]:
    return (
        _rows_contiguous(x),
        tuple(part.contiguous() for part in state),
        [weight.contiguous() for weight in weights],
    )


def _rows_contiguous(array: Tensor) -> Tensor:
    """The features of a row side by side; steps and rows may lie anywhere."""
    return array if array.stride(-1) == 1 else array.contiguous()


def _empty(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    memory = like.new_empty(shape)
    if memory.numel() >= _LARGE:
        _native.prefer_large_pages(memory.data_ptr(), 4 * memory.numel())
    return memory


class Stepper:
    """A stack of one direction, fed one step at a time, its weights packed once.

    watch: the weights, and whether they are still what was packed.
    state: (h, c) or (h,), each (L, B, ·): where the stack stands; copied, then changed in place.
    """

    def __init__(self, layers: list[Layer], watch: Watch, state: tuple[Tensor, ...]) -> None:
        self._state = tuple(part.clone(memory_format=torch.contiguous_format) for part in state)
        self._watch, weights = watch, watch.weights
        self._x_shape = (state[0].size(1), weights[0].size(1))
        self._y_shape = (state[0].size(1), layers[-1].outputs)
        self._fresh: list[Tensor] = []
        per_layer = len(weights) // len(layers)
        problems = []
        for index, layer in enumerate(layers):
            matrices = [w.contiguous() for w in weights[index * per_layer :][:per_layer]]
            problem = _native.Problem(
                CELLS[layer.mode],
                1,
                state[0].size(1),
                matrices[0].size(1),
                layer.hidden_size,
                layer.outputs,
                False,
                True,
            )
            _set_options(problem, layer, 0)
            for name, weight in zip(_names(layer), matrices, strict=True):
                setattr(problem, name, address_of(weight))
            problem.h0 = problem.hn = self._state[0][index].data_ptr()
            if len(state) == 2:
                problem.c0 = problem.cn = self._state[1][index].data_ptr()
            problems.append(problem)
        stepper = _native.Stepper(problems, torch.get_num_threads())
        self._advance = stepper.step
        self._feed = self._make_feed(stepper)

    def _make_feed(self, stepper: _native.Stepper) -> Callable[[Tensor, Tensor], bool]:
        """What takes a step with tensors if they fit; nothing where torch is older than 2.10, or
        the weights must be compared."""
        exchange, watch = getattr(Tensor, "__dlpack_c_exchange_api__", None), self._watch
        if exchange is None or not watch.by_address:
            return lambda x_t, out: False
        return _native.Feed(
            stepper,
            Tensor,
            exchange,
            tuple(watch.weights),
            watch.parameters,
            tuple(watch.names),
            tuple(watch.quiet),
            self._x_shape,
            self._y_shape,
        ).step

    @property
    def state(self) -> Tensor | tuple[Tensor, ...]:
        """A copy of the state, as a layer's hx."""
        copies = tuple(part.clone() for part in self._state)
        return copies if len(copies) == 2 else copies[0]

    def step(self, x_t: Tensor, out: Tensor | None = None) -> Tensor | None:
        """The output of x_t (B, I), written into `out` (B, P), contiguous, if given.

        None, and nothing done, if x_t does not fit, or the weights are no longer as packed.
        """
        # A step takes a microsecond: every line here counts.
        y = (self._fresh or self._outputs()).pop() if out is None else out
        if self._feed(x_t, y):
            return y
        return self._step_other(x_t, y)

    def _step_other(self, x_t: Tensor, out: Tensor) -> Tensor | None:
        """A step of what the fast path has refused."""
        if (
            x_t.shape != self._x_shape
            or x_t.dtype is not torch.float32
            or not x_t.is_cpu
            or not self._watch.unchanged()
        ):
            return None
        fits = out.shape == self._y_shape and out.dtype is torch.float32 and out.is_cpu
        if not (fits and out.is_contiguous()):
            raise ValueError(
                f"out must be a contiguous float32 tensor of shape {self._y_shape}, got "
                f"{out.dtype} of shape {tuple(out.shape)}"
            )
        x_t = x_t.contiguous()
        self._advance(x_t.data_ptr(), out.data_ptr())
        return out

    def _outputs(self) -> list[Tensor]:
        """Memory for the next outputs. To take a small tensor alone from torch costs as much as a
        step; those of one block share nothing but the memory's owner."""
        rows, features = self._y_shape
        count = max(1, min(64, (1 << 14) // max(1, rows * features)))
        # Whatever torch's defaults are, and whichever mode the steps to come are made in.
        with torch.inference_mode(False), torch.no_grad():
            block = torch.empty(count * rows, features, dtype=torch.float32, device="cpu")
            self._fresh = list(torch.unsafe_chunk(block, count)) if count > 1 else [block]
        return self._fresh
