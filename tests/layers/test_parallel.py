"""Layers without a recurrent product as modules: arguments, errors, lengths, streams, copies."""

import copy
import io
import pickle

import pytest
import torch
from oracle import assert_close, assert_same, evaluate, randn
from parallel_layers import KINDS, make, mapped, state_of
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import carousel
from carousel import kernels
from carousel.cells.states import hx_of, states_of

each_kind = pytest.mark.parametrize("kind", KINDS)
CHOOSING = ["MinGRU", "MinLSTM", "IndRNN"]  # their nonlinearity
each_name = pytest.mark.parametrize("name", [*CHOOSING, "SRU", "RGLRU", "QRNN", "LRU", "S6"])
T, B = 5, 4


@pytest.fixture(params=["native", "cells"], autouse=True)
def path(request):
    with kernels.use(request.param):
        yield request.param


def assert_states_close(actual, expected):
    for part, other in zip(states_of(actual), states_of(expected), strict=True):
        assert_close(part, other, "forward")


def alone(layer, lengths):
    """A function of a padded batch and hx that runs each row by itself, cut to its length."""

    def run(x, hx):
        outputs, states = [], []
        for row, steps in enumerate(lengths):
            state = mapped(lambda part: part[:, row], hx)  # noqa: B023
            y = x.new_zeros(T, layer.hidden_size * (1 + layer.bidirectional))
            if steps:
                real, state = layer(x[:steps, row], state)
                y = torch.cat([real, y[steps:]])
            outputs.append(y)
            states.append(states_of(state))
        together = tuple(torch.stack(parts, 1) for parts in zip(*states, strict=True))
        return torch.stack(outputs, 1), hx_of(together)

    return run


@each_kind
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_lengths_equal_each_row_alone(kind, options):
    layer, lengths = make(kind, 3, 17, **options), [3, 0, 5, 1]
    x, hx = randn(T, B, 3, dtype=torch.float32), state_of(layer, B)
    actual = evaluate(lambda x, hx: layer(x, hx, lengths), x, hx, layer.named_parameters())
    assert_same(actual, evaluate(alone(layer, lengths), x, hx, layer.named_parameters()))
    past = torch.arange(T)[:, None] >= torch.tensor(lengths)
    assert torch.count_nonzero(actual["output"][past]) == 0
    assert torch.count_nonzero(actual["gradient of x"][past]) == 0
    for k, state in enumerate(states_of(hx)):
        assert torch.equal(actual[f"state {k}"][:, 1], state[:, 1])


@each_kind
def test_packed_sequence_equals_lengths(kind):
    layer, lengths = make(kind, 3, 5, num_layers=2, batch_first=True), [3, 1, 5, 2]
    x, hx = randn(B, T, 3, dtype=torch.float32), state_of(layer, B)
    packed = pack_padded_sequence(x, torch.tensor(lengths), True, enforce_sorted=False)
    y, state = layer(packed, hx)
    padded, expected = layer(x, hx, lengths)
    assert_close(pad_packed_sequence(y, True, total_length=T)[0], padded, "forward")
    assert_states_close(state, expected)


@each_kind
def test_batch_first_is_the_transpose(kind):
    layer = make(kind, 3, 5, bidirectional=True)
    turned = make(kind, 3, 5, bidirectional=True, batch_first=True)
    x, hx = randn(T, B, 3, dtype=torch.float32), state_of(layer, B)
    y, state = layer(x, hx)
    turned_y, turned_state = turned(x.transpose(0, 1), hx)
    assert torch.equal(turned_y.transpose(0, 1), y)
    assert all(map(torch.equal, states_of(turned_state), states_of(state)))


@each_kind
def test_unbatched_input_is_a_batch_of_one(kind):
    layer = make(kind, 3, 5)
    x, hx = randn(T, 3, dtype=torch.float32), state_of(layer, 1)
    y, state = layer(x, mapped(lambda part: part[:, 0], hx))
    expected, last = layer(x[:, None], hx)
    assert torch.equal(y, expected[:, 0])
    assert all(map(torch.equal, states_of(state), states_of(mapped(lambda p: p[:, 0], last))))


