"""The kernels of sLSTM and LMU against the oracle, and bits that must not move."""

import warnings

import own_layers
import pytest
import torch
from compiled import ISAS, assert_same_bits, by_native, by_oracle, call, on_isa, tensors, threads
from hypothesis import given, note, settings
from oracle import assert_close, assert_same, evaluate, randn
from own_layers import KINDS as ALL
from own_layers import make, rows_of, state_of
from random_problems import Problem, problems
from torch.nn.utils.rnn import pack_padded_sequence

from carousel import kernels

KINDS = [kind for kind in ALL if kind.startswith(("SLSTM", "LMU"))]
each_kind = pytest.mark.parametrize("kind", KINDS)
full_or_ragged = pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])


@pytest.fixture(params=ISAS)
def isa(request, monkeypatch):
    monkeypatch.setenv("CAROUSEL_ISA", request.param)
    return request.param


# Always the same problems: the stabiliser is a maximum, and relu another, whose kinks rounding can
# cross.
@given(problems(own_layers, KINDS, 30))
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
def test_any_problem_equals_the_oracle(problem):
    arguments = problem.make()
    expected = by_oracle(*arguments)
    for isa in ISAS:
        note(isa)
        with on_isa(isa), threads(problem.threads):
            assert_same(by_native(*arguments), expected)


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 6, 12, 24])
@pytest.mark.parametrize("count", [1, 2])
def test_any_number_of_heads_equals_the_oracle(heads, count, isa, monkeypatch):
    """Heads of 96 units to 4: larger and smaller than a vector, and across its ends."""
    monkeypatch.setitem(ALL, "here", ("SLSTM", {"heads": heads}))
    layer, x, hx, _, _ = Problem(own_layers, "here", 4, 5, 3, 96).make()
    with threads(count):
        assert_same(by_native(layer, x, hx), by_oracle(layer, x, hx))


@each_kind
@pytest.mark.parametrize("count", [1, 3])
def test_long_sequence_equals_the_oracle(kind, count, isa):
    """Many chunks of rows, in which one ends and of which one is empty. An LMU with random weights
    carries every rounding on, so that it gets fewer steps."""
    steps = 150 if kind.startswith("SLSTM") else 50
    arguments = Problem(own_layers, kind, steps, 3, 5, 70, lengths=[steps, 0, steps // 2]).make()
    with threads(count):
        assert_same(by_native(*arguments), by_oracle(*arguments))


# (T, B, I, H): one row; fewer rows than threads; sizes no vector divides; threads share the units.
SHAPES = [(9, 1, 37, 210), (7, 2, 64, 100), (7, 13, 17, 37), (2, 4, 3, 405)]
LENGTHS = {1: [6], 2: [3, 7], 13: [7, 0, 3, 1, 7, 2, 5, 4, 6, 0, 1, 7, 2], 4: [1, 2, 0, 2]}
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


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
    y, *state = forward(layer, x, hx, lengths)
    for row, steps in enumerate(lengths):
        if steps == 0:
            continue
        one = slice(row, row + 1)
        alone = forward(layer, x[:steps, one], rows_of(hx, one))
        assert_same_bits(alone, [y[:steps, one], *rows_of(state, one)])


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
            y, *state = forward(layer, piece, tuple(state))
            outputs.append(y)
        assert_same_bits([torch.cat(outputs, time_dim), *state], whole)


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
def test_garbage_in_the_padding_does_not_matter(kind, garbage, isa):
    layer, x, hx = problem(kind, HARD, bidirectional=True, num_layers=2)
    dirty = x.clone()
    dirty[torch.arange(T)[:, None] >= torch.tensor(RAGGED)] = garbage
    clean = by_native(layer, x, hx, RAGGED)
    for name, tensor in by_native(layer, dirty, hx, RAGGED).items():
        assert torch.equal(tensor, clean[name]), name


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("SLSTM")])
@pytest.mark.parametrize("scale", [30.0, 1e3])
def test_huge_sums_stay_finite(kind, scale, isa):
    """c, n and m follow sums of thousands to as many digits as those have."""
    layer, x, hx = problem(kind, HARD)
    actual, expected = by_native(layer, scale * x, hx), by_oracle(layer, scale * x, hx)
    for name in expected:
        assert actual[name].isfinite().all(), name
    assert (actual["output"] - expected["output"]).abs().max() < 1e-6 * scale
    assert_close(actual["state 3"], expected["state 3"], "forward")


