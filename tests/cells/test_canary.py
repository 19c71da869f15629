"""The comparison must catch wrong kernels: a test suite that cannot fail proves nothing."""

import copy

import options
import pytest
import torch
from compiled import by_native, by_oracle
from oracle import (
    TOLERANCE,
    as_tuple,
    assert_close,
    assert_same,
    evaluate,
    make_pair,
    randn,
    random_state,
    weights_of,
)
from torch.nn import functional as F

from carousel import kernels
from carousel.cells import gru_step, lstm_step, rnn_step, scan

T, B, INPUTS, H = 5, 3, 4, 6
STEPS = {"RNN": rnn_step, "GRU": gru_step, "LSTM": lstm_step}
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def results(mode, weights, dtype, step=None, scan=scan):
    """What the comparison sees of the right step of a mode, or of another `step` or `scan`."""
    step = step or STEPS[mode]
    parts = 2 if mode == "LSTM" else 1
    hx = tuple(randn(B, H, seed=7 + k, dtype=dtype) for k in range(parts))
    bound = lambda x, state: step(x, state, **weights)  # noqa: E731
    x = randn(T, B, INPUTS, seed=3, dtype=dtype)
    return evaluate(lambda x, hx: scan(bound, x, hx), x, hx, weights.items())


def swapped(step, first, second, gates):
    """The step with the rows of two gates exchanged in every weight."""
    order = list(range(gates))
    order[first], order[second] = order[second], order[first]
    rows = torch.cat([torch.arange(g * H, (g + 1) * H) for g in order])

    def wrong(x, state, **weights):
        return step(x, state, **{name: weight[rows] for name, weight in weights.items()})

    return wrong


def without(step, absent):
    return lambda x, state, **weights: step(
        x, state, **{name: None if name == absent else value for name, value in weights.items()}
    )


def gru_reset_before_product(x, state, weight_ih, weight_hh, bias_ih, bias_hh):
    (h,) = state
    a_r, a_z, a_n = F.linear(x, weight_ih, bias_ih).chunk(3, dim=-1)
    b_r, b_z, _ = F.linear(h, weight_hh, bias_hh).chunk(3, dim=-1)
    r, z = torch.sigmoid(a_r + b_r), torch.sigmoid(a_z + b_z)
    n = torch.tanh(a_n + F.linear(r * h, weight_hh[2 * H :], bias_hh[2 * H :]))
    return ((1 - z) * n + z * h,)


def gru_hidden_bias_outside_reset(x, state, weight_ih, weight_hh, bias_ih, bias_hh):
    outside = torch.cat([torch.zeros_like(bias_hh[: 2 * H]), bias_hh[2 * H :]])
    return gru_step(x, state, weight_ih, weight_hh, bias_ih + outside, bias_hh - outside)


def lstm_projection_transposed(x, state, weight_hr, **weights):
    return lstm_step(x, state, weight_hr=weight_hr.T, **weights)


def lstm_without_output_tanh(x, state, **weights):
    h, c = lstm_step(x, state, **weights)
    return h / torch.tanh(c) * c, c


def lstm_cell_gradient_cut(x, state, **weights):
    h, c = state
    return lstm_step(x, (h, c.detach()), **weights)


def rnn_relu(x, state, **weights):
    return rnn_step(x, state, **weights, nonlinearity="relu")


def rnn_hidden_gradient_cut(x, state, **weights):
    return rnn_step(x, (state[0].detach(),), **weights)


WRONG_STEPS = {
    "LSTM input and forget gates swapped": ("LSTM", swapped(lstm_step, 0, 1, 4)),
    "LSTM candidate and output gate swapped": ("LSTM", swapped(lstm_step, 2, 3, 4)),
    "LSTM forget and output gates swapped": ("LSTM", swapped(lstm_step, 1, 3, 4)),
    "LSTM input bias missing": ("LSTM", without(lstm_step, "bias_ih")),
    "LSTM hidden bias missing": ("LSTM", without(lstm_step, "bias_hh")),
    "LSTM output without tanh": ("LSTM", lstm_without_output_tanh),
    "LSTM right forward, gradient through the cell cut": ("LSTM", lstm_cell_gradient_cut),
    "GRU reset and update gates swapped": ("GRU", swapped(gru_step, 0, 1, 3)),
    "GRU reset before the product": ("GRU", gru_reset_before_product),
    "GRU hidden bias of the candidate not reset": ("GRU", gru_hidden_bias_outside_reset),
    "GRU hidden bias missing": ("GRU", without(gru_step, "bias_hh")),
    "RNN relu for tanh": ("RNN", rnn_relu),
    "RNN right forward, gradient through time cut": ("RNN", rnn_hidden_gradient_cut),
}


