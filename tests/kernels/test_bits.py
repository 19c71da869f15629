"""What must not change a single bit: threads, neighbours, pieces, training or not, one more run."""

import functools

import pytest
import torch
from compiled import ISAS, assert_same_bits, by_native, call, layer_of, tensors, threads
from oracle import KINDS, as_tuple, randn, random_state

from carousel import kernels

each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True, params=ISAS)
def isa(request, monkeypatch):
    monkeypatch.setenv("CAROUSEL_ISA", request.param)
    return request.param


# (T, B, I, H): one row; fewer rows than threads; sizes no vector divides; shared by units.
SHAPES = [(9, 1, 37, 210), (7, 2, 64, 100), (7, 13, 17, 37), (2, 4, 405, 405)]
LENGTHS = {1: [6], 2: [3, 7], 13: [7, 0, 3, 1, 7, 2, 5, 4, 6, 0, 1, 7, 2], 4: [1, 2, 0, 2]}
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@functools.cache
def cached_layer(kind, inputs, hidden, **options):
    return layer_of(kind, inputs, hidden, **options)


def problem(kind, shape, **options):
    T, B, inputs, H = shape
    layer = cached_layer(kind, inputs, H, **options)
    return layer, randn(T, B, inputs, seed=2, dtype=torch.float32), random_state(layer, B)


def forward(layer, x, hx, lengths=None, packed=False):
    with torch.no_grad(), kernels.use("native"):
        return tensors(call(layer, lengths, packed)(x, hx))


def rows_of(hx, rows):
    parts = tuple(part[:, rows] for part in as_tuple(hx))
    return parts if isinstance(hx, tuple) else parts[0]


@each_kind
@each_shape
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
def test_forward_bits_do_not_depend_on_threads(kind, shape, ragged):
    layer, x, hx = problem(kind, shape, bidirectional=True)
    lengths = LENGTHS[shape[1]] if ragged else None
    with threads(1):
        alone = forward(layer, x, hx, lengths)
    for count in (2, 3):
        with threads(count):
            assert_same_bits(forward(layer, x, hx, lengths), alone)


@each_kind
@each_shape
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
def test_row_alone_has_the_bits_of_the_row_in_a_batch(kind, shape, ragged):
    layer, x, hx = problem(kind, shape, bidirectional=True)
    T, B = shape[:2]
    lengths = LENGTHS[B] if ragged else [T] * B
    y, *state = forward(layer, x, hx, lengths if ragged else None)
    for row, steps in enumerate(lengths):
        if steps == 0:
            continue
        own = rows_of(hx, slice(row, row + 1))
        with threads(1 + row % 3):
            alone = forward(layer, x[:steps, row : row + 1], own)
        assert_same_bits(alone, [y[:steps, row : row + 1], *(s[:, row : row + 1] for s in state)])


@each_kind
def test_row_has_the_same_bits_in_a_batch_of_any_size(kind):
    """Rows are multiplied in tiles of up to six: each size of a tile is one of these batches."""
    layer, x, hx = problem(kind, (3, 19, 17, 70))
    y, *state = forward(layer, x, hx)
    for B in range(1, 19):
        assert_same_bits(
            forward(layer, x[:, :B], rows_of(hx, slice(B))), [y[:, :B], *(s[:, :B] for s in state)]
        )


@each_kind
def test_packed_sequence_has_the_bits_of_lengths(kind):
    layer, x, hx = problem(kind, SHAPES[2], bidirectional=True)
    lengths = [max(steps, 1) for steps in LENGTHS[13]]
    y, *state = forward(layer, x, hx, lengths)
    data, *packed_state = forward(layer, x, hx, lengths, packed=True)
    order = torch.tensor(lengths).argsort(descending=True, stable=True)
    rows = [y[t, row] for t in range(7) for row in order if lengths[row] > t]
    assert_same_bits([data, *packed_state], [torch.stack(rows), *state])


@each_kind
@each_shape
@pytest.mark.parametrize("batch_first", [False, True])
def test_pieces_have_the_bits_of_the_whole(kind, shape, batch_first):
    layer, x, hx = problem(kind, shape, batch_first=batch_first, num_layers=2)
    T, time_dim = shape[0], int(batch_first)
    x = x.transpose(0, 1) if batch_first else x
    whole = forward(layer, x, hx)
    for sizes in ([1] * T, [T - 1, 1]):
        outputs, state = [], hx
        for piece in x.split(sizes, time_dim):
            y, *parts = forward(layer, piece, state)
            outputs.append(y)
            state = tuple(parts) if isinstance(hx, tuple) else parts[0]
        assert_same_bits([torch.cat(outputs, time_dim), *as_tuple(state)], whole)


@each_kind
@each_shape
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
def test_inference_has_the_bits_of_training(kind, shape, ragged):
    layer, x, hx = problem(kind, shape, bidirectional=True)
    lengths = LENGTHS[shape[1]] if ragged else None
    with kernels.use("native"):
        training = [t.detach() for t in tensors(layer(x, hx, lengths))]
        with torch.inference_mode():
            inference = tensors(layer(x, hx, lengths))
    assert_same_bits(inference, training)


@each_kind
@each_shape
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_backward_gives_the_same_bits_from_run_to_run(kind, shape, ragged, count):
    layer, x, hx = problem(kind, shape, bidirectional=True)
    lengths = LENGTHS[shape[1]] if ragged else None
    with threads(count):
        first = by_native(layer, x, hx, lengths)
        assert_same_bits(by_native(layer, x, hx, lengths), first)


@each_kind
@each_shape
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("count", [1, 2])
def test_gradients_are_the_same_bits_without_an_initial_state_as_from_zeros(
    kind, shape, ragged, count
):
    """Without one, nothing is computed for the gradient of the state before the first step."""
    layer, x, hx = problem(kind, shape, bidirectional=True)
    zeros = tuple(map(torch.zeros_like, hx)) if isinstance(hx, tuple) else torch.zeros_like(hx)
    lengths = LENGTHS[shape[1]] if ragged else None
    with threads(count):
        without = by_native(layer, x, None, lengths)
        given = by_native(layer, x, zeros, lengths)
    assert_same_bits({name: given[name] for name in without}, without)