def poison(tensor, *place):
    with torch.no_grad():
        tensor[place] = torch.nan


POISONED = {
    "input": lambda layer, x, hx: poison(x, 1, 4, 3),
    "input of the last step": lambda layer, x, hx: poison(x, T - 1, 2, 0),
    "h": lambda layer, x, hx: poison(hx[0], 0, 2, 1),
    "c": lambda layer, x, hx: poison(hx[1], 0, 2, 1),
    "m": lambda layer, x, hx: poison(hx[3], 0, 2, 1),
    "bias": lambda layer, x, hx: poison(layer.bias_ih_l0, 18),
}


@pytest.mark.parametrize("kind", ["SLSTM", "SLSTM-exp"])
@pytest.mark.parametrize("where", POISONED)
def test_nan_appears_where_the_oracle_has_it(kind, where, isa):
    layer, x, hx = problem(kind, HARD, bidirectional=True)
    POISONED[where](layer, x, hx)
    expected = by_oracle(layer, x, hx)
    assert any(tensor.isnan().any() for tensor in expected.values())
    actual = by_native(layer, x, hx)
    for name in expected:
        if not name.startswith("gradient"):
            assert torch.equal(actual[name].isnan(), expected[name].isnan()), name


LAYOUTS = {
    "second axis first": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "features first": lambda x: x.permute(2, 0, 1).contiguous().permute(1, 2, 0),
    "misaligned": lambda x: torch.cat([x.new_zeros(1), x.flatten()])[1:].view(x.shape),
}


@each_kind
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_in_memory_does_not_matter(kind, layout, isa):
    layer, x, hx = problem(kind, HARD, bidirectional=True)
    place = LAYOUTS[layout]

    def run(x, hx):  # placed inside: what is evaluated is a copy
        y, state = layer(place(x), tuple(map(place, hx)))
        return place(y), state

    with kernels.use("native"):
        actual = evaluate(run, x, hx, layer.named_parameters())
    assert_same(actual, by_oracle(layer, x, hx))


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


@pytest.mark.parametrize("kind", ["SLSTM", "SLSTM-heads"])
@full_or_ragged
def test_operators_keep_their_promises(kind, ragged):
    layer, x, hx = problem(kind, (4, 3, 3, 5), bidirectional=True)
    rows = (torch.tensor([1, 0, 2]), torch.tensor([4, 2, 1]), None) if ragged else (None,) * 3
    weights, described = layer.weights(), (None, layer.mode, "TBI", True, 0, "", [])
    operands = [tensor.detach().requires_grad_() for tensor in (x, *hx)]
    checks = ["test_schema", "test_faketensor", "test_autograd_registration"]
    for save in (True, False):
        torch.library.opcheck(
            torch.ops.carousel.layer.default,
            (operands[0], operands[1:], weights, *rows, *described, save),
            test_utils=checks,
        )
    inputs = (x, list(hx), [weight.detach() for weight in weights], *rows, *described)
    y, _, saved = torch.ops.carousel.layer(*inputs, True)
    ones = [torch.ones_like(part) for part in hx]
    torch.library.opcheck(
        torch.ops.carousel.layer_backward.default,
        (*inputs, y, saved, torch.ones_like(y), ones[0], ones[1], True, ones[2], ones[3]),
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


@each_kind
def test_what_the_kernels_cannot_take_goes_to_the_oracle_and_says_so(kind):
    layer, x = make(kind, 3, 5), torch.zeros(4, 2, 3)
    assert layer.explain(x).startswith("native: ")
    name = type(layer).__name__
    assert layer.double().explain(x.double()) == f"cells: float64; torch has no {name}"
    with kernels.use("torch"), pytest.raises(RuntimeError, match=f"torch has no {name}"):
        layer.float()(x)


def test_weights_of_heads_that_do_not_divide_the_units_are_refused():
    layer, x, hx = problem("SLSTM", (4, 3, 3, 6))
    w_ih, w_hh, bias = layer.weights()
    rows, described = (None,) * 3, (None, layer.mode, "TBI", False, 0, "", [])
    for columns in (0, 4, 5):
        weights = [w_ih, w_hh[:, :columns].contiguous(), bias]
        with pytest.raises(RuntimeError, match="weight w_hh must have shape"):
            torch.ops.carousel.layer(x, list(hx), weights, *rows, *described, False)
