"""What a cell's description says is what its equations, layer, settings and kernels do."""

import inspect

import pytest
import torch
from options import PLAIN
from torch import nn

from carousel import kernels, layers
from carousel.cells.states import states_of
from carousel.cells.table import SPECS, gate_words, mode_of, named, names, spec_of
from carousel.config import Config, refuse_idle
from carousel.errors import ConfigError

INPUTS, H, B, T = 3, 5, 2, 4
by_cell = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
MODES = [(spec, mode) for spec in SPECS for mode in spec.modes]
by_mode = pytest.mark.parametrize(("spec", "mode"), MODES, ids=[mode.name for _, mode in MODES])
# What every layer takes, of torch's arguments and of its own.
SHARED = set(inspect.signature(layers.LSTM).parameters) & set(
    inspect.signature(layers.MinGRU).parameters
) | {"proj_size"}
# An option's key in a configuration, and a value that is not its default.
SETTINGS = {
    "activation": "model.activation=relu",
    "gate_activation": "model.gate_activation=hard_sigmoid",
    "layer_norm": "model.layer_norm=true",
    "precision": "model.precision=bf16",
    "reset_after": "model.reset_after=false",
    "peephole": "model.peephole=true",
    "coupled": "model.coupled=true",
    "variant": "model.variant=NIG",
    "heads": "model.heads=4",
    "order": "model.order=8",
    "theta": "model.theta=20",
    "r_min": "model.r_min=0.5",
    "r_max": "model.r_max=0.9",
    "max_phase": "model.max_phase=1.5",
    "forget_bias": "model.forget_bias=2.5",
    "zoneout": "regularization.zoneout=0.1",
    "weight_dropout": "regularization.weight_dropout=0.1",
    "recurrent_dropout": "regularization.recurrent_dropout=0.1",
    "variational": "regularization.variational=0.1",
    "naive_recurrent_dropout": "regularization.naive_recurrent_dropout=0.1",
}
WITHOUT_A_SETTING = {"checkpoint_every"}


def layer_of(spec, **options):
    return getattr(layers, spec.layer)(INPUTS, H, **spec.arguments, **options)


def variants_of(spec):
    """Options of a layer under which its weights are others."""
    yield {}
    yield {"bias": False}
    yield {"num_layers": 2, "bidirectional": True}
    yield from PLAIN.get(spec.layer, [])
    if any(weight.needs == "proj_size" for weight in spec.weights):
        yield {"proj_size": 2}
        yield {"proj_size": 2, "layer_norm": True, "peephole": True}


def shapes_by(spec, layer):
    """Parameters of a layer's first direction as its description has them."""

    def given(option):
        return getattr(layer, option, None)

    outputs = layer.proj_size or H
    return {
        f"{weight.name}_l0": spec.shape_of(weight, INPUTS, H, outputs, spec.blocks_with(given))
        for weight in spec.weights_with(given)
    }


def state_of(spec, rows=B):
    return tuple(torch.rand(rows, size) for size in spec.state_sizes(H, H))


def arguments_of(spec):
    """Weights of the step, those that need no option."""
    blocks = spec.blocks_with(lambda option: None)
    return {
        weight.name: torch.randn(spec.shape_of(weight, INPUTS, H, H, blocks))
        for weight in spec.weights
        if weight.needs in ("", "bias")
    }


@by_cell
def test_weights_are_those_of_the_layer_in_its_order_under_every_option(spec):
    for options in variants_of(spec):
        layer = layer_of(spec, **options)
        named = [*layer.named_parameters(), *layer.named_buffers()]
        found = {name: tuple(p.shape) for name, p in named}
        expected = shapes_by(spec, layer)
        assert {name: found[name] for name in expected} == expected, options
        assert layer.weight_names()[: len(expected)] == list(expected), options
        assert len(found) == len(expected) * layer.num_layers * (1 + layer.bidirectional), options


@by_cell
def test_torch_has_the_cells_that_are_said_to_be_torchs_with_the_same_weights(spec):
    assert hasattr(nn, spec.layer) == spec.in_torch
    if spec.in_torch:
        layer = getattr(nn, spec.layer)(INPUTS, H)
        found = {name: tuple(p.shape) for name, p in layer.named_parameters()}
        assert found == shapes_by(spec, layer)
        assert spec_of(layer.mode) is spec


@by_cell
def test_rows_of_the_weights_are_a_block_of_hidden_for_each_gate(spec):
    layer = layer_of(spec)
    assert layer.weight_ih_l0.size(0) == max(1, len(spec.gates)) * H


@by_cell
def test_step_returns_the_states_in_order_and_fills_the_other_parts(spec):
    parts = {}
    new = spec.step(torch.randn(B, INPUTS), state_of(spec), parts=parts, **arguments_of(spec))
    assert [state.size(1) for state in new] == list(spec.state_sizes(H, H))
    assert len(new) == len(spec.states)
    assert set(parts) == set(spec.gates)
    for gate in spec.of_kind("gate"):
        assert parts[gate].min() > 0
        assert parts[gate].max() < 1
    assert [part.name for part in spec.parts][-1] == spec.states[0]
    assert set(spec.states) == set(spec.of_kind("state"))


