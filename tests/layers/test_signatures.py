"""What `help` and an editor show of a layer's constructor."""

import inspect
import re
import typing

import pytest
import torch
from torch import nn

import carousel

NAMES = ["RNN", "GRU", "LSTM"]
PARALLEL = ["MinGRU", "MinLSTM", "IndRNN", "SLSTM", "SRU", "RGLRU", "QRNN", "LRU", "S6", "LMU"]


def parameters(kind):
    """What a constructor takes, without what only catches everything."""
    return list(inspect.signature(kind).parameters.values())


@pytest.mark.parametrize("name", NAMES)
def test_torchs_parameters_come_first_in_torchs_order_with_torchs_defaults(name):
    # torch's classes say what they take in an overload.
    documented = typing.get_overloads(getattr(nn, name).__init__)[0]
    _, *theirs = inspect.signature(documented).parameters.values()
    assert "input_size" in {parameter.name for parameter in theirs}
    ours = parameters(getattr(carousel, name))[: len(theirs)]
    assert [(p.name, p.kind, p.default) for p in ours] == [
        (p.name, p.kind, p.default) for p in theirs
    ]


@pytest.mark.parametrize("name", NAMES + PARALLEL)
def test_every_argument_has_a_name_a_type_and_a_line_in_the_docstring(name):
    kind = getattr(carousel, name)
    documented = inspect.getdoc(kind)
    entries = documented.split("Args:\n", 1)[1].split("\n\n", 1)[0]
    heads = re.findall(r"^    (?! )([^:]*):", entries, re.MULTILINE)
    names = {name.strip() for head in heads for name in head.split(",")}
    for parameter in parameters(kind):
        assert parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        assert parameter.annotation is not inspect.Parameter.empty
        assert parameter.name in names, parameter
        assert re.search(rf"^    [^:]*\b{parameter.name}\b[^:]*:", documented, re.MULTILINE), (
            parameter
        )


@pytest.mark.parametrize("name", NAMES)
def test_arguments_beyond_torchs_are_given_by_name(name):
    known = parameters(getattr(carousel, name))
    position = [p.name for p in known].index("dtype")
    assert {p.kind for p in known[position + 1 :]} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", NAMES)
def test_every_default_is_what_a_layer_without_the_argument_has(name):
    kind = getattr(carousel, name)
    layer = kind(3, 5)
    for parameter in parameters(kind):
        if parameter.default is inspect.Parameter.empty or parameter.name in ("device", "dtype"):
            continue
        again = kind(3, 5, **{parameter.name: parameter.default})
        assert getattr(again, parameter.name) == getattr(layer, parameter.name)
    assert repr(layer) == f"{name}(3, 5)"


@pytest.mark.parametrize("name", NAMES)
def test_dropout_that_does_nothing_warns_at_the_line_that_asks_for_it_and_is_kept(name):
    with pytest.warns(UserWarning, match="no effect with num_layers=1") as caught:
        layer = getattr(carousel, name)(3, 5, dropout=0.5)
    assert [warning.filename for warning in caught] == [__file__]
    assert layer.dropout == 0.5
    torch.manual_seed(0)
    x = torch.randn(4, 2, 3)
    assert torch.equal(layer.train()(x)[0], layer.eval()(x)[0])


def test_activation_and_nonlinearity_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="contradict each other"):
        carousel.RNN(3, 5, 1, "relu", activation="softsign")
    assert carousel.RNN(3, 5, activation="relu").nonlinearity == "relu"