@each_kind
def test_second_layer_reads_the_dropped_outputs_of_the_first(kind):
    both = make(kind, 3, 4, num_layers=2, dropout=0.5)
    lower, upper = make(kind, 3, 4), make(kind, 4, 4)
    for layer, k in ((lower, 0), (upper, 1)):
        weights = {n: getattr(both, n.replace("_l0", f"_l{k}")) for n in layer.state_dict()}
        layer.load_state_dict(weights)
    x = randn(T, B, 3, dtype=torch.float32)
    torch.manual_seed(5)
    actual, _ = both(x)
    torch.manual_seed(5)
    expected, _ = upper(F.dropout(lower(x)[0], 0.5, training=True))
    assert torch.equal(actual, expected)
    both.eval()
    assert torch.equal(both(x)[0], upper(lower(x)[0])[0])


@each_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("rows", [1, 7])
def test_stream_equals_whole_sequence(kind, dtype, rows, path):
    if path == "native" and dtype == torch.float64:
        pytest.skip("float64 takes the oracle")
    layer = make(kind, 3, 70, num_layers=3, dtype=dtype)
    x = randn(T, rows, 3, dtype=dtype)
    with torch.no_grad():
        y, state = layer(x)
    stream = carousel.Stream(layer)
    steps = torch.stack([stream.step(x_t) for x_t in x])
    if path == "native":
        assert torch.equal(steps, y)
        assert all(map(torch.equal, states_of(stream.state), states_of(state)))
    assert_close(steps, y, "forward")
    assert_states_close(stream.state, state)


@each_kind
def test_layer_step_equals_whole_sequence(kind):
    layer = make(kind, 3, 5, num_layers=2)
    x = randn(T, B, 3, dtype=torch.float32)
    hx, outputs = None, []
    for x_t in x:
        y_t, hx = layer.step(x_t, hx)
        outputs.append(y_t)
    whole, state = layer(x)
    assert_close(torch.stack(outputs), whole, "forward")
    assert_states_close(hx, state)


@each_name
def test_two_directions_have_no_next_step(name):
    layer = getattr(carousel, name)(3, 5, bidirectional=True)
    with pytest.raises(ValueError, match="no next step"):
        layer.step(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="cannot be streamed"):
        carousel.Stream(layer)


@each_kind
def test_copies_and_files_compute_the_same(kind):
    layer = make(kind, 3, 5, num_layers=2, bidirectional=True)
    x = randn(T, B, 3, dtype=torch.float32)
    expected = layer(x)[0]
    loaded = make(kind, 3, 5, num_layers=2, bidirectional=True, seed=9)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file))
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), loaded):
        assert torch.equal(twin(x)[0], expected)


def test_parameters_have_the_names_and_shapes_of_the_documentation():
    shapes = {
        name: {key: tuple(p.shape) for key, p in layer.named_parameters()}
        for name, layer in {
            "MinGRU": carousel.MinGRU(3, 5, num_layers=2, bidirectional=True),
            "MinLSTM": carousel.MinLSTM(3, 5, bias=False),
            "IndRNN": carousel.IndRNN(3, 5, num_layers=2),
        }.items()
    }
    ends = ["_l0", "_l0_reverse", "_l1", "_l1_reverse"]
    assert shapes["MinGRU"] == {
        f"{part}{end}": shape
        for end, inputs in zip(ends, (3, 3, 10, 10), strict=True)
        for part, shape in {"weight_ih": (10, inputs), "bias_ih": (10,)}.items()
    }
    assert shapes["MinLSTM"] == {"weight_ih_l0": (15, 3)}
    assert shapes["IndRNN"] == {
        "weight_ih_l0": (5, 3),
        "weight_hh_l0": (5,),
        "bias_ih_l0": (5,),
        "weight_ih_l1": (5, 5),
        "weight_hh_l1": (5,),
        "bias_ih_l1": (5,),
    }


@pytest.mark.parametrize("name", [*CHOOSING, "RGLRU", "QRNN"])
def test_weights_start_within_the_bounds_of_a_linear_layer(name):
    layer = getattr(carousel, name)(16, 300)
    for key in ("weight_ih_l0", "bias_ih_l0"):
        weight = getattr(layer, key)
        assert 0.24 < weight.abs().max() <= 0.25
        assert weight.min() < 0 < weight.max()
    if name == "IndRNN":
        assert 0 <= layer.weight_hh_l0.min() < 0.1
        assert 0.9 < layer.weight_hh_l0.max() <= 1


