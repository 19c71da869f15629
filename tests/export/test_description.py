"""A description holds all that a network computes: told by what it says, and by the equations."""

import numpy as np
import pytest
import torch
from every_task import EXPORTED, SMALL
from small_pairs import pair_config, write_pairs
from torch import nn

import carousel
from carousel import tasks
from carousel.cells.table import named
from carousel.errors import ConfigError
from carousel.export.describing import describe, subject_of
from carousel.export.description import Dense, Embedding, Pooling, Recurrent, Softmax
from carousel.export.parity import random_batch, random_states
from carousel.layers.pooling import Pooling as PoolingLayer

LAYERS = {
    "torch's LSTM": lambda: nn.LSTM(3, 5, 2, proj_size=2, bidirectional=True),
    "torch's RNN": lambda: nn.RNN(3, 5, nonlinearity="relu", bias=False),
    "LSTM": lambda: carousel.LSTM(3, 5, peephole=True, coupled=True, zoneout=(0.1, 0.2)),
    "normalised GRU": lambda: carousel.GRU(3, 5, 2, layer_norm=True, bidirectional=True),
    "reset first": lambda: carousel.GRU(3, 5, reset_after=False, activation="softsign"),
    "IndRNN": lambda: carousel.IndRNN(3, 5, nonlinearity="tanh"),
    "sLSTM": lambda: carousel.SLSTM(3, 6, 2, heads=2, bidirectional=True),
    "minLSTM": lambda: carousel.MinLSTM(3, 5, 2),
}


def by_the_equations(stack: Recurrent, x, states):
    """The stack over (T, B, I), from the description alone."""
    step, last = named(stack.cell).step, []
    for number, layer in enumerate(stack.layers):
        sides = []
        for side, weights in enumerate(layer):
            tensors = {name: torch.from_numpy(weight) for name, weight in weights.items()}
            state = tuple(part[number * stack.directions + side] for part in states)
            outputs = []
            for x_t in reversed(x) if side else x:
                new = step(x_t, state, **tensors, **stack.options)
                pairs = zip(stack.zoneout, state, new, strict=True)
                state = tuple(p * before + (1 - p) * after for p, before, after in pairs)
                outputs.append(state[0])
            sides.append(torch.stack(outputs[::-1] if side else outputs))
            last.append(state)
        x = torch.cat(sides, -1)
    return x, tuple(torch.stack(parts) for parts in zip(*last, strict=True))


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_equations_with_what_a_description_says_give_what_the_layer_gives(make):
    torch.manual_seed(0)
    subject = subject_of(make())
    network = subject.network
    rng = np.random.default_rng(1)
    given = random_batch(network, 3, 7, rng, lengths=False) | random_states(subject, 3, rng)
    found = subject.run(given)
    states = tuple(torch.from_numpy(given[f"{s.name}_in"]) for s in network.states)
    x = torch.from_numpy(given["x"]).transpose(0, 1)
    y, last = by_the_equations(network.recurrent[0], x, states)
    np.testing.assert_allclose(y.transpose(0, 1).numpy(), found["y"], atol=2e-6)
    for value, state in zip(network.states, last, strict=True):
        np.testing.assert_allclose(state.numpy(), found[f"{value.name}_out"], atol=2e-6)


def test_layers_in_a_row_are_described_one_by_one():
    row = nn.Sequential(
        nn.Embedding(11, 4), nn.Dropout(0.5), nn.GRU(4, 6), nn.Sequential(nn.Linear(6, 2)),
        nn.Softmax(-1),
    )  # fmt: skip
    network = describe(row)
    assert [type(layer) for layer in network.layers] == [Embedding, Recurrent, Dense, Softmax]
    assert network.outputs[0].shape == ("batch", "time", 2)
    assert [value.name for value in network.states] == ["h"]


def test_a_stack_that_pools_gives_one_vector():
    network = describe(nn.Sequential(carousel.GRU(3, 5), PoolingLayer("attention", 5)))
    pooling = network.layers[1]
    assert isinstance(pooling, Pooling)
    assert pooling.score.shape == (5,)
    assert (network.is_summary, network.has_states) == (True, False)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Sequential(nn.GRU(3, 4), nn.BatchNorm1d(4)), "BatchNorm1d has no description"),
        (nn.Conv1d(2, 3, 3, padding="same"), "Conv1d with padding='same'"),
        (nn.Sequential(), "computes nothing"),
        (nn.GRU(3, 4).double(), "float32"),
        (nn.Sequential(nn.ReLU()), "how many features"),
        (nn.Embedding(4, 2, max_norm=1.0), "max_norm"),
        (17, "got int"),
    ],
)
def test_what_has_no_description_is_named(model, said):
    with pytest.raises(ConfigError, match=said):
        describe(model)


def test_a_translator_is_said_to_go_into_two_files(tmp_path):
    config = pair_config(write_pairs(tmp_path, 60))
    task = tasks.find(config.task)(config, 0)
    with pytest.raises(ConfigError, match=r"'translate' has no description: .* two \.onnx files"):
        describe(task.finish(task.build_model()))


@pytest.mark.parametrize("name", SMALL.keys() - EXPORTED.keys())
def test_models_of_tasks_that_cannot_be_exported_yet_are_refused_with_these_words(name, tmp_path):
    config = SMALL[name](tmp_path)
    task = tasks.find(config.task)(config, 0)
    trained = task.finish(task.build_model())
    with pytest.raises(ConfigError, match=f"of the task '{name}' cannot be exported yet") as said:
        subject_of(trained)
    assert f"it is {name}" not in str(said.value)
    assert describe(trained.model.recurrent).recurrent  # which is what the words advise


@pytest.mark.parametrize(
    ("name", "setting", "said"),
    [
        ("forecast", "forecast.segment=4", r"Forecaster with forecast\.segment has no"),
        ("forecast", "forecast.normalize=last", r"Forecaster with forecast\.normalize has no"),
        ("classify_text", "text.characters=jamo", r"reads letters of words \(text\.characters\)"),
        ("label_words", "text.characters=character", r"reads letters of words"),
    ],
)
def test_settings_without_a_description_are_named_with_what_to_export(
    name, setting, said, tmp_path
):
    config = SMALL[name](tmp_path).override(
        [setting, "forecast.context=12"][: 1 + (name == "forecast")]
    )
    task = tasks.find(config.task)(config, 0)
    trained = task.finish(task.build_model())
    with pytest.raises(ConfigError, match=said):
        subject_of(trained)
    assert describe(trained.model.recurrent).recurrent  # which is what the words advise


@pytest.mark.parametrize("name", EXPORTED)
def test_trained_models_of_every_task_are_described(name, tmp_path):
    config = EXPORTED[name](tmp_path)
    task = tasks.find(config.task)(config, 0)
    torch.manual_seed(0)
    trained = task.finish(task.build_model())
    subject = subject_of(trained)
    given = random_batch(subject.network, 3, 8, np.random.default_rng(2))
    found = subject.run(given)
    output = subject.network.outputs[0]
    sizes = {"batch": 3, "time": 8}
    assert found[output.name].shape == tuple(sizes.get(size, size) for size in output.shape)
    if output.name == "probabilities":
        total = found[output.name].sum(-1)
        assert np.allclose(total[np.abs(total) > 0.5], 1, atol=1e-5)
