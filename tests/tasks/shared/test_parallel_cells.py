"""Recipes with cells without a recurrent product, and with layer normalisation."""

import pytest
import torch
from small import small_config

import carousel
from carousel.cells.states import states_of
from carousel.config import Config
from carousel.errors import ConfigError
from carousel.layers.initialization import initialize
from carousel.optim.penalties import RowLimits
from carousel.tasks.classify.network import build_model
from carousel.tasks.generate.network import LanguageModel
from carousel.tasks.shared.network import check

LAYERS = {
    "mingru": "MinGRU",
    "minlstm": "MinLSTM",
    "indrnn": "IndRNN",
    "sru": "SRU",
    "rglru": "RGLRU",
    "qrnn": "QRNN",
    "qrnn2": "QRNN",
    "lru": "LRU",
    "s6": "S6",
}
each_cell = pytest.mark.parametrize("cell", LAYERS)


@each_cell
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_classifier_reads_its_recurrent_layers(cell, pooling):
    config = small_config(
        f"model.cell={cell}",
        "model.num_layers=2",
        "model.bidirectional=true",
        f"model.pooling={pooling}",
    )
    model = build_model(config).eval()
    assert isinstance(model.recurrent, getattr(carousel, LAYERS[cell]))
    x = torch.randn(3, 28, 28)
    y, hx = model.recurrent(x)
    h = states_of(hx)[0]
    seen = torch.cat([h[-2], h[-1]], 1) if pooling == "last" else y.mean(1)
    torch.testing.assert_close(model(x), model.head(seen))


@each_cell
def test_language_model_carries_the_state_from_window_to_window(cell):
    torch.manual_seed(0)
    config = Config(task="generate").override([f"model.cell={cell}", "model.hidden_size=6"])
    model = LanguageModel(13, config).eval()
    tokens = torch.randint(0, 13, (9, 4))
    whole = model.score(tokens[:-1], tokens[1:])
    first = model.score(tokens[:4], tokens[1:5])
    second = model.score(tokens[4:-1], tokens[5:], first.state)
    torch.testing.assert_close(first.loss + second.loss, whole.loss)
    for part, expected in zip(states_of(second.state), states_of(whole.state), strict=True):
        torch.testing.assert_close(part, expected)


def test_forget_bias_of_the_configuration_reaches_min_lstm():
    model = build_model(small_config("model.cell=minlstm", "model.forget_bias=2.5"))
    assert model.recurrent.bias_ih_l0[:12].tolist() == [2.5] * 12


def test_nonlinearity_of_the_configuration_reaches_ind_rnn():
    model = build_model(small_config("model.cell=indrnn", "model.nonlinearity=relu"))
    assert model.recurrent.mode == "INDRNN_RELU"


@each_cell
@pytest.mark.parametrize(
    "setting",
    [
        "model.activation=softsign",
        "model.gate_activation=hard_sigmoid",
        "model.peephole=true",
        "model.layer_norm=true",
        "regularization.zoneout=0.1",
        "regularization.recurrent_dropout=0.1",
        "regularization.variational=0.1",
        "regularization.weight_dropout=0.1",
    ],
)
def test_options_of_other_cells_are_refused(cell, setting):
    with pytest.raises(ConfigError, match=r"has no effect with model.cell = "):
        check(small_config(f"model.cell={cell}", setting))


@pytest.mark.parametrize(
    ("cell", "name", "message"),
    [
        ("indrnn", "chrono", "sets gates"),
        ("mingru", "identity", "sets recurrent weights"),
        ("minlstm", "identity", "sets recurrent weights"),
        ("sru", "identity", "sets recurrent weights"),
    ],
)
def test_initialisation_of_what_a_cell_lacks_is_refused(cell, name, message):
    config = small_config(f"model.cell={cell}", f"initialization.name={name}")
    with pytest.raises(ConfigError, match=f"initialization.name = '{name}' has no effect"):
        check(config)
    with pytest.raises(ConfigError, match=message):
        initialize(getattr(carousel, LAYERS[cell])(3, 5), name)


def test_row_limit_bounds_each_recurrent_weight_of_ind_rnn():
    config = small_config("model.cell=indrnn", "regularization.max_norm.recurrent=0.5")
    model = build_model(config)
    with torch.no_grad():
        model.recurrent.weight_hh_l0.copy_(torch.linspace(-2, 2, 12))
    RowLimits(config.regularization, model).apply()
    expected = torch.linspace(-2, 2, 12).clamp(-0.5, 0.5)
    torch.testing.assert_close(model.recurrent.weight_hh_l0.detach(), expected)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_layer_norm_of_the_configuration_reaches_the_layer(cell):
    model = build_model(small_config(f"model.cell={cell}", "model.layer_norm=true"))
    assert model.recurrent.layer_norm


# ---- initial weights

H, STEPS = 60, 50


def started(layer, name, **settings):
    torch.manual_seed(3)
    network = torch.nn.Sequential(getattr(carousel, layer)(7, H, num_layers=2))
    initialize(network, name, **settings)
    return network[0]


def test_chrono_spreads_the_memory_of_min_lstm_and_min_gru():
    lstm = started("MinLSTM", "chrono", steps=STEPS, forget_bias=1.0).bias_ih_l1.detach().split(H)
    gru = started("MinGRU", "chrono", steps=STEPS).bias_ih_l1.detach().split(H)
    assert torch.equal(lstm[1], -lstm[0])
    for lasting in (lstm[0].exp(), (-gru[0]).exp()):  # steps that a unit remembers
        assert lasting.min() >= 1
        assert 0.7 * STEPS < lasting.max() <= STEPS - 1
        assert lasting.max() / lasting.min() > 5


@pytest.mark.parametrize("layer", LAYERS.values())
def test_orthogonal_draws_glorots_input_weights_and_no_biases(layer):
    made = started(layer, "orthogonal")
    bound = (6 / (made.weight_ih_l1.size(0) + H)) ** 0.5
    assert 0.95 * bound < made.weight_ih_l1.abs().max() <= bound
    if layer != "S6":  # whose biases are where its steps start
        assert torch.count_nonzero(made.bias_ih_l1) == 0
    biased = started("MinLSTM", "orthogonal", forget_bias=1.5).bias_ih_l0.detach().split(H)
    assert [b.mean().item() for b in biased] == [1.5, 0, 0]


@pytest.mark.parametrize("name", ["uniform", "orthogonal", "chrono"])
def test_decays_of_rg_lru_start_in_their_own_way_under_every_scheme(name):
    layer = started("RGLRU", name)
    kept = torch.sigmoid(layer.weight_lambda_l1.detach()) ** 8
    assert 0.9 <= kept.min() < 0.91
    assert 0.985 < kept.max() <= 0.999


def test_chrono_spreads_the_memory_of_sru():
    f, r = started("SRU", "chrono", steps=STEPS).bias_ih_l1.detach().split(H)
    assert f.exp().min() >= 1
    assert 0.7 * STEPS < f.exp().max() <= STEPS - 1
    assert torch.count_nonzero(r) == 0


def test_identity_lets_each_unit_of_ind_rnn_keep_what_it_has():
    layer = started("IndRNN", "identity")
    assert layer.weight_hh_l1.tolist() == [1.0] * H
    assert 0.0008 < layer.weight_ih_l1.std() < 0.0012
