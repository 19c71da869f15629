import math

import options as cell_options
import pytest
import torch
from oracle import KINDS, assert_close, randomise
from oracle import randn as doubles
from parallel_layers import KINDS as PARALLEL
from parallel_layers import make
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import carousel
from carousel.coach.inside import spread_of_lives
from carousel.coach.traces import output_of, recurrent_layers, trace

T, B, F, H = 9, 3, 4, 5
LENGTHS = torch.tensor([4, 9, 7])
OPTIONS = [(kind, given) for kind, all_ in cell_options.PLAIN.items() for given in all_]


def randn(*shape, seed=0, dtype=torch.float32):
    return doubles(*shape, seed=seed, dtype=dtype)


def agree(layer, x, hx=None, lengths=None):
    traces = trace(layer, x, hx, lengths)
    y, _ = layer(x, hx) if lengths is None else layer(x, hx, lengths=lengths)
    assert_close(output_of(traces, layer), y, "forward")
    return traces


@pytest.mark.parametrize(("kind", "given"), OPTIONS, ids=str)
def test_the_states_of_every_cell_and_option_are_those_that_the_fast_path_gives_out(kind, given):
    layer = randomise(getattr(carousel, kind)(F, H, 2, bidirectional=True, **given), 1).eval()
    traces = agree(layer, randn(T, B, F, seed=2), lengths=LENGTHS)
    assert [str(t) for t in traces] == [
        "layer 0",
        "layer 0, backward",
        "layer 1",
        "layer 1, backward",
    ]