@DTYPES
@pytest.mark.parametrize("name", WRONG_STEPS)
def test_comparison_catches_wrong_step(name, dtype):
    mode, wrong = WRONG_STEPS[name]
    weights = weights_of(mode, INPUTS, H, dtype=dtype)
    right = results(mode, weights, dtype)
    with pytest.raises(AssertionError, match="differs"):
        assert_same(results(mode, weights, dtype, wrong), right)


@DTYPES
def test_comparison_catches_transposed_square_projection(dtype):
    weights = weights_of("LSTM", INPUTS, H, proj_size=H, dtype=dtype)
    right = results("LSTM", weights, dtype)
    with pytest.raises(AssertionError, match="differs"):
        assert_same(results("LSTM", weights, dtype, lstm_projection_transposed), right)


def last_step_dropped(step, x, state):
    y, state = scan(step, x[:-1], state)
    return torch.cat([y, y[-1:]]), state


def first_state_ignored(step, x, state):
    return scan(step, x, tuple(torch.zeros_like(part) for part in state))


def reversed_time(step, x, state):
    return scan(step, x, state, reverse=True)


def rows_exchanged(step, x, state):
    y, state = scan(step, x, state)
    return y.flip(1), state


def final_state_one_step_early(step, x, state):
    _, early = scan(step, x[:-1], state)
    return scan(step, x, state)[0], early


@DTYPES
@pytest.mark.parametrize("mode", STEPS)
@pytest.mark.parametrize(
    "wrong",
    [
        last_step_dropped,
        first_state_ignored,
        reversed_time,
        rows_exchanged,
        final_state_one_step_early,
    ],
)
def test_comparison_catches_wrong_loop(mode, wrong, dtype):
    weights = weights_of(mode, INPUTS, H, dtype=dtype)
    right = results(mode, weights, dtype)
    with pytest.raises(AssertionError, match="differs"):
        assert_same(results(mode, weights, dtype, scan=wrong), right)


@DTYPES
@pytest.mark.parametrize("mode", STEPS)
def test_comparison_accepts_the_same_sums_in_another_order(mode, dtype):
    """Inputs summed backwards: different rounding, the same kernel."""

    def reordered(x, state, weight_ih, weight_hh, bias_ih, bias_hh):
        return STEPS[mode](x.flip(-1), state, weight_ih.flip(-1), weight_hh, bias_ih, bias_hh)

    weights = weights_of(mode, INPUTS, H, dtype=dtype)
    assert_same(results(mode, weights, dtype, reordered), results(mode, weights, dtype))


@pytest.mark.parametrize(("kind", "dtype"), TOLERANCE, ids=str)
def test_tolerance_is_relative_to_the_largest_magnitude(kind, dtype):
    expected = 1000 * torch.tensor([1.0, -4.0, 0.5], dtype=dtype)
    allowed = TOLERANCE[kind, dtype] * 4000
    assert_close(expected + 0.5 * allowed, expected, kind)
    with pytest.raises(AssertionError, match="differs"):
        assert_close(expected + 2 * allowed, expected, kind)


@pytest.mark.parametrize(
    ("actual", "expected", "message"),
    [
        (torch.zeros(2, 1), torch.zeros(2), "shape"),
        (torch.zeros(1), torch.zeros(2), "shape"),
        (torch.zeros(2).double(), torch.zeros(2), "dtype"),
        (torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 1.0]), "NaN"),
        (torch.tensor([1.0, 1.0]), torch.tensor([1.0, torch.nan]), "NaN"),
        (torch.tensor([torch.nan, 1.0]), torch.tensor([1.0, torch.nan]), "NaN"),
        (torch.tensor([1.0, torch.inf]), torch.tensor([1.0, 1.0]), "infinities"),
        (torch.tensor([1.0, torch.inf]), torch.tensor([1.0, -torch.inf]), "infinities"),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, torch.inf]), "infinities"),
        (torch.tensor([torch.nan, 2.0]), torch.tensor([torch.nan, 1.0]), "differs"),
        (torch.tensor([torch.inf, 2.0]), torch.tensor([torch.inf, 1.0]), "differs"),
        (torch.tensor([0.0, 1e-30]), torch.zeros(2), "differs"),
    ],
)
def test_comparison_catches_what_is_not_a_number_or_has_another_form(actual, expected, message):
    with pytest.raises(AssertionError, match=message):
        assert_close(actual, expected, "forward")


def test_comparison_catches_missing_and_additional_results():
    one, two = {"output": torch.zeros(1)}, {"output": torch.zeros(1), "state 0": torch.zeros(1)}
    for actual, expected in [(one, two), (two, one)]:
        with pytest.raises(AssertionError, match="state 0"):
            assert_same(actual, expected)


