"""Numbers from inside the cells against what torch's own autograd and formulas say."""

import gc
import math
import weakref

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import carousel
from carousel.coach.probe import lag_norms, look_inside
from carousel.coach.traces import trace
from carousel.coach.watch import watch

LENGTHS = torch.tensor([9, 5, 7, 9])


def looked(layer, loss, *args, **kwargs):
    """The calls of a layer whose loss is differentiated, as in a training step."""
    with watch(layer) as calls:
        loss(*layer(*args, **kwargs)).backward()
    return calls


def gradients_by_hand(cell, x, lengths, loss):
    """dL/dh_t of torch's cells, step by step, with retain_grad."""
    lstm = isinstance(cell, nn.LSTMCell)
    h = torch.zeros(x.size(1), cell.hidden_size, requires_grad=True)
    state = (h, torch.zeros_like(h)) if lstm else h
    states = []
    for step in x:
        state = cell(step, state)
        h = state[0] if lstm else state
        h.retain_grad()
        states.append(h)
    stacked = torch.stack(states)
    inside = torch.arange(len(x))[:, None] < lengths
    loss(stacked * inside[..., None]).backward()
    return torch.stack([h.grad for h in states])


def shared(layer, cell):
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(cell, name).data.copy_(getattr(layer, f"{name}_l0").data)
    return cell


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (carousel.LSTM, nn.LSTMCell),
        (carousel.GRU, nn.GRUCell),
        (carousel.RNN, nn.RNNCell),
        (nn.LSTM, nn.LSTMCell),
    ],
)
def test_gradient_against_lag_is_that_of_autograd_over_cells(ours, theirs):
    torch.manual_seed(1)
    layer, x, target = ours(3, 5), torch.randn(9, 4, 3), torch.randn(9, 4, 5)
    ragged = ours is not nn.LSTM
    lengths = LENGTHS if ragged else torch.full((4,), 9)
    given = {"lengths": lengths} if ragged else {}
    calls = looked(layer, lambda y, _: (y * target).square().sum(), x, **given)
    (norms,) = lag_norms(calls[0], trace(layer, x, None, lengths), rows=4)
    by_hand = gradients_by_hand(
        shared(layer, theirs(3, 5)), x, lengths, lambda y: (y * target).square().sum()
    ).norm(dim=2)
    for lag, norm in enumerate(norms):
        rows = [(int(n) - 1 - lag, row) for row, n in enumerate(lengths) if n > lag]
        wanted = math.sqrt(sum(float(by_hand[t, row]) ** 2 for t, row in rows) / len(rows))
        assert float(norm) == pytest.approx(wanted, rel=1e-4)


def test_gradient_of_the_final_state_counts_as_well():
    torch.manual_seed(2)
    layer, x = carousel.LSTM(3, 5), torch.randn(9, 4, 3)
    whole = looked(layer, lambda y, _: y[-1].square().sum(), x)
    final = looked(layer, lambda _, state: state[0].square().sum(), x)
    (a,) = lag_norms(whole[0], trace(layer, x), rows=4)
    (b,) = lag_norms(final[0], trace(layer, x), rows=4)
    torch.testing.assert_close(a, b)
    assert float(a[0]) > 0


def test_lag_zero_of_a_layer_that_reads_backwards_is_the_first_step():
    torch.manual_seed(3)
    layer, x = carousel.GRU(3, 5, bidirectional=True), torch.randn(9, 4, 3)
    calls = looked(layer, lambda y, _: y[0, :, 5:].sum(), x)
    ahead, back = lag_norms(calls[0], trace(layer, x), rows=4)
    assert float(ahead.sum()) == 0
    assert float(back[0]) == float(back.max())
    assert float(back[1]) > 0


def test_fewer_rows_are_the_same_rows():
    torch.manual_seed(4)
    layer, x = carousel.LSTM(3, 5, batch_first=True), torch.randn(6, 9, 3)
    calls = looked(layer, lambda y, _: y.square().sum(), x)
    numbers = look_inside(calls, rows=2).numbers
    alone = looked(layer, lambda y, _: y.square().sum(), x[:2])
    assert numbers == pytest.approx(look_inside(alone, rows=99).numbers, rel=1e-4)


