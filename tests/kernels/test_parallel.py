"""Cells without a recurrent product: kernels against the oracle, and bits that must not move."""

import functools
import warnings

import parallel_layers
import pytest
import torch
from compiled import ISAS, assert_same_bits, by_native, by_oracle, call, on_isa, tensors, threads
from hypothesis import given, note, settings
from oracle import assert_close, assert_same, evaluate, randn
from parallel_layers import KINDS, make, mapped, state_of
from random_problems import Problem, problems
from torch.nn.utils.rnn import pack_padded_sequence

from carousel import kernels
from carousel.cells.states import hx_of, states_of

each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(params=ISAS)
def isa(request, monkeypatch):
    monkeypatch.setenv("CAROUSEL_ISA", request.param)
    return request.param


# Always the same problems, as in test_native: relu has a kink that rounding can cross.
@given(problems(parallel_layers, KINDS, 40))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_any_problem_equals_the_oracle(problem):
    arguments = problem.make()
    expected = by_oracle(*arguments)
    for isa in ISAS:
        note(isa)
        with on_isa(isa), threads(problem.threads):
            assert_same(by_native(*arguments), expected)


@functools.cache
def long(kind):
    arguments = Problem(parallel_layers, kind, 300, 3, 5, 70, lengths=[300, 0, 131]).make()
    return arguments, by_oracle(*arguments)


@each_kind
@pytest.mark.parametrize("count", [1, 2, 3])
def test_long_sequence_equals_the_oracle(kind, count, isa):
    """Many chunks of rows, in which one ends and of which one is empty."""
    arguments, expected = long(kind)
    with threads(count):
        assert_same(by_native(*arguments), expected)


@each_kind
@pytest.mark.parametrize("count", [1, 2, 3])
def test_many_rows_equal_the_oracle(kind, count, isa):
    """One panel of units: threads share the rows."""
    arguments = Problem(parallel_layers, kind, 3, 431, 3, 5).make()
    with threads(count):
        assert_same(by_native(*arguments), by_oracle(*arguments))


# ---- bits

# (T, B, I, H): one row; fewer rows than threads; sizes no vector divides; more units than inputs;
# as many, so that inputs may skip the gates as they are.
SHAPES = [(9, 1, 37, 210), (7, 2, 64, 100), (7, 13, 17, 37), (2, 4, 3, 405), (7, 13, 37, 37)]
LENGTHS = {1: [6], 2: [3, 7], 13: [7, 0, 3, 1, 7, 2, 5, 4, 6, 0, 1, 7, 2], 4: [1, 2, 0, 2]}
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
full_or_ragged = pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])


def problem(kind, shape, **options):
    T, B, inputs, H = shape
    layer = make(kind, inputs, H, **options)
    return layer, randn(T, B, inputs, seed=2, dtype=torch.float32), state_of(layer, B)


def forward(layer, x, hx, lengths=None, packed=False):
    with torch.no_grad(), kernels.use("native"):
        return tensors(call(layer, lengths, packed)(x, hx))


@each_kind
@each_shape
@full_or_ragged
def test_forward_bits_do_not_depend_on_threads(kind, shape, ragged, isa):
    layer, x, hx = problem(kind, shape, bidirectional=True)
    lengths = LENGTHS[shape[1]] if ragged else None
    with threads(1):
        alone = forward(layer, x, hx, lengths)
    for count in (2, 3):
        with threads(count):
            assert_same_bits(forward(layer, x, hx, lengths), alone)


@each_kind
@each_shape
def test_row_alone_has_the_bits_of_the_row_in_a_batch(kind, shape, isa):
    layer, x, hx = problem(kind, shape, bidirectional=True)
    lengths = LENGTHS[shape[1]]
    y, *states = forward(layer, x, hx, lengths)
    for row, steps in enumerate(lengths):
        if steps == 0:
            continue
        only = slice(row, row + 1)
        alone = forward(layer, x[:steps, only], mapped(lambda part: part[:, only], hx))  # noqa: B023
        assert_same_bits(alone, [y[:steps, only], *(state[:, only] for state in states)])


@each_kind
@each_shape
@pytest.mark.parametrize("batch_first", [False, True])
def test_pieces_have_the_bits_of_the_whole(kind, shape, batch_first, isa):
    layer, x, hx = problem(kind, shape, batch_first=batch_first, num_layers=2)
    T, time_dim = shape[0], int(batch_first)
    x = x.transpose(0, 1) if batch_first else x
    whole = forward(layer, x, hx)
    for sizes in ([1] * T, [T - 1, 1]):
        outputs, state = [], hx
        for piece in x.split(sizes, time_dim):
            y, *states = forward(layer, piece, state)
            state = hx_of(tuple(states))
            outputs.append(y)
        assert_same_bits([torch.cat(outputs, time_dim), *states], whole)


