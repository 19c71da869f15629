"""What the networks of several tasks share: the cells that a configuration describes, losses of
classes, dropped words, evaluation mode."""

import pytest
import torch
from small import small_config
from torch import nn
from torch.nn import functional as F

from carousel.config import LossConfig
from carousel.errors import ConfigError
from carousel.tasks.shared import network
from carousel.tasks.shared.network import (
    class_weights,
    drop_words,
    evaluating,
    make_recurrent,
    weighted_loss,
)


def layer_of(*assignments):
    config = small_config(*assignments)
    network.check(config)
    return make_recurrent(3, config.model, config.regularization, batch_first=True)


@pytest.mark.parametrize(
    ("assignments", "words"),
    [
        ([], ()),
        (["model.activation=tanh", "model.gate_activation=sigmoid"], ()),
        (["model.activation=softsign"], ("activation",)),
        (["model.gate_activation=hard_sigmoid"], ("gate_activation",)),
        (["model.peephole=true", "model.coupled=true"], ("peephole", "coupled")),
        (["model.variant=NOG"], ("variant",)),
        (["regularization.zoneout=0.1"], ("zoneout",)),
        (["regularization.zoneout_cell=0.5"], ("zoneout",)),
        (["regularization.recurrent_dropout=0.2"], ("recurrent_dropout",)),
        (["regularization.variational=0.2"], ("variational",)),
        (["regularization.naive_recurrent_dropout=0.2"], ("naive_recurrent_dropout",)),
        (["model.cell=gru", "regularization.zoneout=0.1"], ("zoneout",)),
        (["model.cell=gru", "model.activation=relu"], ("activation",)),
        (["model.cell=gru", "model.reset_after=false"], ("reset_after=False",)),
        (["model.cell=rnn", "model.activation=relu"], ()),
        (["model.cell=rnn", "model.activation=hard_tanh"], ("activation",)),
    ],
    ids=str,
)
def test_each_key_reaches_the_cell(assignments, words):
    assert layer_of(*assignments).stack().options.words == words


def test_probabilities_reach_the_part_they_are_for():
    layer = layer_of(
        "regularization.zoneout=0.1",
        "regularization.zoneout_cell=0.5",
        "regularization.weight_dropout=0.3",
        "regularization.variational=0.2",
    )
    assert (layer.zoneout, layer.weight_dropout) == ((0.5, 0.1), 0.3)
    assert layer.variational == (0.2, 0.2, 0.2)
    assert layer_of("regularization.zoneout=0.1").zoneout == (0.1, 0.1)
    assert layer_of("regularization.zoneout=0.1", "regularization.zoneout_cell=0").zoneout[0] == 0


def test_the_forget_bias_goes_where_there_is_a_forget_gate():
    layer = layer_of("model.coupled=true", "model.forget_bias=2")
    assert (layer.bias_ih_l0 + layer.bias_hh_l0)[:12].tolist() == [-2.0] * 12
    assert layer_of("model.variant=NFG").forget_bias is None


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["model.cell=gru", "model.peephole=true"], "model.peephole has no effect with model.cell"),
        (["model.reset_after=false"], "model.reset_after has no effect with model.cell"),
        (
            ["model.cell=gru", "model.reset_after=false", "model.layer_norm=true"],
            "model.layer_norm is of the GRU with model.reset_after = true",
        ),
        (["model.cell=rnn", "model.variant=NIG"], "model.variant has no effect with"),
        (["model.cell=gru", "regularization.zoneout_cell=0.1"], "zoneout_cell has no effect"),
        (["model.cell=rnn", "model.gate_activation=sigmoid"], "gate_activation has no effect"),
        (["model.cell=rnn", "regularization.recurrent_dropout=0.1"], "has no effect with"),
        (
            ["model.cell=rnn", "model.nonlinearity=relu", "model.activation=softsign"],
            "set one of them",
        ),
        (["model.coupled=true", "model.variant=NIG"], "needs both gates"),
        (["initialization.name=chrono", "model.variant=NFG"], "'NFG' has none"),
        (
            ["regularization.variational=0.1", "regularization.naive_recurrent_dropout=0.1"],
            "set one",
        ),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_raise(assignments, message):
    with pytest.raises(ConfigError, match=message):
        network.check(small_config(*assignments))


