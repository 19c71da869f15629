"""Layers inside each step: in Carousel, and in the files that are written of them."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from c_programs import need, passes, passes_on_cortex, ran, uneven, written
from torch import nn
from torch.nn.utils import prune

import carousel
from carousel.errors import ConfigError
from carousel.export.exporting import export
from carousel.layers import few_rows
from carousel.layers.few_rows import FewRows
from carousel.layers.frames import Frames, Magnitude, UnitLength
from carousel.layers.pooling import Pooling

FRAMES = {
    "spectrum": lambda: Frames(
        40, nn.ReflectionPad1d((0, 5)), nn.Conv1d(1, 10, 16, stride=8, bias=False), Magnitude(),
        nn.Conv1d(5, 7, 3, padding=1), nn.ReLU(), nn.Conv1d(7, 6, 3, stride=2, padding=1),
    ),
    "two channels": lambda: Frames(
        22, nn.ReLU(), nn.ReflectionPad1d((3, 2)), nn.Conv1d(2, 37, 3, stride=2), nn.Tanh(),
        channels=2,
    ),
    "mirrored, in groups, with gaps": lambda: Frames(
        18, nn.Conv1d(1, 6, 4, padding=2, padding_mode="reflect"), nn.LeakyReLU(0.3),
        nn.Sequential(nn.Conv1d(6, 4, 3, dilation=2, groups=2, padding=1), nn.Dropout(0.5)),
    ),
    "many places": lambda: Frames(31, nn.Conv1d(1, 70, 5), nn.Conv1d(70, 3, 1)),
    "zeros alone at the ends": lambda: Frames(3, nn.Conv1d(1, 5, 9, padding=4, stride=7)),
    "one place": lambda: Frames(8, nn.Conv1d(8, 5, 3, padding=1), channels=8),
}  # fmt: skip


def network(name):
    frames = FRAMES[name]()
    return uneven(nn.Sequential(frames, carousel.LSTM(frames.outputs, 5), nn.Linear(5, 2)))


@pytest.mark.parametrize("name", FRAMES)
def test_files_with_frames_compute_what_these_do_whole_and_step_by_step(name, tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    for stream in (False, True):
        done = export(network(name), tmp_path / "m.onnx", stream=stream, force=True)
        assert done.comparison.difference <= 1e-5


@pytest.mark.parametrize(("name", "stream"), [("spectrum", False), ("two channels", True)])
def test_programs_with_frames_compute_what_these_do(name, stream, tmp_path):
    done = export(network(name), tmp_path / "m.pt2", stream=stream)
    assert done.comparison.difference <= 1e-5


@pytest.mark.parametrize("name", FRAMES)
def test_the_c_of_frames_says_what_they_say(name, tmp_path):
    assert "0 beyond" in passes(written(network(name), tmp_path))


def test_the_c_of_frames_says_the_same_without_vectors(tmp_path):
    assert "0 beyond" in passes_on_cortex(written(network("spectrum"), tmp_path))


def test_the_c_of_frames_is_c_plus_plus_too(tmp_path):
    written(network("spectrum"), tmp_path)
    need("g++")
    strict = ["-Wall", "-Wextra", "-Werror", "-x", "c++"]
    ran(["g++", *strict, "net.c", "net_test.c", "-o", "test"], tmp_path)
    assert "0 beyond" in ran(["./test"], tmp_path)


def test_embeddings_of_unit_length_are_written(tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model = nn.Sequential(
        carousel.LSTM(3, 5, 2), Pooling("last", 5), nn.Linear(5, 9), nn.ReLU(), UnitLength()
    )
    for name, stream in (("m.onnx", False), ("m.onnx", True), ("m.pt2", False)):
        assert export(uneven(model), tmp_path / name, stream=stream, force=True)
    assert "0 beyond" in passes(written(model, tmp_path))


def test_a_vector_of_zeros_stays_one(tmp_path):
    assert UnitLength()(torch.zeros(2, 3)).tolist() == [[0.0] * 3] * 2
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), UnitLength())
    with torch.no_grad():
        model[0].weight.fill_(0.0)
    assert "0 beyond" in passes(written(model, tmp_path))


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("rows", [1, 3, 9])
def test_a_step_gives_what_the_whole_gives(name, rows):
    frames = uneven(FRAMES[name]())
    x = torch.randn(rows, frames.size)
    with torch.no_grad():
        torch.testing.assert_close(FewRows(frames).step(x), frames(x), rtol=1e-5, atol=1e-5)


def test_a_step_sees_weights_that_change_modules_that_are_replaced_and_hooks():
    frames = uneven(FRAMES["spectrum"]())
    x = torch.randn(1, frames.size)
    few = FewRows(frames)

    def agree():
        with torch.no_grad():
            torch.testing.assert_close(few.step(x), frames(x), rtol=1e-5, atol=1e-5)

    agree()
    frames.layers[1].weight.data.numpy()[:] *= 2.0
    agree()
    frames.layers[3].bias = nn.Parameter(torch.randn(7))
    agree()
    frames.layers[3].weight.data = torch.randn(7, 5, 3)
    agree()
    frames.layers[4] = nn.Tanh().eval()
    agree()
    frames.layers[5] = nn.Sequential(frames.layers[5], nn.ReLU()).eval()
    agree()
    frames.layers[5][1] = nn.Sigmoid()
    agree()
    frames.layers[4].register_forward_hook(lambda module, given, y: 3.0 * y)
    agree()
    frames.layers = nn.Sequential(*frames.layers[:4]).eval()
    frames.outputs = 7 * 4
    agree()
    frames.layers[1].forward = lambda x: torch.zeros(1, 10, 4)
    agree()
    del frames.layers[1].forward
    frames.register_forward_hook(lambda module, given, y: -y)
    agree()


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
        lambda layer: prune.random_unstructured(layer, "bias", 0.5),
        torch.nn.utils.parametrizations.weight_norm,
        lambda layer: layer.weight.t_(),
        lambda layer: layer.weight.data.t_(),
    ],
)
@pytest.mark.parametrize("later", [False, True])
def test_a_stream_calls_modules_whose_weights_are_computed_or_turned(change, later):
    torch.manual_seed(0)
    model = nn.Sequential(carousel.GRU(3, 4), nn.Linear(4, 4))
    stream, x = carousel.Stream(model), torch.randn(2, 3)
    with torch.no_grad():
        if later:
            stream.step(x)
            stream.reset()
        change(model[1])
        wanted = model[1](model[0](x[None])[0])[0]
        torch.testing.assert_close(stream.step(x), wanted, rtol=1e-5, atol=1e-6)


def test_ends_that_a_step_cannot_mirror_are_left_to_torch():
    x, wider, too_wide = torch.randn(2, 5), nn.ReflectionPad1d((1, 2)), nn.ReflectionPad1d(5)
    assert torch.equal(FewRows(nn.Sequential(wider).eval()).step(x), wider(x))
    with pytest.raises(RuntimeError, match="adding size"):
        FewRows(nn.Sequential(too_wide).eval()).step(x)


def test_nothing_is_prepared_for_modules_with_hooks(monkeypatch):
    dense, x = nn.Sequential(nn.Linear(3, 4)).eval(), torch.randn(2, 3)
    few = FewRows(dense)
    dense[0].register_forward_hook(lambda module, given, y: 3.0 * y)
    monkeypatch.setattr(few_rows, "Calls", lambda *_: pytest.fail("prepared at each step"))
    assert torch.equal(few.step(x), dense(x))


def test_a_stream_calls_no_module_of_torch_between_its_layers(monkeypatch):
    model = nn.Sequential(
        Frames(9, nn.Conv1d(1, 4, 3)),
        nn.Linear(28, 3),
        carousel.GRU(3, 4),
        nn.ReLU(),
        nn.Linear(4, 2),
    )
    x = torch.randn(2, 9)
    with torch.no_grad():
        wanted = model[4](model[3](model[2](model[1](model[0](x))[None])[0][0]))
    stream = carousel.Stream(model)
    for kind in (nn.Conv1d, nn.Linear, nn.ReLU):
        monkeypatch.delattr(kind, "forward")
    torch.testing.assert_close(stream.step(x), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", [2, 9], ids=["few rows", "many"])
def test_a_stream_of_layers_is_the_same_inside_of_autocast(rows):
    model = nn.Sequential(carousel.GRU(3, 4), nn.Linear(4, 5), carousel.GRU(5, 4), nn.Linear(4, 2))
    stream, x = carousel.Stream(model), torch.randn(2, rows, 3)
    wanted = [stream.step(step) for step in x]
    stream.reset()
    with torch.autocast("cpu", torch.bfloat16):
        assert all(torch.equal(stream.step(step), y) for step, y in zip(x, wanted, strict=True))


@pytest.mark.parametrize("place", ["head", "inside", "recurrent"])
@pytest.mark.parametrize("rows", [2, 9], ids=["few rows", "many"])
def test_a_stream_refuses_a_model_in_which_a_module_was_replaced(place, rows):
    inside = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    model = nn.Sequential(carousel.GRU(3, 4), inside, nn.Linear(4, 2))
    stream, x = carousel.Stream(model), torch.randn(rows, 3)
    stream.step(x)
    with torch.no_grad():
        model[2].weight.mul_(2.0)  # which is seen
    stream.step(x)
    if place == "inside":
        inside[0] = nn.Linear(4, 4)
    elif place == "head":
        model[2] = nn.Linear(4, 2)
    else:
        model[0] = carousel.GRU(3, 4)
    with pytest.raises(ValueError, match="a module of the model was replaced"):
        stream.step(x)


def test_a_stream_that_begins_in_inference_mode_goes_on_outside():
    model = nn.Sequential(carousel.GRU(3, 4), nn.Linear(4, 2), nn.Sigmoid())
    stream, x = carousel.Stream(model), torch.randn(2, 3)
    with torch.inference_mode():
        stream.step(x)
    with torch.no_grad():
        wanted = model[2](model[1](model[0](x[None].expand(2, -1, -1))[0][1]))
    torch.testing.assert_close(stream.step(x), wanted, rtol=1e-5, atol=1e-6)


def test_streams_of_one_model_in_several_threads_do_not_meet():
    torch.manual_seed(0)
    model = nn.Sequential(Frames(4000, nn.Conv1d(1, 8, 40, stride=20)), carousel.GRU(8 * 199, 4))
    x = torch.randn(2, 40, 1, 4000)
    with torch.no_grad():
        wanted = [model[1](model[0](each))[0] for each in x]

    def told(i):
        stream = carousel.Stream(model)
        return torch.stack([stream.step(row) for row in x[i]])

    with ThreadPoolExecutor(2) as pool:
        for found, each in zip(pool.map(told, range(2)), wanted, strict=True):
            torch.testing.assert_close(found, each, rtol=1e-5, atol=1e-5)


def test_a_copy_and_a_saved_model_step_with_weights_of_their_own(tmp_path):
    frames = uneven(FRAMES["two channels"]())
    x = torch.randn(1, frames.size)
    before = FewRows(frames).step(x)
    other = copy.deepcopy(frames)
    torch.save(frames, tmp_path / "frames.pt")
    with torch.no_grad():
        for parameter in frames.parameters():
            parameter.zero_()
    read = torch.load(tmp_path / "frames.pt", weights_only=False)
    assert torch.equal(FewRows(other).step(x), before)
    assert torch.equal(FewRows(read).step(x), before)
    assert not torch.equal(FewRows(frames).step(x), before)


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (lambda: Frames(9, nn.ReLU(), channels=2), "a frame of 9 numbers cannot have 2 channels"),
        (lambda: Frames(9, nn.Flatten()), r"give \(N, channels, places\), these give \(1, 9\)"),
        (lambda: Frames(9, nn.ReLU())(torch.zeros(2, 8)), "a frame has 9 numbers, got 8"),
    ],
)
def test_frames_that_fit_nothing_are_refused_in_a_line(frames, said):
    with pytest.raises(ValueError, match=said) as refused:
        frames()
    assert "\n" not in str(refused.value)


def test_what_has_no_description_inside_frames_is_named(tmp_path):
    model = nn.Sequential(Frames(9, nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2)), carousel.GRU(14, 3))
    with pytest.raises(ConfigError, match="BatchNorm1d inside Frames has no description"):
        export(model, tmp_path / "m.c")
    mirrored = nn.Sequential(nn.Conv1d(2, 2, 3, padding=1, padding_mode="reflect"), nn.GRU(2, 2))
    with pytest.raises(ConfigError, match="inside Frames its reflection, too"):
        export(mirrored, tmp_path / "m.c")
    same = Frames(9, nn.Conv1d(1, 2, 3, padding="same", padding_mode="reflect"))
    with pytest.raises(ConfigError, match="padding"):
        export(nn.Sequential(same, carousel.GRU(18, 3)), tmp_path / "m.c")


def test_a_stream_takes_layers_in_a_row_and_can_go_on_from_its_state():
    torch.manual_seed(0)
    model = network("spectrum")
    x = torch.randn(9, 2, 40)
    with torch.no_grad():
        whole = model[2](model[1](model[0](x))[0])
    stream = carousel.Stream(model)
    for t in range(5):
        torch.testing.assert_close(stream.step(x[t]), whole[t], rtol=1e-5, atol=1e-6)
    (state,) = stream.state
    other = carousel.Stream(model)
    other.state = [tuple(part.clone() for part in state)]
    out = torch.empty(2, 2)
    for t in range(5, 9):
        assert other.step(x[t], out) is out
        torch.testing.assert_close(out, whole[t], rtol=1e-5, atol=1e-6)
    stream.reset()
    torch.testing.assert_close(stream.step(x[0]), whole[0], rtol=1e-5, atol=1e-6)


def test_a_stream_of_tokens_gives_the_last_state_where_it_is_pooled():
    model = nn.Sequential(
        nn.Embedding(7, 4), carousel.GRU(4, 6), Pooling("last", 6), nn.Sequential(nn.Sigmoid())
    ).eval()
    tokens = torch.tensor([[3, 1], [6, 2]])
    with torch.no_grad():
        wanted = model[1](model[0](tokens))[0][-1].sigmoid()
    stream = carousel.Stream(model)
    stream.step(tokens[0])
    torch.testing.assert_close(stream.step(tokens[1]), wanted)


def test_a_row_streams_in_eight_bits_with_the_ranges_of_each_layer():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), carousel.LSTM(4, 8), carousel.GRU(8, 6), nn.Linear(6, 2))
    x = torch.randn(30, 2, 3)
    plain = carousel.Stream(model)
    small = carousel.Stream(model, int8=True, calibration=x)
    for t in range(30):
        torch.testing.assert_close(small.step(x[t]), plain.step(x[t]), rtol=0.1, atol=0.05)
    assert small.saturated == 0
    small.step(100 * x[0])
    assert small.saturated > 0


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Sequential(carousel.GRU(3, 5), nn.GRU(5, 2)), "carousel.accelerate"),
        (nn.Sequential(nn.Conv1d(3, 3, 3), carousel.GRU(3, 5)), "Conv1d looks at several steps"),
        (nn.Sequential(carousel.GRU(3, 5), Pooling("max", 5)), r"Pooling\(max\) looks at several"),
    ],
)
def test_a_row_that_has_no_next_step_is_refused(model, said):
    with pytest.raises(ValueError, match=said):
        carousel.Stream(model)


def test_frames_are_trained_like_any_layer():
    frames = FRAMES["spectrum"]()
    frames(torch.randn(4, 3, 40)).square().sum().backward()
    assert all(0 < float(p.grad.abs().sum()) < np.inf for p in frames.parameters())
