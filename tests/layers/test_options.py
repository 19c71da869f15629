"""The options of the layers: what constructors take and refuse, and what layers remain."""

import copy
import io
import pickle
import warnings

import pytest
import torch
from compiled import assert_same_bits, precision, tensors
from options import PLAIN, RANDOM, by_native, layer_with, name, pairs
from oracle import randn, random_state
from torch import nn

import carousel
from carousel import kernels

each_cell = pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
each_option = pytest.mark.parametrize("pair", pairs(PLAIN, RANDOM), ids=name)


def problem(pair, **more):
    layer = layer_with(*pair, 3, 5, **more)
    x = randn(4, 2, 3, seed=2, dtype=torch.float32)
    return layer, x, random_state(layer, 2)


# ---- what does not fit


@each_cell
@pytest.mark.parametrize("option", ["zoneout", "weight_dropout", "variational"])
@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, float("nan"), "0.5", None, True])
def test_probabilities_out_of_range_raise(cell, option, value):
    with pytest.raises(ValueError, match=f"{option}.* must be a probability of at least 0"):
        getattr(carousel, cell)(3, 5, **{option: value})


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        ("LSTM", {"activation": "sigmoid"}, "activation must be one of 'tanh', 'softsign'"),
        ("GRU", {"gate_activation": "tanh"}, "gate_activation must be one of 'sigmoid'"),
        ("RNN", {"activation": "swish"}, "activation must be one of"),
        ("RNN", {"activation": "softsign", "nonlinearity": "relu"}, "contradict each other"),
        ("LSTM", {"variant": "NP"}, "variant must be one of 'NIG', 'NFG'"),
        ("LSTM", {"variant": "NIG", "coupled": True}, "choose one of the two"),
        ("LSTM", {"variant": "NFG", "coupled": True}, "choose one of the two"),
        ("LSTM", {"variant": "NFG", "forget_bias": 1.0}, "'NFG' has none"),
        ("LSTM", {"zoneout": 0.1, "proj_size": 2}, r"use zoneout=\(cell, 0\)"),
        ("LSTM", {"zoneout": (0.1, 0.1, 0.1)}, r"zoneout must be a number or \(cell, state\)"),
        ("GRU", {"variational": (0.1, 0.1)}, r"must be a number or \(input, state, output\)"),
        ("GRU", {"variational": 0.1, "naive_recurrent_dropout": 0.1}, "choose one"),
        ("GRU", {"recurrent_dropout": 1.0}, "recurrent_dropout must be a probability"),
        ("GRU", {"reset_after": 0}, "reset_after must be True or False, got 0"),
        ("GRU", {"reset_after": False, "layer_norm": True}, "leave reset_after=False out"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_raise(cell, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(carousel, cell)(3, 5, **options)


@pytest.mark.parametrize(
    ("cell", "option"),
    [
        ("GRU", "peephole"),
        ("GRU", "coupled"),
        ("GRU", "variant"),
        ("GRU", "forget_bias"),
        ("LSTM", "reset_after"),
        ("RNN", "gate_activation"),
        ("RNN", "recurrent_dropout"),
        ("RNN", "reset_after"),
    ],
)
def test_options_of_another_cell_raise_as_unknown_arguments_do(cell, option):
    with pytest.raises(TypeError, match=option):
        getattr(carousel, cell)(3, 5, **{option: 0})


@each_cell
@pytest.mark.parametrize("by_position", [False, True])
def test_dropout_of_a_single_layer_warns_once_and_says_what_to_use(cell, by_position):
    before = (3, 5, 1, "tanh", True, False) if cell == "RNN" else (3, 5, 1, True, False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kind = getattr(carousel, cell)
        layer = kind(*before, 0.5) if by_position else kind(3, 5, dropout=0.5)
    assert [str(warning.message)[:40] for warning in caught] == [
        "dropout=0.5 has no effect with num_layer"
    ]
    assert caught[0].filename == __file__  # points at the caller
    assert "variational=" in str(caught[0].message)
    assert layer.dropout == 0.5


@each_cell
def test_dropout_between_layers_does_not_warn(cell):
    getattr(carousel, cell)(3, 5, 2, dropout=0.5)


# ---- parameters


def shapes(layer):
    return {key: tuple(parameter.shape) for key, parameter in layer.named_parameters()}


@pytest.mark.parametrize(
    ("options", "gates", "peepholes"),
    [
        ({"peephole": True}, 4, 3),
        ({"coupled": True}, 3, 0),
        ({"coupled": True, "peephole": True}, 3, 2),
        ({"variant": "NIG"}, 3, 0),
        ({"variant": "NFG", "peephole": True}, 3, 2),
        ({"variant": "NOG", "coupled": True, "peephole": True}, 2, 1),
        ({"variant": "NIAF", "peephole": True}, 4, 3),
    ],
    ids=str,
)
def test_lstm_has_the_weights_of_the_gates_it_has(options, gates, peepholes):
    layer = carousel.LSTM(3, 5, num_layers=2, bidirectional=True, **options)
    expected = {}
    for suffix, inputs in (("l0", 3), ("l0_reverse", 3), ("l1", 10), ("l1_reverse", 10)):
        expected |= {
            f"weight_ih_{suffix}": (gates * 5, inputs),
            f"weight_hh_{suffix}": (gates * 5, 5),
            f"bias_ih_{suffix}": (gates * 5,),
            f"bias_hh_{suffix}": (gates * 5,),
        }
        if peepholes:
            expected[f"weight_c_{suffix}"] = (peepholes * 5,)
    assert shapes(layer) == expected
    assert all(parameter.abs().max() <= 5**-0.5 for parameter in layer.parameters())
    assert all(parameter.abs().max() > 0 for parameter in layer.parameters())


def test_forget_bias_finds_the_forget_gate_or_the_gate_that_makes_it():
    rows = {"NIG": (0, 1.5), "NOG": (5, 1.5)}
    for variant, (start, value) in rows.items():
        layer = carousel.LSTM(3, 5, variant=variant, forget_bias=1.5)
        total = layer.bias_ih_l0 + layer.bias_hh_l0
        assert (total[start : start + 5] == value).all()
    layer = carousel.LSTM(3, 5, coupled=True, forget_bias=1.5)
    assert ((layer.bias_ih_l0 + layer.bias_hh_l0)[:5] == -1.5).all()


def test_activation_of_the_rnn_is_torchs_nonlinearity_where_torch_has_it():
    layer = carousel.RNN(3, 5, activation="relu")
    assert (layer.mode, layer.nonlinearity) == ("RNN_RELU", "relu")
    assert layer.stack().options.plain
    assert carousel.RNN(3, 5, nonlinearity="relu").stack().options.plain
    assert carousel.RNN(3, 5, activation="softsign").stack().options.words == ("activation",)


# ---- what layers remain


@each_option
def test_copies_and_pickles_compute_the_same(pair):
    layer, x, hx = problem(pair, num_layers=2, bidirectional=True)
    expected = by_native(layer, x, hx)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for twin in (
        copy.deepcopy(layer),
        pickle.loads(pickle.dumps(layer)),
        torch.load(file, weights_only=False),
    ):
        assert repr(twin) == repr(layer)
        assert_same_bits(by_native(twin, x, hx), expected)


@each_option
def test_state_dict_moves_to_a_layer_with_the_same_options(pair):
    layer, x, hx = problem(pair)
    twin = getattr(carousel, pair[0])(3, 5, **pair[1])
    twin.load_state_dict(layer.state_dict(), strict=True)
    assert_same_bits(by_native(twin, x, hx), by_native(layer, x, hx))


@each_option
def test_half_and_back_keeps_the_options(pair):
    layer, x, hx = problem(pair)
    layer.double().float()
    torch.manual_seed(0)
    y, _ = layer(x, hx)
    assert y.shape == (4, 2, 5)
    assert [key for key, _ in layer.named_parameters()] == layer._flat_weights_names


@each_option
def test_functional_call_reaches_all_weights(pair):
    layer, x, hx = problem(pair)
    other = {key: 0.5 * value for key, value in layer.state_dict().items()}
    torch.manual_seed(0)
    called = tensors(torch.func.functional_call(layer, other, (x, hx)))
    layer.load_state_dict(other)
    torch.manual_seed(0)
    assert_same_bits(called, tensors(layer(x, hx)))


@each_option
def test_autocast_with_options_rounds_products_and_results_alone(pair):
    layer, x, hx = problem(pair)
    torch.manual_seed(0)
    with precision(layer, "bf16"):
        expected = tensors(layer(x, hx))
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        actual = tensors(layer(x, hx))
    rounded = [part.to(one.dtype) for one, part in zip(actual, expected, strict=True)]
    assert_same_bits(actual, rounded)


def test_repr_names_the_options_that_act():
    layer = carousel.LSTM(3, 5, forget_bias=1.0, peephole=True, variant="NOAF", zoneout=(0.1, 0.05))
    assert repr(layer) == (
        "LSTM(3, 5, forget_bias=1.0, peephole=True, variant='NOAF', zoneout=(0.1, 0.05))"
    )
    assert repr(carousel.GRU(3, 5, activation="softsign", variational=0.2)) == (
        "GRU(3, 5, activation='softsign', variational=(0.2, 0.2, 0.2))"
    )
    assert repr(carousel.RNN(3, 5, nonlinearity="relu")) == "RNN(3, 5)"


@each_cell
def test_accelerated_layers_have_the_options_at_their_defaults(cell):
    layer = carousel.accelerate(getattr(nn, cell)(3, 5))
    assert layer.stack().options.plain
    layer.zoneout = (0.2, 0.1) if cell == "LSTM" else 0.2  # attributes, like torch's dropout
    assert layer.stack().options.words == ("zoneout",)
    assert type(carousel.restore(layer)) is getattr(carousel, cell)  # torch has no such option
    layer.zoneout = (0.0, 0.0) if cell == "LSTM" else 0.0
    assert "zoneout" not in vars(carousel.restore(layer))


# ---- weights and features


def test_weight_dropout_drops_recurrent_weights_alone_and_once_per_call():
    layer = carousel.RNN(3, 40, weight_dropout=0.4, nonlinearity="relu", bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.zero_()
        layer.weight_hh_l0.fill_(1.0)
    y, _ = layer(torch.zeros(1, 40, 3), torch.eye(40)[None])  # row k shows column k of W_hh
    kept = y[0]
    assert set(kept.unique().tolist()) == {0.0, torch.tensor(1 / 0.6).item()}
    share = (kept == 0).double().mean().item()
    assert abs(share - 0.4) < 5 * (0.4 * 0.6 / kept.numel()) ** 0.5
    y, _ = layer(torch.zeros(2, 40, 3), torch.eye(40)[None])
    torch.testing.assert_close(y[1], y[0] @ y[0])  # the same mask at both steps
    assert (layer.eval()(torch.zeros(1, 40, 3), torch.eye(40)[None])[0] == 1).all()


@each_cell
def test_weight_dropout_leaves_the_parameter_alone(cell):
    layer, x, hx = problem((cell, {"weight_dropout": 0.5}))
    before = layer.weight_hh_l0.detach().clone()
    y, _ = layer(x, hx)
    y.sum().backward()
    assert torch.equal(layer.weight_hh_l0, before)
    assert (layer.weight_hh_l0.grad == 0).any()
    assert (layer.weight_hh_l0.grad != 0).any()


@pytest.mark.parametrize("path", ["native", "cells"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_variational_masks_of_features_are_constant_over_time(path, batch_first, packed):
    layer = carousel.RNN(
        6, 6, nonlinearity="relu", bias=False, variational=(0.3, 0.0, 0.4), batch_first=batch_first
    )
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.eye(6))
        layer.weight_hh_l0.zero_()
    x = torch.ones(7, 50, 6)
    lengths = torch.arange(50) % 7 + 1
    x = x.transpose(0, 1) if batch_first else x
    given = x
    if packed:
        given = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
    with kernels.use(path):
        y, _ = layer(given)
    if packed:
        y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first)
    y = y.transpose(0, 1) if batch_first else y
    for row in range(50):
        steps = int(lengths[row]) if packed else 7
        assert (y[:steps, row] == y[:1, row]).all()
    values = torch.tensor([0.0, 1 / 0.7 / 0.6])
    assert all(torch.isclose(values, v).any() for v in y[0].unique())
    share = (y[0] == 0).double().mean().item()
    p = 1 - 0.7 * 0.6
    assert abs(share - p) < 5 * (p * (1 - p) / y[0].numel()) ** 0.5


@each_option
def test_gradients_reach_every_weight(pair):
    layer, x, hx = problem(pair, num_layers=2, bidirectional=True)
    y, _ = layer(x, hx)
    y.square().sum().backward()
    for key, parameter in layer.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().max() > 0, key