@each_kind
@each_shape
@full_or_ragged
def test_inference_has_the_bits_of_training(kind, shape, ragged, isa):
    layer, x, hx = problem(kind, shape, bidirectional=True)
    lengths = LENGTHS[shape[1]] if ragged else None
    with kernels.use("native"):
        training = [t.detach() for t in tensors(layer(x, hx, lengths))]
    assert_same_bits(forward(layer, x, hx, lengths), training)


@each_kind
def test_packed_sequence_has_the_bits_of_lengths(kind, isa):
    layer, x, hx = problem(kind, SHAPES[2], bidirectional=True)
    lengths = [max(steps, 1) for steps in LENGTHS[13]]
    y, *states = forward(layer, x, hx, lengths)
    data, *packed_states = forward(layer, x, hx, lengths, packed=True)
    order = torch.tensor(lengths).argsort(descending=True, stable=True)
    rows = [y[t, row] for t in range(7) for row in order if lengths[row] > t]
    assert_same_bits([data, *packed_states], [torch.stack(rows), *states])


@each_kind
@pytest.mark.parametrize("count", [1, 2, 3])
def test_backward_gives_the_same_bits_from_run_to_run(kind, count, isa):
    layer, x, hx = problem(kind, SHAPES[2], bidirectional=True)
    with threads(count):
        first = by_native(layer, x, hx, LENGTHS[13])
        assert_same_bits(by_native(layer, x, hx, LENGTHS[13]), first)


# ---- inputs that are hard

T, B, INPUTS, H = 6, 5, 7, 19
RAGGED = [3, 0, 6, 1, 4]
HARD = (T, B, INPUTS, H)


@each_kind
@pytest.mark.parametrize("garbage", [torch.nan, torch.inf, 3e38])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}], ids=str)
def test_garbage_in_the_padding_does_not_matter(kind, garbage, options, isa):
    layer, x, hx = problem(kind, HARD, **options)
    dirty = x.clone()
    dirty[torch.arange(T)[:, None] >= torch.tensor(RAGGED)] = garbage
    clean = by_native(layer, x, hx, RAGGED)
    for name, tensor in by_native(layer, dirty, hx, RAGGED).items():
        assert torch.equal(tensor, clean[name]), name


@each_kind
@pytest.mark.parametrize("scale", [30.0, 1e3, 1e6])
def test_huge_sums_saturate_and_stay_finite(kind, scale, isa):
    layer, x, hx = problem(kind, HARD)
    actual, expected = by_native(layer, scale * x, hx), by_oracle(layer, scale * x, hx)
    for name in expected:
        assert actual[name].isfinite().all(), name
        if name.startswith("gradient"):
            continue
        if kind == "QRNN-two":  # its sum has two large parts, and what is left of them fewer digits
            within = 1e-4 * expected[name].abs().max().item()
            torch.testing.assert_close(actual[name], expected[name], rtol=0, atol=within)
        else:
            assert_close(actual[name], expected[name], "forward", name)


@each_kind
@pytest.mark.parametrize("value", [torch.inf, -torch.inf])
def test_infinite_input_is_infinite_or_nan_where_the_oracle_is(kind, value, isa):
    layer, x, hx = problem(kind, HARD)
    x[2, 1, 3] = value
    actual, expected = by_native(layer, x, hx), by_oracle(layer, x, hx, dtype=torch.float32)
    for name in expected:
        if not name.startswith("gradient"):
            assert torch.equal(actual[name].isfinite(), expected[name].isfinite()), name


def poison(tensor, *place):
    with torch.no_grad():
        tensor[place] = torch.nan


POISONED = {
    "input": lambda layer, x, hx: poison(x, 1, 4, 3),
    "input of the last step": lambda layer, x, hx: poison(x, T - 1, 2, 0),
    "a whole step": lambda layer, x, hx: poison(x, 1),
    "state": lambda layer, x, hx: poison(states_of(hx)[-1], 0, 2, 1),
    "input weight": lambda layer, x, hx: poison(layer.weight_ih_l0, 4, 1),
    "bias": lambda layer, x, hx: poison(first_bias(layer), 18),
}


def first_bias(layer):
    return next(p for name, p in layer.named_parameters() if name.startswith("bias"))


@each_kind
@pytest.mark.parametrize("where", POISONED)
def test_nan_appears_where_the_oracle_has_it(kind, where, isa):
    layer, x, hx = problem(kind, HARD, bidirectional=True)
    POISONED[where](layer, x, hx)
    expected = by_oracle(layer, x, hx)
    assert any(tensor.isnan().any() for tensor in expected.values())
    assert_same(by_native(layer, x, hx), expected)


LAYOUTS = {
    "second axis first": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "features first": lambda x: x.permute(2, 0, 1).contiguous().permute(1, 2, 0),
    "part of wider features": lambda x: torch.cat([x, x], -1)[..., : x.shape[-1]],
    "misaligned": lambda x: torch.cat([x.new_zeros(1), x.flatten()])[1:].view(x.shape),
}


