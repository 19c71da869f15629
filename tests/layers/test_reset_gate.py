"""The GRU with its reset gate before the product: against ONNX Runtime, and what layers say."""

import copy
import importlib.util

import numpy as np
import pytest
import torch
from oracle import assert_close, assert_same, evaluate, randn, random_state, randomise
from torch import nn

import carousel
from carousel import kernels
from carousel.kernels import Options

needs_onnx = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime")),
    reason="onnx and onnxruntime are not installed",
)
T, B, INPUTS, H = 6, 4, 5, 19


def gru(**options):
    return randomise(carousel.GRU(INPUTS, H, reset_after=False, **options))


def zrh(tensor):
    """The blocks r, z, n as ONNX and Keras have them: z, r, h."""
    r, z, n = tensor.detach().chunk(3)
    return torch.cat([z, r, n])


def by_onnx_runtime(layer, x, h, lengths, linear_before_reset):
    """Outputs (T, B, D * H) and the last state (D, B, H) of one layer."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    ends = ("", "_reverse") if layer.bidirectional else ("",)
    weights = {
        "W": torch.stack([zrh(getattr(layer, f"weight_ih_l0{end}")) for end in ends]),
        "R": torch.stack([zrh(getattr(layer, f"weight_hh_l0{end}")) for end in ends]),
        "B": torch.stack(
            [
                torch.cat([zrh(getattr(layer, f"bias_{side}_l0{end}")) for side in ("ih", "hh")])
                for end in ends
            ]
        ),
    }
    feed = {
        "x": x.numpy(),
        "lengths": np.asarray(lengths, np.int32),
        "h": h.numpy(),
    }
    node = helper.make_node(
        "GRU",
        ["x", "W", "R", "B", "lengths", "h"],
        ["y", "last"],
        hidden_size=H,
        direction="bidirectional" if layer.bidirectional else "forward",
        linear_before_reset=linear_before_reset,
    )
    kinds = {"x": TensorProto.FLOAT, "lengths": TensorProto.INT32, "h": TensorProto.FLOAT}
    graph = helper.make_graph(
        [node],
        "gru",
        [helper.make_tensor_value_info(key, kinds[key], feed[key].shape) for key in feed],
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, None) for key in ("y", "last")],
        [numpy_helper.from_array(value.numpy(), key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    y, last = (torch.from_numpy(array) for array in session.run(None, feed))
    return y.permute(0, 2, 1, 3).reshape(T, B, -1), last


@needs_onnx
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("path", ["native", "cells"])
def test_reset_before_the_product_is_the_gru_of_onnx(path, bidirectional):
    layer = gru(bidirectional=bidirectional)
    x, h = randn(T, B, INPUTS, seed=2, dtype=torch.float32), random_state(layer, B)
    lengths = [6, 2, 5, 1]
    with kernels.use(path), torch.no_grad():
        y, last = layer(x, h, lengths)
    expected = by_onnx_runtime(layer, x, h, lengths, linear_before_reset=0)
    assert_close(y, expected[0], "forward")
    assert_close(last, expected[1], "forward")
    other = by_onnx_runtime(layer, x, h, lengths, linear_before_reset=1)
    assert (y - other[0]).abs().max() > 1e-2


def test_reset_gates_held_open_leave_torchs_gru():
    """r = 1 wherever it acts: the two forms are one."""
    ours, theirs = gru(num_layers=2), nn.GRU(INPUTS, H, 2)
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            if name.startswith("bias_ih"):
                parameter[:H] = 1e3
    theirs.load_state_dict(ours.state_dict())
    x, h = randn(T, B, INPUTS, seed=2, dtype=torch.float32), random_state(ours, B)
    assert_same(
        evaluate(ours, x, h, [(k, p) for k, p in ours.named_parameters() if "weight" in k]),
        evaluate(theirs, x, h, [(k, p) for k, p in theirs.named_parameters() if "weight" in k]),
    )


def test_parameters_and_their_start_are_torchs():
    torch.manual_seed(3)
    ours = carousel.GRU(INPUTS, H, num_layers=2, bidirectional=True, reset_after=False)
    torch.manual_seed(3)
    theirs = nn.GRU(INPUTS, H, num_layers=2, bidirectional=True).state_dict()
    assert list(ours.state_dict()) == list(theirs)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.state_dict().items())


def test_layer_says_where_its_reset_gate_acts_and_what_computes_it():
    layer, x = gru(), torch.zeros(T, B, INPUTS)
    assert repr(layer) == f"GRU({INPUTS}, {H}, reset_after=False)"
    assert "reset_after" not in repr(carousel.GRU(INPUTS, H))
    assert carousel.explain(layer, x).startswith("native: ")
    double = copy.deepcopy(layer).double()
    assert carousel.explain(double, x.double()) == "cells: float64; torch has no reset_after=False"
    with kernels.use("torch"), pytest.raises(RuntimeError, match="torch has no reset_after=False"):
        layer(x)


def test_gains_added_behind_the_constructor_are_refused_on_every_path():
    layer = carousel.GRU(INPUTS, H, layer_norm=True)
    with pytest.raises(ValueError, match="leave reset_after=False"):
        layer.reset_after = False
    object.__setattr__(layer.layer_options, "reset_after", False)
    for path, message in (("native", "plain GRU's alone"), ("cells", "leave reset_after=False")):
        with kernels.use(path), pytest.raises(ValueError, match=message):
            layer(torch.zeros(T, B, INPUTS))


def test_options_of_a_program_exported_before_there_was_a_choice_are_read():
    assert Options.parse("relu;;;;;;;", [0.0] * 4) == Options(activation="relu")
    reset = Options(reset_first=True)
    assert Options.parse(reset.text, reset.rates) == reset


def test_restore_leaves_the_layer_and_says_why(caplog):
    layer = gru()
    carousel.restore(layer)
    assert type(layer) is carousel.GRU
    assert "GRU: torch has no reset_after=False" in caplog.text
    assert type(carousel.restore(carousel.GRU(INPUTS, H, reset_after=True))) is nn.GRU