# ---- the compiled kernels, given what a wrong kernel would have computed

LENGTHS = [3, 5, 1]


def native_problem(mode):
    kind = "RNN-tanh" if mode == "RNN" else mode
    layer = make_pair(kind, INPUTS, H, dtype=torch.float32)[0]
    return layer, randn(T, B, INPUTS, seed=3, dtype=torch.float32), random_state(layer, B)


def with_weights(change):
    """The layer, which takes changed weights for its own."""

    def run(layer, x, hx):
        weights = {name: change(name, weight) for name, weight in layer.named_parameters()}
        return torch.func.functional_call(layer, weights, (x, hx, LENGTHS))

    return run


def gates_swapped(mode, first, second):
    order = list(range({"GRU": 3, "LSTM": 4}[mode]))
    order[first], order[second] = order[second], order[first]
    return with_weights(lambda _, weight: torch.cat([weight.chunk(len(order))[g] for g in order]))


def weight_missing(absent):
    return with_weights(lambda name, w: torch.zeros_like(w) if name == absent else w)


def native_last_step_dropped(layer, x, hx):
    y, state = layer(x[:-1], hx, [min(length, T - 1) for length in LENGTHS])
    return torch.cat([y, torch.zeros_like(y[:1])]), state


def native_longest_first(layer, x, hx):
    """Rows sorted by their lengths for the kernel, and not put back."""
    order = torch.tensor(LENGTHS).argsort(descending=True)
    parts = tuple(part[:, order] for part in as_tuple(hx))
    hx = parts if isinstance(hx, tuple) else parts[0]
    return layer(x[:, order], hx, [LENGTHS[row] for row in order])


def native_lengths_of_other_rows(layer, x, hx):
    return layer(x, hx, LENGTHS[::-1])


def native_lengths_ignored(layer, x, hx):
    return layer(x, hx)


def native_state_after_the_padding(layer, x, hx):
    return layer(x, hx, LENGTHS)[0], layer(x, hx)[1]


WRONG_KERNELS = {
    "GRU reset and update gates swapped": ("GRU", gates_swapped("GRU", 0, 1)),
    "GRU update and candidate gates swapped": ("GRU", gates_swapped("GRU", 1, 2)),
    "LSTM input and forget gates swapped": ("LSTM", gates_swapped("LSTM", 0, 1)),
    "LSTM candidate and output gates swapped": ("LSTM", gates_swapped("LSTM", 2, 3)),
} | {
    f"{mode} {name}": (mode, wrong)
    for mode in STEPS
    for name, wrong in {
        "input bias missing": weight_missing("bias_ih_l0"),
        "hidden bias missing": weight_missing("bias_hh_l0"),
        "recurrent product missing": weight_missing("weight_hh_l0"),
        "last step dropped": native_last_step_dropped,
        "rows left in the order of their lengths": native_longest_first,
        "lengths of other rows": native_lengths_of_other_rows,
        "lengths ignored": native_lengths_ignored,
        "state after the padding": native_state_after_the_padding,
    }.items()
}


@pytest.mark.parametrize("name", WRONG_KERNELS)
def test_comparison_catches_wrong_kernel(name):
    mode, wrong = WRONG_KERNELS[name]
    layer, x, hx = native_problem(mode)
    right = by_oracle(layer, x, hx, LENGTHS)
    assert_same(by_native(layer, x, hx, LENGTHS), right)
    with kernels.use("native"):
        actual = evaluate(lambda x, hx: wrong(layer, x, hx), x, hx, layer.named_parameters())
    with pytest.raises(AssertionError, match="differs"):
        assert_same(actual, right)


@pytest.mark.parametrize("mode", STEPS)
@pytest.mark.parametrize("result", ["gradient of x", "gradient of weight_hh_l0", "state 0"])
def test_comparison_catches_one_wrong_result_of_a_kernel(mode, result):
    """Off by a thousandth of its largest value, in a single place."""
    layer, x, hx = native_problem(mode)
    right = by_oracle(layer, x, hx, LENGTHS)
    actual = by_native(layer, x, hx, LENGTHS)
    tensor = actual[result].detach().clone()
    tensor.view(-1)[1] += 1e-3 * right[result].abs().max()
    with pytest.raises(AssertionError, match=f"{result}: .* differs"):
        assert_same(actual | {result: tensor}, right)


# ---- kernels with options


def without_option(**changes):
    """The layer with attributes of its options changed."""

    def run(layer, x, hx):
        other = copy.deepcopy(layer)
        for name, value in changes.items():
            setattr(other, name, value)
        weights = dict(layer.named_parameters())
        return torch.func.functional_call(other, weights, (x, hx, LENGTHS))

    return run


