"""What a configuration says of the cells is what the networks' layers have."""

import pytest
import torch
from small import small_config

from carousel.errors import ConfigError
from carousel.tasks import network
from carousel.tasks.network import make_recurrent


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
        (["model.cell=gru", "model.peephole=true"], "model.peephole has no effect in"),
        (["model.cell=rnn", "model.variant=NIG"], "model.variant has no effect in"),
        (["model.cell=gru", "regularization.zoneout_cell=0.1"], "zoneout_cell has no effect"),
        (["model.cell=rnn", "model.gate_activation=sigmoid"], "gate_activation has no effect"),
        (["model.cell=rnn", "regularization.recurrent_dropout=0.1"], "has no effect in"),
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
    from carousel.tasks.classify import build_model

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
