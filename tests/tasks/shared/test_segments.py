"""Segments of windows, held to torch's own layers step by step; windows by their own level."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from carousel import layers
from carousel.tasks.shared.reversible import Reversible
from carousel.tasks.shared.segments import Segments

TORCH = {"GRU": nn.GRU, "LSTM": nn.LSTM, "RNN": nn.RNN}


def by_hand(segments, recurrent, x, before, after):
    """The equations, a window, a segment and a layer of torch at a time."""
    length, rows = segments.length, []
    for row in range(len(x)):
        state = None
        for first in range(0, x.size(1), length):
            inside = slice(first, first + length)
            read = torch.cat((x[row, inside], before[row, inside]), 1).flatten()
            e = (segments.embed.weight @ read + segments.embed.bias).clamp(min=0)
            _, state = recurrent(e.view(1, 1, -1), state)
        said = []
        for j in range(segments.count):
            d = segments.place[j]
            if segments.channel is not None:
                d = d + segments.channel[row % len(segments.channel)]
            if segments.coming is not None:
                known = after[row, j * length : (j + 1) * length]
                known = torch.cat((known, known.new_zeros(length - len(known), known.size(1))))
                d = d + segments.coming.weight @ known.flatten()
            h, _ = recurrent(d.view(1, 1, -1), state)
            y = segments.head.weight @ h.flatten() + segments.head.bias
            said.append(y.view(length, -1))
        rows.append(torch.cat(said)[: segments.horizon])
    return torch.stack(rows)


@pytest.mark.parametrize("cell", TORCH)
@pytest.mark.parametrize(
    ("length", "horizon", "features", "known", "channels", "depth"),
    [
        (4, 8, 1, 0, 3, 1),
        (3, 7, 2, 2, 1, 2),
        (12, 5, 1, 3, 2, 1),
        (1, 2, 3, 0, 1, 1),
        (3, 7, 1, 2, 2, 1),
        (6, 11, 2, 3, 1, 1),
    ],
)
def test_segments_are_their_equations(cell, length, horizon, features, known, channels, depth):
    torch.manual_seed(length)
    segments = Segments(
        length, context=12, horizon=horizon, features=features, hidden_size=5, outputs=2,
        known=known, channels=channels, dropout=0.5,
    ).eval()  # fmt: skip
    own = getattr(layers, cell)(5, 5, depth, batch_first=True)
    theirs = TORCH[cell](5, 5, depth, batch_first=True)
    theirs.load_state_dict(own.state_dict())
    rows = 2 * channels
    given = (
        torch.randn(rows, 12, features),
        torch.randn(rows, 12, known),
        torch.randn(rows, horizon, known),
    )
    found = segments(own, *given)
    assert found.shape == (rows, horizon, 2)
    torch.testing.assert_close(found, by_hand(segments, theirs, *given), rtol=1e-4, atol=1e-5)
    names = [name for name, _ in segments.named_parameters()]
    asked = [*segments.parameters(), *own.parameters()]
    wanted = torch.autograd.grad(
        by_hand(segments, theirs, *given).square().sum(),
        [*segments.parameters(), *theirs.parameters()],
    )
    for name, a, b in zip(
        [*names, *(n for n, _ in own.named_parameters())],
        torch.autograd.grad(found.square().sum(), asked),
        wanted,
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("own", [{"bias": False}, {"reset_after": False}, {"bidirectional": True}])
def test_grus_with_and_without_options_decode_as_a_call_of_the_layer_does(own):
    torch.manual_seed(4)
    both = 2 if own.get("bidirectional") else 1
    segments = Segments(
        3, context=9, horizon=8, features=1, hidden_size=5 * both, outputs=1, known=2, channels=2
    )
    segments.embed = nn.Linear(9, 4)
    segments.coming = nn.Linear(6, 4, bias=False)
    segments.place = nn.Parameter(torch.randn(3, 4))
    segments.channel = nn.Parameter(torch.randn(2, 4))
    recurrent = layers.GRU(4, 5, batch_first=True, **own)
    given = torch.randn(6, 9, 1), torch.randn(6, 9, 2), torch.randn(6, 8, 2)
    read = torch.cat(given[:2], 2).reshape(6, 3, 9)
    _, last = recurrent(torch.relu(segments.embed(read)))
    known = torch.cat((given[2], torch.zeros(6, 1, 2)), 1).reshape(6, 3, 6)
    places = segments.place + segments.channel.repeat(3, 1).unsqueeze(1) + segments.coming(known)
    said = [segments.head(recurrent(places[:, j : j + 1], last)[0]) for j in range(3)]
    torch.testing.assert_close(segments(recurrent, *given)[..., 0], torch.cat(said, 2)[:, 0, :8])


def test_every_segment_to_come_is_told_from_the_same_state():
    torch.manual_seed(1)
    segments = Segments(4, context=8, horizon=12, features=1, hidden_size=6, outputs=1)
    nn.init.constant_(segments.place, 0.3)
    found = segments(
        layers.GRU(6, 6, batch_first=True),
        torch.randn(3, 8, 1),
        torch.zeros(3, 8, 0),
        torch.zeros(3, 12, 0),
    )
    torch.testing.assert_close(found[:, :4], found[:, 4:8])
    torch.testing.assert_close(found[:, :4], found[:, 8:])


def test_a_window_that_cannot_be_cut_is_refused():
    with pytest.raises(ValueError, match="multiple of length; got 10 and 4"):
        Segments(4, context=10, horizon=4, features=1, hidden_size=3, outputs=1)


@pytest.mark.parametrize("centre", ["last", "mean"])
def test_a_window_read_at_another_level_and_size_forecasts_at_them(centre):
    torch.manual_seed(2)
    x = torch.randn(4, 9, 3)
    raw = torch.randn(4, 5, 3, 3)
    shift, factor = torch.randn(4, 1, 3) * 5, 10 * torch.rand(4, 1, 3) + 2
    one, other = Reversible.of(x, centre), Reversible.of(x * factor + shift, centre)
    torch.testing.assert_close(one.apply(x), other.apply(x * factor + shift), rtol=1e-3, atol=1e-4)
    here, there = one.restore(raw), other.restore(raw)
    torch.testing.assert_close(here[..., 0] * factor + shift, there[..., 0], rtol=1e-3, atol=1e-3)
    wide = F.softplus(here[..., 1:]) * factor.unsqueeze(-1)
    torch.testing.assert_close(wide, F.softplus(there[..., 1:]), rtol=1e-3, atol=1e-3)


def test_a_window_by_its_own_size_has_deviation_one_and_its_centre_at_zero():
    x = 3 + 2 * torch.randn(2, 400, 1)
    mean, last = Reversible.of(x, "mean").apply(x), Reversible.of(x, "last").apply(x)
    torch.testing.assert_close(mean.mean(1), torch.zeros(2, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(mean.std(1, correction=0), torch.ones(2, 1))
    assert (last[:, -1] == 0).all()
    constant = Reversible.of(torch.full((1, 6, 1), 4.0), "last")
    assert constant.apply(torch.full((1, 6, 1), 4.0)).abs().max() == 0
    assert constant.restore(torch.randn(1, 2, 1, 2)).isfinite().all()


def test_widths_far_from_one_keep_finite_gradients():
    raw = torch.tensor([[[[0.0, -40.0], [0.0, 0.0], [0.0, 60.0]]]], requires_grad=True)
    window = Reversible(torch.zeros(1, 1, 3), torch.tensor([[[1e-3, 1e-3, 1e3]]]))
    found = window.restore(raw)
    assert found.isfinite().all()
    (gradient,) = torch.autograd.grad(F.softplus(found[..., 1]).sum(), raw)
    assert gradient.isfinite().all()
    wanted = window.size[0, 0] * raw[0, 0, :, 1].sigmoid()
    torch.testing.assert_close(gradient[0, 0, 1:, 1], wanted[1:], rtol=1e-3, atol=1e-6)
