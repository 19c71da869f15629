"""The compiled kernels on tensors: one recurrent layer, all its directions, forward and backward.

Nothing here decides whether the kernels apply (see `carousel.kernels.ops`), and nothing here is
differentiable (see `carousel.kernels.autograd`). Tensors are float32 on the CPU, of shapes that
`LayerSpec.check` has seen.

Letters: T steps, B rows, I inputs, H hidden units, P outputs (P = H without a projection),
D directions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from carousel import _native
from carousel.cells.table import mode_of
from carousel.errors import CarouselError
from carousel.kernels import arrays, parallel
from carousel.kernels.layer_spec import LayerSpec, Lengths
from carousel.kernels.products import product_of
from carousel.kernels.watch import address_of

_LARGE = 1 << 20  # floats from which large pages pay


def forward(
    spec: LayerSpec,
    x: Tensor,
    lengths: Lengths | None,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    save: bool,
    seed: Tensor | None = None,
) -> tuple[Tensor, list[Tensor], Tensor | None]:
    """Outputs like x with D * P features, final states (D, B, ·), what backward needs if `save`.

    state: as `CellSpec.states`, each (D, B, ·), or () for zeros; weights: as `CellSpec.weights`,
    direction by direction; seed: (D,) int64 of the masks, if the options draw any.
    """
    # A small layer takes a few microseconds: every line here counts.
    x, state, weights = _contiguous(x, state, weights)
    steps, rows = spec.steps_and_rows(x, lengths)
    y = empty(x, *x.shape[:-1], spec.directions * spec.outputs)
    final = [x.new_empty(spec.directions, rows, size) for size in spec.state_sizes]
    saved = None
    threads = torch.get_num_threads()
    for d in range(spec.directions):
        problem = _problem(spec, d, steps, rows, x, y, lengths, state, weights, seed)
        for name, part in zip(spec.states, final, strict=True):
            arrays.LAST_STATE[name](problem, _part(part, d))
        if save:
            if saved is None:
                saved = empty(x, spec.directions, _native.saved_floats(problem))
            problem.saved = _part(saved, d)
        try:
            _native.forward(problem, threads)
        except ValueError as error:  # CAROUSEL_ISA names none, or none that this CPU has
            raise CarouselError(str(error)) from None
    return y, final, saved


def backward(
    spec: LayerSpec,
    x: Tensor,
    lengths: Lengths | None,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    y: Tensor,
    saved: Tensor,
    dy: Tensor | None,
    d_final: Sequence[Tensor | None],
    want_dx: bool,
    seed: Tensor | None = None,
) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
    """Gradients of x (if wanted), of the initial states that were given and of the weights."""
    x, state, weights = _contiguous(x, state, weights)
    dy = None if dy is None else rows_contiguous(dy)
    d_final = [None if part is None else part.contiguous() for part in d_final]
    dx = empty(x, *x.shape) if want_dx else None
    d_state = [torch.empty_like(part) for part in state]
    d_before = d_state
    steps, rows = spec.steps_and_rows(x, lengths)
    if spec.parallel and not state:  # whose kernels write the gradient of any
        d_before = [x.new_empty(spec.directions, rows, size) for size in spec.state_sizes]
    d_weights = [_in_large_pages(torch.empty_like(weight)) for weight in weights]
    threads = torch.get_num_threads()
    for d in range(spec.directions):
        problem = _problem(spec, d, steps, rows, x, y, lengths, state, weights, seed)
        problem.saved = _part(saved, d)
        matrices = _of_direction(spec, d_weights, d)
        da = empty(x, *x.shape[:-1], spec.sums) if spec.parallel else None
        if spec.cell.projects and da is not None:
            given = da[..., : spec.hidden_size]
            parallel.output_gradient(spec, lengths, x, dy, d_final[0], d, given)
            of_states = given @ _of_direction(spec, weights, d)[1]
            problem.set_dy(*rows_of(spec.layout, of_states, lengths, 0))
        elif dy is not None:
            problem.set_dy(*rows_of(spec.layout, dy, lengths, d * spec.outputs))
        if dx is not None:
            problem.set_dx(*rows_of(spec.layout, dx, lengths, 0))
            problem.add_to_dx = d == 1
        for name, gradient in zip(spec.states, d_final, strict=False):  # the operator has four
            if gradient is not None:
                arrays.LAST_STATE_GRADIENTS[name](problem, _part(gradient, d))
        for name, gradient in zip(spec.states, d_before, strict=False):  # none, where none came
            arrays.FIRST_STATE_GRADIENTS[name](problem, _part(gradient, d))
        for name, gradient in zip(spec.names, matrices, strict=True):
            arrays.WEIGHT_GRADIENTS[name](problem, gradient.data_ptr())
        if da is None:
            _native.backward(problem, threads)
            continue
        left = spec.hidden_size if spec.cell.projects else 0
        problem.set_da(*rows_of(spec.layout, da, lengths, left))
        _native.backward(problem, threads)
        own = _of_direction(spec, weights, d)
        parallel.products(spec, lengths, x, da, own, matrices, dx, d == 1)
    return dx, d_state, d_weights


def saved_floats(spec: LayerSpec, steps: int, rows: int) -> int:
    """Floats that the forward pass of one direction saves."""
    inputs = spec.hidden_size + (not spec.direct)  # how many does not matter else
    one = _native.Problem(spec.number, 1, 1, inputs, spec.hidden_size, spec.outputs, False, True)
    one.heads, one.memory = spec.heads, spec.memory
    set_options(one, spec, 0)
    one.segment = spec.checkpoint_every
    kept = -(-steps // spec.checkpoint_every) if spec.checkpoint_every else steps
    return kept * rows * _native.saved_floats(one)


def _problem(
    spec: LayerSpec,
    direction: int,
    steps: int,
    rows: int,
    x: Tensor,
    y: Tensor,
    lengths: Lengths | None,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    seed: Tensor | None,
) -> _native.Problem:
    own_seed = 0 if seed is None else int(seed[direction])
    problem = problem_of(spec, direction, steps, rows, x.size(-1), weights, own_seed)
    problem.set_x(*rows_of(spec.layout, x, lengths, 0))
    problem.set_y(*rows_of(spec.layout, y, lengths, direction * spec.outputs))
    if lengths is not None:
        problem.order = lengths.order.data_ptr()
        problem.lengths = lengths.sorted.data_ptr()
    for name, part in zip(spec.states, state, strict=False):
        arrays.FIRST_STATE[name](problem, _part(part, direction))
    return problem


def problem_of(
    spec: LayerSpec,
    direction: int,
    steps: int,
    rows: int,
    inputs: int,
    weights: Sequence[Tensor],
    seed: int,
) -> _native.Problem:
    """One direction of a layer with its weights, contiguous, and no batch yet."""
    problem = _native.Problem(
        spec.number,
        steps,
        rows,
        inputs,
        spec.hidden_size,
        spec.outputs,
        direction == 1,
        spec.layout != "packed",
    )
    if not spec.plain or spec.options.precision:
        set_options(problem, spec, seed)
    if spec.heads > 1:
        problem.heads = spec.heads
    if spec.memory:
        problem.memory = spec.memory
    problem.segment = spec.checkpoint_every
    for name, weight in zip(spec.names, _of_direction(spec, weights, direction), strict=True):
        arrays.WEIGHTS[name](problem, address_of(weight))
    return problem


def set_options(problem: _native.Problem, spec: LayerSpec, seed: int) -> None:
    """Make the problem's cell one with options, if the spec has any, and its products what they
    are. seed: of the options' masks."""
    options = spec.options
    if options.precision:
        problem.product = product_of(options.precision).number
    if spec.plain:
        return
    own = options.activation or mode_of(spec.mode).nonlinearity or "tanh"
    problem.set_options(
        activation="identity" if options.variant == "NIAF" else own,
        output="identity" if options.variant == "NOAF" else own,
        hard_gates=options.gate_activation == "hard_sigmoid",
        gates=spec.cell.gates_with(options.value),
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


def rows_of(
    layout: str, array: Tensor, lengths: Lengths | None, offset: int
) -> tuple[int, int, int, int]:
    """Positions of the rows of a (T, B, ·) array, from feature `offset` on."""
    address = address_of(array) + 4 * offset
    if layout == "packed":
        assert lengths is not None
        assert lengths.steps is not None
        return address, 0, array.stride(0), lengths.steps.data_ptr()
    first, second, _ = array.stride()
    return (address, first, second, 0) if layout == "TBI" else (address, second, first, 0)


def _part(array: Tensor, direction: int) -> int:
    """Start of a direction's part in an array (D, …) whose parts are contiguous."""
    begin = address_of(array)
    return begin + 4 * array.stride(0) if direction else begin


def _of_direction(spec: LayerSpec, weights: Sequence[Tensor], direction: int) -> Sequence[Tensor]:
    if spec.directions == 1:
        return weights
    count = len(weights) // 2
    return weights[direction * count : (direction + 1) * count]


def _contiguous(
    x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor]
) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
    return (
        rows_contiguous(x),
        [part.contiguous() for part in state] if state else state,
        [weight.contiguous() for weight in weights],
    )


def rows_contiguous(array: Tensor) -> Tensor:
    """The features of a row side by side; steps and rows may lie anywhere."""
    return array if array.stride(-1) == 1 else array.contiguous()


def empty(like: Tensor, *shape: int) -> Tensor:
    """Memory for a result of a kernel, in large pages where those pay."""
    return _in_large_pages(like.new_empty(*shape))


def _in_large_pages(memory: Tensor) -> Tensor:
    if memory.numel() >= _LARGE:
        _native.prefer_large_pages(memory.data_ptr(), 4 * memory.numel())
    return memory