def peepholes(change):
    return with_weights(lambda name, w: change(w) if name == "weight_c_l0" else w)


def under_another_seed(layer, x, hx):
    torch.manual_seed(1)
    return layer(x, hx, LENGTHS)


def masks_of_other_rows(layer, x, hx):
    """Rows in another order, and put back: only their masks are then those of others."""
    order = torch.arange(B).roll(1)
    back = order.argsort()
    parts = tuple(part[:, order] for part in as_tuple(hx))
    hx = parts if isinstance(hx, tuple) else parts[0]
    y, state = layer(x[:, order], hx, [LENGTHS[row] for row in order])
    parts = tuple(part[:, back] for part in as_tuple(state))
    return y[:, back], parts if isinstance(state, tuple) else parts[0]


def in_evaluation(layer, x, hx):
    return without_option(training=False)(layer, x, hx)


def _candidate_rolled(weight):
    return torch.cat([weight[: 2 * H], weight[2 * H :].roll(1, 0)])


def _candidate_gone(bias):
    return torch.cat([bias[: 2 * H], torch.zeros_like(bias[2 * H :])])


PEEPHOLES = ("LSTM", {"peephole": True})
ZONEOUT = ("LSTM", {"zoneout": (0.4, 0.2)})
WRONG_OPTIONS = {
    "peepholes missing": (*PEEPHOLES, peepholes(torch.zeros_like)),
    "peepholes of other gates": (*PEEPHOLES, peepholes(lambda w: w.roll(H))),
    "peepholes of other units": (*PEEPHOLES, peepholes(lambda w: w.roll(1))),
    "tanh for softsign in the LSTM": (
        *("LSTM", {"activation": "softsign"}),
        without_option(activation="tanh"),
    ),
    "hard tanh for softsign in the GRU": (
        *("GRU", {"activation": "softsign"}),
        without_option(activation="hard_tanh"),
    ),
    "sigmoid for hard sigmoid": (
        *("GRU", {"gate_activation": "hard_sigmoid"}),
        without_option(gate_activation="sigmoid"),
    ),
    "activation of the output kept": ("LSTM", {"variant": "NOAF"}, without_option(variant="")),
    "another activation left out": ("LSTM", {"variant": "NOAF"}, without_option(variant="NIAF")),
    "another gate left out": ("LSTM", {"variant": "NIG"}, without_option(variant="NFG")),
    "coupled gates apart": (
        "LSTM",
        {"coupled": True},
        without_option(coupled=False, variant="NFG"),
    ),
    "zoneout of cell and state swapped": (*ZONEOUT, without_option(zoneout=(0.2, 0.4))),
    "zoneout of the cell missing": (*ZONEOUT, without_option(zoneout=(0.0, 0.2))),
    "expectation for a draw": (*ZONEOUT, in_evaluation),
    "masks of another seed": (*ZONEOUT, under_another_seed),
    "masks of other rows": (*ZONEOUT, masks_of_other_rows),
    "masks of each step for one mask": (
        *("GRU", {"variational": (0.0, 0.3, 0.0)}),
        without_option(variational=(0.0, 0.0, 0.0), naive_recurrent_dropout=0.3),
    ),
    "reset gate after its product for before": (
        *("GRU", {"reset_after": False}),
        without_option(reset_after=True),
    ),
    "reset gate before its product for after": ("GRU", {}, without_option(reset_after=False)),
    "recurrent weights of the candidate shifted by a unit": (
        *("GRU", {"reset_after": False}),
        with_weights(lambda name, w: _candidate_rolled(w) if name == "weight_hh_l0" else w),
    ),
    "hidden bias of the candidate missing": (
        *("GRU", {"reset_after": False}),
        with_weights(lambda name, w: _candidate_gone(w) if name == "bias_hh_l0" else w),
    ),
    "masks of the candidate missing": (
        *("GRU", {"recurrent_dropout": 0.4}),
        without_option(recurrent_dropout=0.0),
    ),
}


@pytest.mark.parametrize("name", WRONG_OPTIONS)
def test_comparison_catches_wrong_options_of_a_kernel(name):
    cell, chosen, wrong = WRONG_OPTIONS[name]
    layer = options.layer_with(cell, chosen, INPUTS, H)
    x, hx = randn(T, B, INPUTS, seed=3, dtype=torch.float32), random_state(layer, B)
    right = options.by_oracle(layer, x, hx, LENGTHS)
    assert_same(options.by_native(layer, x, hx, LENGTHS), right)

    def run(x, hx):
        torch.manual_seed(9)
        return wrong(layer, x, hx)

    with kernels.use("native"):
        actual = evaluate(run, x, hx, layer.named_parameters())
    with pytest.raises(AssertionError, match="differs"):
        assert_same(actual, right)