@pytest.mark.parametrize("name", ["uniform", "orthogonal", "identity", "chrono"])
@pytest.mark.parametrize(
    "keys", [["model.peephole=true"], ["model.coupled=true"], ["model.variant=NOG"]], ids=str
)
def test_every_initialisation_takes_every_gate(name, keys):
    from carousel.tasks.classify.network import build_model

    torch.manual_seed(0)
    config = small_config(f"initialization.name={name}", "initialization.steps=50", *keys)
    layer = build_model(config).recurrent
    H, total = layer.hidden_size, layer.bias_ih_l0 + layer.bias_hh_l0
    gates = dict(zip(layer.gates, total.split(H), strict=True))
    if name in ("orthogonal", "identity"):
        memory = gates["f"] if "f" in gates else -gates["i"]
        assert (memory == config.model.forget_bias).all()
        if layer.peephole:
            assert (layer.weight_c_l0 == 0).all()
    if name == "chrono":
        memory = gates["f"] if "f" in gates else -gates["i"]
        assert memory.min() >= 0
        assert 0 < memory.max() <= torch.tensor(49.0).log()


def test_the_plain_loss_is_the_mean_and_its_report_the_sum():
    logits, labels = torch.randn(7, 3), torch.randint(0, 3, (7,))
    objective, total = weighted_loss(logits, labels, LossConfig(), None)
    torch.testing.assert_close(objective, F.cross_entropy(logits, labels))
    torch.testing.assert_close(total, 7 * objective)


def test_smoothing_and_weights_are_those_of_their_definition():
    torch.manual_seed(0)
    logits, labels = torch.randn(9, 4), torch.tensor([0, 0, 0, 0, 1, 1, 2, 3, 0])
    config = LossConfig(label_smoothing=0.3, class_weights="balanced")
    weights = class_weights(labels, 4, config)
    torch.testing.assert_close(weights, 9 / (4 * torch.tensor([5.0, 2.0, 1.0, 1.0])))
    objective, total = weighted_loss(logits, labels, config, weights)
    chances = logits.log_softmax(1)
    target = 0.7 * F.one_hot(labels, 4) + 0.3 / 4
    by_hand = (weights[labels] * -(target * chances).sum(1)).mean()
    torch.testing.assert_close(objective, by_hand)
    torch.testing.assert_close(total, -chances[torch.arange(9), labels].sum())


def test_balanced_classes_weigh_alike_whatever_their_number():
    labels = torch.tensor([0] * 90 + [1] * 10)
    weights = class_weights(labels, 2, LossConfig(class_weights="balanced"))
    total = torch.zeros(2).index_add(0, labels, weights[labels])
    torch.testing.assert_close(total, torch.tensor([50.0, 50.0]))
    assert class_weights(labels, 2, LossConfig()) is None


def test_a_dropped_word_is_dropped_wherever_it_stands_and_the_mean_stays():
    torch.manual_seed(1)
    tokens = torch.randint(0, 50, (20, 30))
    x = torch.ones(20, 30, 4)
    total = torch.zeros(())
    for _ in range(200):
        dropped = drop_words(x, tokens, 0.3, 50)
        total += dropped.mean() / 200
        for token in (3, 7):
            values = dropped[tokens == token]
            assert len(values.unique()) == 1
    assert float(dropped.max()) == pytest.approx(1 / 0.7)
    assert float(total) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_comes_back_to_the_mode_it_found_even_after_an_error(training):
    network = nn.Linear(2, 2).train(training)

    def fail():
        with evaluating(network) as device:
            assert not network.training
            assert not torch.is_grad_enabled()
            assert device.type == "cpu"
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert network.training is training
    assert torch.is_grad_enabled()
