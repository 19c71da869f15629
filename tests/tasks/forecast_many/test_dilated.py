"""Dilated recurrent layers against a loop over steps."""

import pytest
import torch
from small_many import many_config, write_many

from carousel import tasks
from carousel.cells.states import states_of
from carousel.cells.table import names
from carousel.coach.inside import look
from carousel.coach.traces import recurrent_layers
from carousel.config import Config
from carousel.errors import ConfigError
from carousel.tasks.forecast_many.dilated import DilatedStack, dilated, dilations_of


def config_of(*more):
    return Config(task="forecast_many").override(
        ["model.hidden_size=5", "forecast.context=40", *more]
    )


def step_by_step(layer, x, dilation):
    """Outputs of one layer whose step t is given the state of step t - dilation by hand."""
    states, outputs = [], []
    for t in range(len(x)):
        before = states[t - dilation] if t >= dilation else None
        y, state = layer(x[t : t + 1], before)
        states.append(state)
        outputs.append(y)
    return torch.cat(outputs)


@pytest.mark.parametrize("cell", names())
def test_a_dilated_layer_is_the_loop_over_its_steps(cell):
    settings = {"slstm": ["model.heads=1"], "lmu": ["model.order=4", "model.theta=9"]}
    config = config_of(f"model.cell={cell}", *settings.get(cell, []))
    torch.manual_seed(0)
    stack = DilatedStack(3, [1], config)
    (layer,) = stack.layers
    for steps, dilation in ((1, 4), (4, 4), (13, 1), (13, 4), (13, 6), (7, 7)):
        for rows in (1, 3):
            x = torch.randn(steps, rows, 3)
            found, wanted = dilated(layer, x, dilation), step_by_step(layer, x, dilation)
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dilations", [[1], [2, 3], [1, 2, 4, 8], [8, 1]], ids=str)
@pytest.mark.parametrize("steps", [1, 7, 17])
def test_layers_behind_the_first_are_added_to_what_they_read(dilations, steps):
    torch.manual_seed(0)
    stack = DilatedStack(3, dilations, config_of("model.cell=gru")).eval()
    x = torch.randn(2, steps, 3)
    outputs, last = stack(x)
    wanted = step_by_step(stack.layers[0], x.transpose(0, 1), dilations[0])
    for layer, dilation in zip(stack.layers[1:], dilations[1:], strict=True):
        wanted = wanted + step_by_step(layer, wanted, dilation)
    wanted = wanted.transpose(0, 1)
    torch.testing.assert_close(outputs, wanted, rtol=1e-4, atol=1e-5)
    assert torch.equal(states_of(last)[0][-1], outputs[:, -1])


def test_gradients_are_those_of_the_loop():
    torch.manual_seed(0)
    layer = DilatedStack(3, [1], config_of("model.cell=lstm")).double().layers[0]
    x = torch.randn(11, 2, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(11, 2, 5, dtype=torch.float64)
    found = [
        torch.autograd.grad((run(layer, x, 3) * weight).sum(), [x, *layer.parameters()])
        for run in (dilated, step_by_step)
    ]
    for mine, wanted in zip(*found, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-9, atol=1e-10)


def test_no_step_sees_a_later_one():
    torch.manual_seed(0)
    stack = DilatedStack(3, [1, 4, 3], config_of("model.cell=gru")).eval()
    x = torch.randn(2, 14, 3)
    other = x.clone()
    other[:, 9:] = 7.0
    assert torch.equal(stack(x)[0][:, :9], stack(other)[0][:, :9])


def test_dropout_stands_behind_every_layer_but_the_last():
    stack = DilatedStack(3, [1, 2], config_of("model.cell=gru", "regularization.dropout=0.5"))
    stack.dropout.p = 1.0
    x = torch.randn(2, 9, 3)
    wanted = dilated(stack.layers[1], torch.zeros(9, 2, 5), 2)
    assert torch.equal(stack(x)[0], wanted.transpose(0, 1))


@pytest.mark.parametrize("text", ["0", "a", "1, -2", "1.5"])
def test_dilations_that_are_no_numbers_are_refused(text):
    with pytest.raises(ConfigError, match=r"model\.dilations must be whole numbers from 1"):
        dilations_of(config_of(f"model.dilations='{text}'"))


def test_a_dilation_as_long_as_the_window_is_refused(tmp_path):
    config = many_config(write_many(tmp_path), "model.dilations='1, 14'")
    with pytest.raises(ConfigError, match=r"14 must be less than forecast\.context = 14"):
        tasks.find("forecast_many")(config, 0)


def test_layers_are_counted_by_dilations_alone(tmp_path):
    config = many_config(write_many(tmp_path), "model.dilations='1, 2'", "model.num_layers=2")
    with pytest.raises(ConfigError, match=r"model\.num_layers has no effect"):
        tasks.find("forecast_many")(config, 0)


@pytest.mark.parametrize("steps", [12, 13, 14])
def test_the_sequence_that_the_coach_shows_is_the_one_with_the_last_step(steps):
    torch.manual_seed(0)
    stack = DilatedStack(3, [1, 3], config_of("model.cell=gru")).eval()
    x = torch.randn(1, steps, 3)
    _, readings = look(stack, lambda: stack(x)[1].sum())
    assert [len(one.influence) for one in readings] == [steps, -(-steps // 3)]
    assert all(abs(one.influence[-1]).max() > 0 for one in readings)


def test_the_coach_and_the_summary_see_each_layer(tmp_path):
    config = many_config(write_many(tmp_path), "model.dilations='1, 2, 4'")
    task = tasks.find("forecast_many")(config, 0)
    network = task.build_model()
    assert [name for name, _ in recurrent_layers(network)] == [
        f"recurrent.layers.{n}" for n in range(3)
    ]
    assert "recurrent layer on native" in task.describe(network)
    assert isinstance(network.recurrent, DilatedStack)