@pytest.mark.parametrize("kind", PARALLEL)
def test_the_states_of_cells_without_a_recurrent_product_are_those_of_the_fast_path(kind):
    agree(make(kind, F, H, num_layers=2, bidirectional=True), randn(T, B, F), lengths=LENGTHS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_layers_of_torch_are_traced_too(kind, batch_first):
    name, given = KINDS[kind]
    layer = randomise(getattr(nn, name)(F, H, 2, batch_first=batch_first, **given), 3)
    x = randn(B, T, F) if batch_first else randn(T, B, F)
    assert agree(layer, x)[1].parts["h"].shape[:2] == (T, B)


def test_an_unbatched_input_a_state_and_a_packed_sequence_are_read_as_the_layer_reads_them():
    layer = randomise(carousel.LSTM(F, H), 4)
    x, hx = randn(T, F), (randn(1, H, seed=5), randn(1, H, seed=6))
    assert_close(output_of(trace(layer, x, hx), layer)[:, 0], layer(x, hx)[0], "forward")
    x = randn(T, B, F)
    packed = pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    assert_close(output_of(trace(layer, packed), layer), layer(x, lengths=LENGTHS)[0], "forward")


def test_gates_are_the_equations_worked_with_the_states_of_the_layer_itself():
    layer = randomise(nn.LSTM(F, H, dtype=torch.float64), 7)
    x = randn(T, B, F, dtype=torch.float64)
    (found,) = trace(layer, x)
    y, _ = layer(x)
    before = torch.cat((torch.zeros(1, B, H, dtype=torch.float64), y[:-1]))
    sums = x @ layer.weight_ih_l0.T + before @ layer.weight_hh_l0.T
    i, f, g, o = (sums + layer.bias_ih_l0 + layer.bias_hh_l0).chunk(4, -1)
    expected = {"i": i.sigmoid(), "f": f.sigmoid(), "g": g.tanh(), "o": o.sigmoid()}
    for name, value in expected.items():
        assert_close(found.parts[name], value, "forward", name)
    layer = randomise(nn.GRU(F, H, dtype=torch.float64), 8)
    (found,) = trace(layer, x)
    y, _ = layer(x)
    before = torch.cat((torch.zeros(1, B, H, dtype=torch.float64), y[:-1]))
    a_r, a_z, a_n = (x @ layer.weight_ih_l0.T + layer.bias_ih_l0).chunk(3, -1)
    b_r, b_z, b_n = (before @ layer.weight_hh_l0.T + layer.bias_hh_l0).chunk(3, -1)
    r = (a_r + b_r).sigmoid()
    for name, value in {"r": r, "z": (a_z + b_z).sigmoid(), "n": (a_n + r * b_n).tanh()}.items():
        assert_close(found.parts[name], value, "forward", name)


def test_the_cell_of_a_coupled_lstm_is_what_its_gates_make_of_it():
    layer = randomise(carousel.LSTM(F, H, coupled=True, dtype=torch.float64), 9)
    (found,) = trace(layer, randn(T, B, F, dtype=torch.float64))
    parts = found.parts
    before = torch.cat((torch.zeros(1, B, H, dtype=torch.float64), parts["c"][:-1]))
    assert_close(parts["i"] + parts["f"], torch.ones_like(parts["i"]), "forward")
    assert_close(parts["c"], parts["f"] * before + parts["i"] * parts["g"], "forward")


def test_past_a_rows_end_there_is_nothing_whatever_stands_in_the_padding():
    layer = randomise(carousel.GRU(F, H, bidirectional=True), 10)
    x = randn(T, B, F)
    x[5:, 0] = math.nan
    for found in trace(layer, x, lengths=LENGTHS):
        assert found.inside.sum(0).tolist() == LENGTHS.tolist()
        assert all((part[~found.inside] == 0).all() for part in found.parts.values())


def test_a_trace_leaves_the_mode_and_the_random_state_of_a_layer_alone():
    layer = carousel.LSTM(F, H, 2, dropout=0.5, zoneout=0.3, recurrent_dropout=0.3).train()
    x, before = randn(T, B, F), torch.get_rng_state()
    first = output_of(trace(layer, x), layer)
    assert layer.training
    assert torch.equal(before, torch.get_rng_state())
    assert_close(first, layer.eval()(x)[0], "forward")


def test_the_gradient_of_every_state_can_be_asked_for():
    layer = randomise(nn.LSTM(F, H, dtype=torch.float64), 11)
    x = randn(T, B, F, dtype=torch.float64).requires_grad_()
    (found,) = trace(layer, x)
    (ours,) = torch.autograd.grad(found.parts["h"][-1].sum(), x)
    (theirs,) = torch.autograd.grad(layer(x)[0][-1].sum(), x)
    assert_close(ours, theirs, "gradient")


def test_the_half_life_is_how_long_a_constant_gate_takes_to_halve_the_memory():
    layer = nn.LSTM(F, 2, dtype=torch.float64)
    shares = torch.tensor([0.5, 2 ** (-1 / 7)], dtype=torch.float64)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        layer.bias_ih_l0[2:4] = shares.logit()
    (found,) = trace(layer, randn(T, B, F, dtype=torch.float64))
    assert_close(found.half_life, torch.tensor([1.0, 7.0], dtype=torch.float64), "forward")
    layer = nn.GRU(F, 1, dtype=torch.float64)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        layer.bias_ih_l0[1] = shares[1].logit()
    (found,) = trace(layer, randn(T, B, F, dtype=torch.float64))
    assert_close(found.half_life, torch.tensor([7.0], dtype=torch.float64), "forward")


@pytest.mark.parametrize("layer", [nn.RNN(F, H), carousel.IndRNN(F, H)], ids=["RNN", "IndRNN"])
def test_cells_without_gates_have_no_half_life(layer):
    (found,) = trace(layer, randn(T, B, F))
    assert list(found.parts) == ["h"]
    assert found.half_life is None


def test_the_recurrent_layers_of_a_model_are_found_wherever_they_stand():
    model = nn.ModuleDict(
        {"encoder": nn.Sequential(nn.Linear(2, 3), carousel.GRU(3, 4)), "decoder": nn.LSTM(3, 4)}
    )
    assert [name for name, _ in recurrent_layers(model)] == ["encoder.1", "decoder"]


def test_the_spread_of_half_lives_is_that_of_units_even_where_some_never_forget():
    layer = nn.LSTM(F, 10, dtype=torch.float64)
    lives = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, math.inf]
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        shares = torch.tensor([2 ** (-1 / life) for life in lives], dtype=torch.float64)
        layer.bias_ih_l0[10:20] = shares.logit()
    (found,) = trace(layer, randn(T, B, F, dtype=torch.float64))
    spread = spread_of_lives(found)
    assert spread == pytest.approx({"10 %": 1.0, "50 %": 5.0, "90 %": 9.0})
    with torch.no_grad():
        layer.bias_ih_l0[10:20] = math.inf
    (found,) = trace(layer, randn(T, B, F, dtype=torch.float64))
    assert set(spread_of_lives(found).values()) == {math.inf}
