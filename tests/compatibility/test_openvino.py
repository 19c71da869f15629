"""OpenVINO: it converts what torch.jit.trace writes, and computes what torch.nn does."""

import pytest
import torch
from oracle import KINDS, assert_close, make_pair, randn
from torch import nn

openvino = pytest.importorskip("openvino", reason="openvino is not installed")
pytestmark = pytest.mark.filterwarnings(
    "ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning", "ignore::ImportWarning"
)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "LSTM-projected"])
def test_converted_model_computes_what_torch_computes_for_any_rows_and_steps(kind):
    ours, theirs = make_pair(
        kind, 3, 5, dtype=torch.float32, num_layers=2, bidirectional=True, batch_first=True
    )
    converted = openvino.convert_model(nn.Sequential(ours), example_input=randn(2, 4, 3).float())
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # else bfloat16, where the processor has it
    compiled = openvino.compile_model(converted, "CPU", exact)
    for rows, steps in ((2, 4), (3, 9)):
        x = randn(rows, steps, 3, seed=rows).float()
        y, state = theirs(x)
        expected = [y, *(state if isinstance(state, tuple) else (state,))]
        actual = [torch.from_numpy(compiled(x.numpy())[index]) for index in range(len(expected))]
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other, "forward")