@each_kind
@pytest.mark.parametrize("layout", LAYOUTS)
@full_or_ragged
def test_layout_in_memory_does_not_matter(kind, layout, ragged, isa):
    layer, x, hx = problem(kind, HARD, bidirectional=True)
    place, lengths = LAYOUTS[layout], RAGGED if ragged else None

    def run(x, hx):  # placed inside: what is evaluated is a copy
        y, state = layer(place(x), mapped(place, hx), lengths)
        return place(y), state

    with kernels.use("native"):
        actual = evaluate(run, x, hx, layer.named_parameters())
    assert_same(actual, by_oracle(layer, x, hx, lengths))


@each_kind
def test_slope_of_the_candidate_is_the_oracles_on_both_sides_of_zero(kind, isa):
    """Sums of a few units in the last place around the kink of g."""
    if kind not in ("MinGRU", "MinLSTM"):
        pytest.skip("this candidate has no g")
    layer = make(kind, 1, 4)
    gate = layer.weight_ih_l0.size(0) - 4  # of the candidate
    with torch.no_grad():
        layer.bias_ih_l0.zero_()
        layer.weight_ih_l0[gate:] = torch.tensor([1e-8, -1e-8, 1e-6, -1e-6])[:, None]
    x = torch.ones(3, 2, 1)
    assert_same(by_native(layer, x), by_oracle(layer, x))


# ---- as operators of torch


@each_kind
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_second_derivative_equals_the_oracle(kind, packed):
    layer, x, _ = problem(kind, (4, 3, 3, 5), num_layers=2, bidirectional=True)

    def second(path):
        with kernels.use(path):
            leaf = x.clone().requires_grad_()
            sequence = leaf
            if packed:
                sequence = pack_padded_sequence(leaf, torch.tensor([2, 4, 1]), enforce_sorted=False)
            loss = sum(output.square().sum() for output in tensors(layer(sequence)))
            (first,) = torch.autograd.grad(loss, leaf, create_graph=True)
            names = dict(layer.named_parameters())
            twice = torch.autograd.grad(first.square().sum(), [leaf, *names.values()])
        return dict(zip(["x", *names], twice, strict=True))

    expected = second("cells")
    for name, actual in second("native").items():
        assert_close(actual, expected[name], "gradient", name)


@each_kind
@full_or_ragged
def test_operators_keep_their_promises(kind, ragged):
    layer, x, hx = problem(kind, (4, 3, 3, 5), bidirectional=True)
    rows = (torch.tensor([1, 0, 2]), torch.tensor([4, 2, 1]), None) if ragged else (None,) * 3
    weights, kind = layer.weights(), (None, layer.mode, "TBI", True, 0, "", [])
    operands = [tensor.detach().requires_grad_() for tensor in (x, *states_of(hx))]
    checks = ["test_schema", "test_faketensor", "test_autograd_registration"]
    for save in (True, False):
        torch.library.opcheck(
            torch.ops.carousel.layer.default,
            (operands[0], operands[1:], weights, *rows, *kind, save),
            test_utils=checks,
        )
    states = [state.detach() for state in states_of(hx)]
    inputs = (x, states, [weight.detach() for weight in weights], *rows, *kind)
    y, _, saved = torch.ops.carousel.layer(*inputs, True)
    torch.library.opcheck(
        torch.ops.carousel.layer_backward.default,
        (*inputs, y, saved, torch.ones_like(y), torch.ones_like(states[0]), None, True),
        test_utils=["test_schema", "test_faketensor"],
    )


@each_kind
@pytest.mark.slow
def test_compiled_whole_equals_eager(kind):
    import torch._dynamo

    layer, x, hx = problem(kind, (4, 3, 3, 5), num_layers=2, bidirectional=True)
    torch._dynamo.reset()
    with warnings.catch_warnings():  # torch's own, of what it uses inside
        warnings.simplefilter("ignore")
        run = torch.compile(lambda x, hx: layer(x, hx), backend="aot_eager", fullgraph=True)
        actual = evaluate(run, x, hx, layer.named_parameters())
    torch._dynamo.reset()
    assert_same_bits(actual, by_native(layer, x, hx))


# ---- which path


@each_kind
def test_what_the_kernels_cannot_take_goes_to_the_oracle_and_says_so(kind):
    layer = make(kind, 3, 5)
    x = torch.zeros(4, 2, 3)
    assert layer.explain(x).startswith("native: ")
    name = type(layer).__name__
    assert layer.double().explain(x.double()) == f"cells: float64; torch has no {name}"
    with kernels.use("torch"), pytest.raises(RuntimeError, match=f"torch has no {name}"):
        layer.float()(x)