def test_forget_bias_sets_the_forget_gate_and_nothing_else():
    torch.manual_seed(4)
    plain = carousel.MinLSTM(3, 5, num_layers=2)
    torch.manual_seed(4)
    layer = carousel.MinLSTM(3, 5, num_layers=2, forget_bias=2.5)
    for k in (0, 1):
        bias, other = getattr(layer, f"bias_ih_l{k}"), getattr(plain, f"bias_ih_l{k}")
        assert bias[:5].tolist() == [2.5] * 5
        assert torch.equal(bias[5:], other[5:])
    layer.reset_parameters()
    assert layer.bias_ih_l0[:5].tolist() == [2.5] * 5
    with pytest.raises(ValueError, match="forget_bias needs biases"):
        carousel.MinLSTM(3, 5, bias=False, forget_bias=1.0)


def test_repr_names_what_is_not_the_default():
    assert repr(carousel.MinGRU(3, 5)) == "MinGRU(3, 5)"
    assert repr(carousel.IndRNN(3, 5, 2, "tanh")) == "IndRNN(3, 5, num_layers=2, nonlinearity=tanh)"
    assert repr(carousel.MinLSTM(3, 5, forget_bias=1.0)) == "MinLSTM(3, 5, forget_bias=1.0)"


@each_name
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be 1 or more, got 0"),
        ({"num_layers": 0}, "num_layers must be 1 or more, got 0"),
        ({"input_size": -1}, "input_size must be 0 or more, got -1"),
        ({"dropout": 1.5, "num_layers": 2}, "dropout must lie between 0 and 1, got 1.5"),
    ],
)
def test_arguments_out_of_range_raise(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(carousel, name)(**{"input_size": 3, "hidden_size": 5} | arguments)


@pytest.mark.parametrize("name", CHOOSING)
def test_nonlinearity_that_a_layer_has_not_raises(name):
    with pytest.raises(ValueError, match=r"nonlinearity must be '.*' or '.*', got 'sigmoid'"):
        getattr(carousel, name)(3, 5, nonlinearity="sigmoid")


@each_name
def test_dropout_of_one_layer_warns_and_says_what_to_use(name):
    with pytest.warns(UserWarning, match=r"no effect\. Put a torch\.nn\.Dropout") as warned:
        getattr(carousel, name)(3, 5, dropout=0.5)
    assert warned[0].filename == __file__  # of whoever made the layer


@pytest.mark.parametrize("name", [*CHOOSING, "RGLRU"])
@pytest.mark.parametrize(
    ("x", "hx", "error", "message"),
    [
        (torch.zeros(4, 2, 6), None, RuntimeError, "3 features, got 6"),
        (torch.zeros(3), None, ValueError, "2D or 3D"),
        (torch.zeros(0, 2, 3), None, RuntimeError, "at least one step"),
        (torch.zeros(4, 2, 3, dtype=torch.float64), None, ValueError, "input dtype"),
        (torch.zeros(4, 2, 3), torch.zeros(1, 3, 5), RuntimeError, r"hx must have shape \(1, 2, 5"),
        (torch.zeros(4, 2, 3), torch.zeros(1, 5), RuntimeError, "hx should also be 3-D"),
        (torch.zeros(4, 2, 3), torch.zeros(1, 2, 5).double(), ValueError, "hx must be torch.flo"),
        (torch.zeros(4, 2, 3), (torch.zeros(1, 2, 5),) * 2, TypeError, "hx must be a tensor"),
    ],
)
def test_wrong_call_raises_and_names_the_argument(name, x, hx, error, message):
    with pytest.raises(error, match=message):
        getattr(carousel, name)(3, 5)(x, hx)


@each_name
def test_no_rows_give_no_rows(name):
    with kernels.use("cells"):
        layer = getattr(carousel, name)(3, 5)
        y, hx = layer(torch.zeros(T, 0, 3))
    assert y.shape == (T, 0, 5)
    expected = [(1, 0, size) for size in layer._state_sizes()]
    assert [state.shape for state in states_of(hx)] == expected


@each_kind
def test_autocast_computes_in_float32(kind, path):
    if path == "cells":
        pytest.skip("the oracle computes as autocast says")
    layer = make(kind, 3, 5)
    x = randn(T, B, 3, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        y, _ = layer(x.bfloat16())
    assert torch.equal(y, layer(x.bfloat16().float())[0])
