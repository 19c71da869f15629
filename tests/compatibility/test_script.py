"""torch.jit.script: torch's layers with the same parameters, which TorchScript can read."""

import copy
import io

import pytest
import torch
from oracle import KINDS, assert_close, assert_same, evaluate, make_pair, randn
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import carousel
from carousel.layers.acceleration import accelerated

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
each_kind = pytest.mark.parametrize("kind", KINDS)


def saved(scripted):
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    return torch.jit.load(file)


@each_kind
def test_scripted_layer_computes_and_trains_as_torchs(kind):
    """In a container: of a layer alone, torch's too, TorchScript makes no forward."""
    ours, theirs = make_pair(
        kind, 3, 5, dtype=torch.float32, num_layers=2, bidirectional=True, batch_first=True
    )
    model = nn.Sequential(ours)
    scripted = torch.jit.script(model)
    for rows, steps in ((2, 4), (3, 9)):
        x = randn(rows, steps, 3).float()
        actual = evaluate(lambda x, _: scripted(x), x, None, ours.named_parameters())
        assert_same(actual, evaluate(theirs, x, None, theirs.named_parameters()))
    assert_close(saved(scripted)(x)[0], theirs(x)[0], "forward")


@each_kind
def test_scripted_layer_takes_packed_sequences(kind):
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32)
    packed = pack_padded_sequence(randn(4, 3, 3).float(), torch.tensor([4, 2, 1]))

    class Packed(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, packed: torch.nn.utils.rnn.PackedSequence):
            return self.layer(packed)

    actual, expected = saved(torch.jit.script(Packed(ours)))(packed), theirs(packed)
    assert_close(actual[0].data, expected[0].data, "forward")


class Model(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.embed, self.layer, self.head = nn.Linear(3, 4), layer, nn.Linear(5, 2)

    def forward(self, x):
        y, _ = self.layer(self.embed(x))
        return self.head(y)


def test_model_is_scripted_and_says_what_stands_in_it_now(caplog):
    model, x = Model(carousel.LSTM(4, 5, forget_bias=1.0)), randn(4, 2, 3).float()
    expected, parameters = model(x), list(model.parameters())
    scripted = torch.jit.script(model)
    assert_close(scripted(x), expected, "forward")
    assert "carousel.accelerate(model) brings ours back" in caplog.text
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    assert accelerated(carousel.accelerate(model)).swapped
    assert torch.equal(model(x), expected)


def test_copy_can_be_scripted_and_leaves_the_model_as_it_was():
    model = Model(carousel.accelerate(nn.GRU(4, 5)))
    scripted = torch.jit.script(copy.deepcopy(model))
    x = randn(4, 2, 3).float()
    assert_close(scripted(x), model(x), "forward")
    assert type(model.layer) is carousel.GRU


@pytest.mark.parametrize(
    ("layer", "what"),
    [
        (lambda: carousel.LSTM(4, 5, peephole=True), "torch has no peephole=True"),
        (lambda: carousel.MinGRU(4, 5), "torch has no MinGRU"),
    ],
)
def test_what_torch_lacks_is_refused_with_what_to_do(layer, what):
    with pytest.raises(NotImplementedError, match=f"{what}.*torch.jit.trace"):
        torch.jit.script(Model(layer()))