def test_padding_changes_no_number():
    torch.manual_seed(5)
    layer, x = carousel.LSTM(3, 5), torch.randn(9, 4, 3)
    wide = torch.cat((x, torch.full((3, 4, 3), 7.0)))
    for step, length in enumerate(LENGTHS):
        wide[length:, step] = 99.0
    numbers = [
        look_inside(looked(layer, lambda y, _: y.sum(), data, lengths=LENGTHS), rows=4).numbers
        for data in (x, wide)
    ]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-4)


def test_packed_sequences_are_seen_as_their_padded_twins():
    torch.manual_seed(6)
    layer, x = carousel.GRU(3, 5), torch.randn(9, 4, 3)
    packed = pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    ours = look_inside(looked(layer, lambda y, _: y.data.square().sum(), packed), 4)
    theirs = look_inside(looked(layer, lambda y, _: y.square().sum(), x, lengths=LENGTHS), 4)
    assert ours.numbers == pytest.approx(theirs.numbers, rel=1e-4)


def test_saturation_is_counted_over_units_and_steps():
    """Weights of zero and biases far out: what each gate does is known beforehand."""
    layer = carousel.LSTM(2, 4)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0.copy_(
            torch.tensor([9.0, -9.0, 0, 0] + [9.0] * 4 + [5.0, 5.0, 5.0, 0] + [0.0] * 4)
        )
    numbers = look_inside(looked(layer, lambda y, _: y.sum(), torch.randn(7, 3, 2)), 3).numbers
    assert numbers["gate/l0/i/high"] == pytest.approx(0.25)
    assert numbers["gate/l0/i/low"] == pytest.approx(0.25)
    assert numbers["gate/l0/f/high"] == 1
    assert numbers["gate/l0/o/mean"] == pytest.approx(0.5)
    assert numbers["candidate/l0/saturated"] == pytest.approx(0.75)


def test_units_that_never_change_are_dead():
    layer = carousel.RNN(2, 5)
    with torch.no_grad():
        layer.weight_ih_l0[:3].zero_()
        layer.weight_hh_l0[:3].zero_()
    numbers = look_inside(looked(layer, lambda y, _: y.sum(), torch.randn(7, 6, 2)), 6).numbers
    assert numbers["state/l0/dead"] == pytest.approx(0.6)


def test_profiles_are_compact_whatever_the_length():
    layer = carousel.GRU(2, 3)
    found = look_inside(looked(layer, lambda y, _: y.sum(), torch.randn(150, 2, 2)), 2)
    assert found.profiles
    for profile in found.profiles:
        assert len(profile["values"]) <= 64
        assert profile["each"] == 3


def test_watching_changes_neither_result_nor_hooks():
    torch.manual_seed(7)
    layer, x = carousel.LSTM(3, 5), torch.randn(9, 4, 3)
    plain = layer(x)[0]
    with watch(layer):
        watched = layer(x)[0]
    assert torch.equal(plain, watched)
    assert not layer._forward_hooks


@pytest.mark.parametrize("packed", [False, True])
def test_what_was_watched_is_freed_with_its_calls(packed):
    """A hook that held its own tensor would keep the graph of every look for ever."""
    net = nn.Sequential(nn.Linear(3, 3), carousel.LSTM(3, 5))
    x = torch.randn(7, 4, 3)
    seen = []

    def note(module, args, output):
        seen.append(weakref.ref(output))

    net[0].register_forward_hook(note)
    with watch(net) as calls:
        hidden = net[0](x)
        given = pack_padded_sequence(hidden, [7] * 4) if packed else hidden
        y = net[1](given)[0]
        y = y.data if packed else y
        torch.autograd.grad(y.sum(), [calls[0].outputs[0]])
    assert set(calls[0].gradients) == {0}
    assert calls[0].gradients[0].shape == (7, 4, 5)
    del calls, hidden, given, y
    gc.collect()
    assert seen[0]() is None
