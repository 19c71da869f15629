import numpy as np
import pytest
import torch
from every_task import SMALL
from oracle import assert_close, randn, randomise
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import carousel
from carousel import tasks
from carousel.coach.inside import left_at_the_end, look, order_of_units
from carousel.coach.traces import trace
from carousel.errors import RunError
from carousel.tasks.shared.example import of_training


class Reader(nn.Module):
    """A model of torch's layers that the coach has never seen: two readers, one for the other."""

    def __init__(self, packed=False):
        super().__init__()
        self.embedding = nn.Embedding(9, 3)
        self.first = nn.LSTM(3, 5, bidirectional=True, batch_first=True)
        self.second = nn.Sequential(nn.Linear(10, 4), nn.GRU(4, 6, batch_first=True))
        self.packed = packed

    def forward(self, tokens):
        x = self.embedding(tokens)
        if self.packed:
            x = pack_padded_sequence(x, torch.tensor([x.size(1)]), batch_first=True)
            y, _ = nn.utils.rnn.pad_packed_sequence(self.first(x)[0], batch_first=True)
        else:
            y, _ = self.first(x)
        return self.second(y)[1].sum()


@pytest.mark.parametrize("packed", [False, True])
def test_influence_is_the_gradient_of_the_output_by_each_input_of_each_layer(packed):
    model = randomise(Reader(packed).double(), 1)
    tokens = torch.tensor([[3, 1, 4, 1, 5]])
    value, (first, second) = look(model, lambda: model(tokens))
    x = model.embedding(tokens).detach().requires_grad_()
    between = model.second[0](model.first(x)[0])
    expected = model.second[1](between)[1].sum()
    by_x, by_between = torch.autograd.grad(expected, (x, between))
    assert value == pytest.approx(expected.item())
    assert (first.name, second.name) == ("first", "second.1")
    np.testing.assert_allclose(first.gradient, by_x[0].numpy(), rtol=1e-5)
    np.testing.assert_allclose(second.influence, by_between[0].norm(dim=1).numpy(), rtol=1e-5)
    assert [len(r.traces) for r in (first, second)] == [2, 1]


@pytest.mark.parametrize("name", SMALL)
def test_every_task_shows_examples_of_validation_and_of_training(name, tmp_path):
    config = SMALL[name](tmp_path)
    task = tasks.find(config.task)(config, 1)
    model = task.build_model()
    torch.manual_seed(1)
    with torch.no_grad():  # a head that starts at zero lets nothing through
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    trained = task.finish(model)
    for example in (trained.example("validation", 1), of_training(task, trained.model, 3)):
        value, readings = look(trained.model, example.output)
        assert np.isfinite(value)
        for reading in readings:
            assert reading.influence.max() > 0
            assert reading.difference < 1e-4
            assert len(reading.influence) == (len(example.steps) or len(reading.influence))
    assert example.title


def test_a_layer_that_does_not_do_what_its_equations_say_is_not_pictured():
    class Wrong(nn.GRU):
        def forward(self, x, hx=None):
            y, h = super().forward(x, hx)
            return y + 0.01, h

    layer = Wrong(3, 4)
    with pytest.raises(RunError, match="differ from its output"):
        look(layer, lambda: layer(torch.ones(5, 1, 3))[0].sum())


def test_a_model_without_a_recurrent_layer_or_an_output_without_it_is_told():
    model = nn.Linear(3, 1)
    with pytest.raises(RunError, match="no recurrent layer"):
        look(model, lambda: model(torch.ones(3)).sum())
    model = nn.ModuleList([nn.Linear(3, 1), nn.GRU(3, 1)])
    with pytest.raises(RunError, match="through no recurrent layer"):
        look(model, lambda: model[0](torch.ones(3)).sum())


def test_looking_changes_neither_mode_nor_weights_nor_hooks_nor_gradients():
    model = nn.ModuleDict({"read": carousel.LSTM(3, 4, 2, dropout=0.5)}).train()
    before = {name: p.clone() for name, p in model.named_parameters()}
    state = torch.get_rng_state()
    x = torch.ones(5, 1, 3)
    first, _ = look(model, lambda: model["read"](x)[0].sum())
    again, _ = look(model, lambda: model["read"](x)[0].sum())
    assert first == again
    assert model.training
    assert not model["read"]._forward_hooks
    assert not model["read"]._forward_pre_hooks
    assert torch.equal(state, torch.get_rng_state())
    for name, p in model.named_parameters():
        assert torch.equal(p, before[name])
        assert p.grad is None


def test_a_layer_that_is_called_for_each_step_or_for_many_rows_is_counted():
    layer = carousel.GRU(3, 4)

    def stepwise():
        h = None
        for _ in range(3):
            y, h = layer(torch.ones(1, 2, 3), h)
        return y.sum()

    _, (reading,) = look(layer, stepwise)
    assert (reading.calls, reading.rows) == (3, 2)


def test_what_is_left_at_the_end_is_the_product_of_what_later_steps_keep():
    layer = randomise(nn.LSTM(2, 3, bidirectional=True, dtype=torch.float64), 5)
    forward, back = trace(layer, randn(6, 1, 2))
    for found, steps in ((forward, lambda t: range(t + 1, 6)), (back, lambda t: range(t))):
        kept = found.kept[:, 0].detach()
        expected = [
            torch.stack([torch.ones(3).double(), *(kept[s] for s in steps(t))]).prod(0).mean()
            for t in range(6)
        ]
        left = torch.from_numpy(left_at_the_end(found).copy())
        assert_close(left, torch.stack(expected), "forward")


def test_units_that_do_the_same_stand_beside_each_other():
    layer = randomise(nn.RNN(2, 4, dtype=torch.float64), 6)
    with torch.no_grad():  # unit 2 is unit 0 again, unit 3 unit 1, and no unit sees another
        layer.weight_hh_l0.copy_(torch.eye(4) * 0.5)
        for weight in (layer.weight_ih_l0, layer.bias_ih_l0, layer.bias_hh_l0):
            weight[2:] = weight[:2]
    (found,) = trace(layer, randn(8, 1, 2))
    order = order_of_units(found).tolist()
    assert sorted(order) == [0, 1, 2, 3]
    assert abs(order.index(0) - order.index(2)) == 1
    assert abs(order.index(1) - order.index(3)) == 1
    assert not np.isnan(order).any()


def test_units_that_never_move_have_a_place_too():
    layer = nn.RNN(2, 3)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
    (found,) = trace(layer, torch.ones(4, 1, 2))
    assert sorted(order_of_units(found).tolist()) == [0, 1, 2]
