"""torch.ao.quantization: our layers stay as they are, and say so; restored ones are quantised."""

import copy

import pytest
import torch
from oracle import randn
from torch import nn

import carousel

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    *(f"ignore:.*{words}:UserWarning" for words in ("quant", "reduce_range", "copy construct")),
)
quantization = pytest.importorskip(
    "torch.ao.quantization", reason="this torch has no quantisation", exc_type=ImportError
)
quantize_fx = pytest.importorskip("torch.ao.quantization.quantize_fx", exc_type=ImportError)
X = randn(4, 2, 3).float()


class Model(nn.Module):
    def __init__(self, name="LSTM", **options):
        super().__init__()
        self.layer = getattr(carousel, name)(3, 5, **options)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        y, _ = self.layer(x)
        return self.head(y)


def dynamically(model):
    return quantization.quantize_dynamic(model)


def by_graph(model):
    mapping = quantization.QConfigMapping().set_global(quantization.default_dynamic_qconfig)
    return quantize_fx.convert_fx(quantize_fx.prepare_fx(model.eval(), mapping, (X,)))


each_way = pytest.mark.parametrize("quantise", [dynamically, by_graph])


@each_way
@pytest.mark.parametrize("name", ["LSTM", "GRU", "MinGRU"])
def test_layer_that_stays_in_float_is_named_in_the_log(quantise, name, caplog):
    model = Model(name)
    quantised = quantise(model)
    assert "quant" in type(quantised.head).__module__
    assert type(quantised.layer) is getattr(carousel, name)
    assert f"this {name} stays in float32" in caplog.text
    assert "carousel.restore(model)" in caplog.text
    with torch.no_grad():
        assert torch.equal(quantised.layer(X)[0], model.layer(X)[0])


@each_way
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_restored_model_is_quantised_as_torchs(quantise, name, caplog):
    model = Model(name, num_layers=2)
    quantised = quantise(carousel.restore(copy.deepcopy(model)))
    assert not caplog.records
    with torch.no_grad():
        expected, actual = model(X), quantised(X)
        if name == "LSTM" or quantise is dynamically:
            assert "quant" in type(quantised.layer).__module__
    assert 0 < (actual - expected).abs().max() < 0.05  # of 8-bit weights
    assert type(model.layer) is getattr(carousel, name)


def test_quantised_copy_leaves_no_trace_on_the_layer():
    model = Model()
    dynamically(model)
    assert not hasattr(model.layer, "qconfig")
    model.layer.qconfig = None
    assert copy.deepcopy(model).layer.qconfig is None
    del model.layer.qconfig
    assert not hasattr(model.layer, "qconfig")