@by_cell
def test_layer_takes_and_gives_as_many_states(spec):
    layer = layer_of(spec)
    _, hx = layer(torch.randn(T, B, INPUTS))
    assert [state.size(2) for state in states_of(hx)] == list(spec.state_sizes(H, H))


@by_cell
def test_options_are_what_the_layer_takes_beyond_what_all_take(spec):
    taken = set(inspect.signature(getattr(layers, spec.layer)).parameters)
    assert taken - SHARED == (set(spec.options) | set(spec.arguments)) - SHARED
    assert len(set(spec.options)) == len(spec.options)


@by_cell
def test_settings_are_the_keywords_of_the_step_that_are_no_tensors(spec):
    keywords = {
        parameter.name
        for parameter in inspect.signature(spec.step).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and "Tensor" not in parameter.annotation
    }
    assert keywords == set(spec.settings)


@by_cell
def test_the_step_takes_every_weight_by_its_name(spec):
    taken = set(inspect.signature(spec.step).parameters)
    assert {weight.name for weight in spec.weights} <= taken


@pytest.mark.parametrize("option", SETTINGS)
@by_cell
def test_a_configuration_refuses_the_options_that_the_cell_has_not(spec, option):
    config = Config().override([f"model.cell={spec.name}", SETTINGS[option]])
    if option in spec.options:
        refuse_idle(config)
    else:
        with pytest.raises(ConfigError, match="has no effect"):
            refuse_idle(config)


def test_every_option_has_a_setting():
    options = {option for spec in SPECS for option in spec.options}
    assert options - WITHOUT_A_SETTING - {"nonlinearity"} == set(SETTINGS)


@by_cell
def test_a_configuration_refuses_a_nonlinearity_that_the_cell_has_not(spec):
    config = Config().override([f"model.cell={spec.name}", "model.nonlinearity=relu"])
    if "relu" in spec.nonlinearities:
        refuse_idle(config)
    else:
        with pytest.raises(ConfigError, match="has no effect"):
            refuse_idle(config)


@by_mode
def test_a_mode_is_that_of_the_layer_with_its_nonlinearity(spec, mode):
    options = {"nonlinearity": mode.nonlinearity} if mode.nonlinearity else {}
    assert layer_of(spec, **options).mode == mode.name
    assert spec_of(mode.name) is spec
    assert mode_of(mode.name) is mode
    assert layer_of(spec).mode == spec.modes[0].name


@pytest.mark.parametrize("isa", kernels.supported_isas())
@by_mode
def test_the_native_number_is_that_of_a_kernel_with_the_cells_equations(
    spec, mode, isa, monkeypatch
):
    monkeypatch.setenv("CAROUSEL_ISA", isa)
    options = {"nonlinearity": mode.nonlinearity} if mode.nonlinearity else {}
    layer, x = layer_of(spec, **options), torch.randn(T, B, INPUTS)
    if mode.native is None:
        assert layer.explain(x).startswith("cells: ")
        assert "equations only" in layer.explain(x)
        return
    assert layer.explain(x) == f"native: {isa}"
    with kernels.use("native"):
        y, hx = layer(x)
    with kernels.use("cells"):
        expected, expected_hx = layer(x)
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-6)
    for state, wanted in zip(states_of(hx), states_of(expected_hx), strict=True):
        torch.testing.assert_close(state, wanted, rtol=1e-5, atol=1e-6)


def test_native_numbers_are_each_of_one_mode():
    numbers = [mode.native for _, mode in MODES if mode.native is not None]
    assert sorted(numbers) == list(range(len(numbers)))


@by_cell
def test_what_is_kept_and_let_in_is_said_by_gates_that_there_are(spec):
    for gate in (spec.keeps, spec.admits):
        assert gate.removeprefix("1-") in ("", *spec.of_kind("gate"))
    assert set(spec.lasting) <= set(spec.gates)
    assert set(spec.lasting.values()) <= {1, -1}
    assert bool(spec.keeps) == bool(spec.lasting)


@by_cell
def test_a_gate_has_one_name_in_all_cells(spec):
    for gate in spec.of_kind("gate"):
        assert spec.words[gate] == gate_words()[gate]


@pytest.mark.parametrize("spec", [s for s in SPECS if s.keeps], ids=lambda spec: spec.name)
def test_a_memory_with_all_its_gates_open_is_kept_whole(spec):
    weights, state = arguments_of(spec), state_of(spec)
    blocks = dict(zip(spec.gates, weights["bias_ih"].split(H), strict=False))  # of the first
    for gate, direction in spec.lasting.items():
        blocks[gate].fill_(direction * 500.0)
    parts = {}
    new = spec.step(torch.randn(B, INPUTS), state, parts=parts, **weights)
    torch.testing.assert_close(spec.share(spec.keeps, parts), torch.ones(B, H))
    memory = spec.states[:2].index(spec.states[:2][-1])
    torch.testing.assert_close(new[memory], state[memory])


def test_names_are_those_of_the_table():
    assert [named(name).name for name in names()] == list(names())
    with pytest.raises(KeyError):
        named("LSTM")
