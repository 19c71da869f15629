"""C in eight bits has the whole numbers of `Stream(int8=True)`, on every processor."""

import json
import re

import numpy as np
import pytest
import torch
from bulk_runs import OF_TASK
from c_programs import library, need, passes, passes_on_cortex, uneven, written
from torch import nn

import carousel
from carousel import tasks
from carousel.errors import ConfigError
from carousel.export import int8
from carousel.export.c.recording import record
from carousel.export.c.source import source_of
from carousel.export.describing import subject_of
from carousel.export.exporting import export
from carousel.kernels import supported_isas
from carousel.layers.pooling import Pooling

LAYERS = {
    "LSTM": lambda: carousel.LSTM(5, 21),
    "GRU": lambda: carousel.GRU(3, 70),
    "RNN": lambda: carousel.RNN(33, 16, bias=False),
}
FLAGS = {
    "-O1": ("-std=c99", "-O1"),
    "-O3 -march=native": ("-std=gnu99", "-O3", "-march=native"),
    "-O3 -march=haswell": ("-std=gnu99", "-O3", "-march=haswell"),  # AVX2, and no VNNI
}


def typical(features, rows=4, steps=20):
    return np.random.default_rng(0).normal(size=(rows, steps, features)).astype(np.float32)


def eight(model, features):
    """The subject of a model in eight bits."""
    subject = subject_of(model)
    return int8.in_eight_bits(subject, int8.ranges_of(subject, typical(features)))


def small():
    return uneven(
        nn.Sequential(carousel.LSTM(3, 6, 2), carousel.GRU(6, 5), nn.Linear(5, 2), nn.Softmax(-1))
    )


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_every_step_has_the_sums_of_a_stream(make, flags, tmp_path):
    """From the same state, so that a last bit of h does not round another way a step later. A sum
    that is one off would be seen: it is worth more than a hundred times the tolerance."""
    if "haswell" in flags and "avx2" not in supported_isas():
        pytest.skip("this CPU has no AVX2")
    layer = uneven(make())
    calibration = typical(layer.input_size)
    stream = carousel.Stream(
        layer, int8=True, calibration=torch.from_numpy(calibration).transpose(0, 1)
    )
    found = library(eight(layer, layer.input_size), tmp_path, flags=FLAGS[flags])
    state, y = found.state(), np.empty(layer.hidden_size, np.float32)
    x = 1.5 * np.random.default_rng(1).normal(size=(30, layer.input_size)).astype(np.float32)
    x[7, 0] = np.nan
    for row in x:
        wanted = stream.step(torch.from_numpy(row[None].copy()))[0].numpy()
        found.call("step", state, row, y)
        np.testing.assert_allclose(y, wanted, atol=1e-6)
        parts = stream.state if isinstance(stream.state, tuple) else (stream.state,)
        found.call("load_state", state, np.concatenate([part.flatten() for part in parts]))
    counted = np.frombuffer(state.raw[-8:], np.uint64)[0]  # `saturated` is the last of the struct
    assert counted == stream.saturated > 1


@pytest.mark.parametrize(
    ("cc", "flags"),
    [("clang", ("-std=c99", "-O2")), ("g++", ("-std=c++11", "-O1", "-x", "c++"))],
)
def test_every_compiler_takes_it_without_a_warning(cc, flags, tmp_path):
    passes(written(eight(small(), 3), tmp_path), cc=cc, flags=flags)


@pytest.mark.parametrize("march", ["armv8-a", "armv8.2-a+dotprod"])
def test_it_runs_on_aarch64(march, tmp_path):
    need("qemu-aarch64-static")
    cc, flags = "aarch64-linux-gnu-gcc", ("-std=c99", "-O2", "-static", f"-march={march}")
    run = ("qemu-aarch64-static", "-cpu", "max")
    passes(written(eight(small(), 3), tmp_path), cc=cc, flags=flags, run=run)


def test_it_runs_on_a_cortex_m4(tmp_path):
    assert "largest difference" in passes_on_cortex(written(eight(small(), 3), tmp_path))


def test_its_test_fails_where_a_weight_is_one_off(tmp_path):
    written(eight(small(), 3), tmp_path)
    text = (tmp_path / "net.c").read_text()
    wrong = re.sub(
        r"(net_q0\[\d+\] = \{\s+)(-?\d+)", lambda m: f"{m[1]}{int(m[2]) ^ 1}", text, count=1
    )
    assert wrong != text
    (tmp_path / "net.c").write_text(wrong)
    with pytest.raises(AssertionError, match=r"number \d+: .* in place of "):
        passes(tmp_path)


def test_sequences_that_are_recorded_are_clear_of_halves(tmp_path):
    subject = eight(uneven(nn.Sequential(nn.Linear(4, 40), carousel.GRU(40, 90, 2))), 4)
    near = 0
    for case in record(subject, source_of(subject.network, "net", subject.int8)):
        if case.start is None:
            subject.run({"x": case.x[None]})
            assert subject.first_near() is None
    for seed in range(20):  # and there are such, of sequences as they come
        subject.run({"x": np.random.default_rng(seed).normal(size=(1, 14, 4)).astype(np.float32)})
        near += subject.first_near() is not None
    assert near


def test_a_pooled_stream_of_tokens_in_eight_bits(tmp_path):
    layer = carousel.GRU(7, 6, 2, batch_first=True)
    model = nn.Sequential(nn.Embedding(11, 7), layer, Pooling("mean", 6), nn.Linear(6, 3))
    tokens = np.arange(22).reshape(2, 11) % 11
    named = {"stream": True, "int8": True, "calibration": tokens}
    done = carousel.export(uneven(model), tmp_path / "net.c", **named)
    assert 0 < done.comparison.difference <= 1e-5
    assert done.int8 is None
    card = json.loads((tmp_path / "net.c.json").read_text())
    assert card["int8"] is True


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        (carousel.RNN(3, 5, nonlinearity="relu"), {}, "have no bound, and eight bits need one"),
        (carousel.LSTM(3, 5, peephole=True), {}, "peephole has no kernels in eight bits"),
        (carousel.GRU(3, 5, bidirectional=True), {}, "reads in both directions"),
        (carousel.MinGRU(3, 5), {}, "have no bound"),
        (nn.Sequential(nn.GRU(3, 5), carousel.GRU(5, 5)), {}, r"carousel\.accelerate"),
        (nn.GRU(3, 5), {}, r"carousel\.accelerate"),
        (nn.Linear(3, 5), {}, "no recurrent layer"),
        (carousel.GRU(3, 5), {}, "needs calibration=: inputs like those to come"),
        (carousel.GRU(3, 5), {"calibration": np.zeros((2, 4))}, r"got \(2, 4\)"),
        (carousel.GRU(3, 5), {"calibration": np.full((2, 4, 3), np.inf)}, "not finite"),
    ],
)
def test_what_has_no_c_in_eight_bits_is_refused_in_a_line(model, more, said, tmp_path):
    with pytest.raises(ConfigError, match=said) as refused:
        export(model, tmp_path / "m.c", int8=True, **more)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_calibrated_on_its_training_part_and_judged_beside_itself(carousel, run, tmp_path):
    need("gcc")
    code, out, err = carousel("export", run, tmp_path / "m.c", "--int8")
    assert code == 0, err
    assert "float32" in out
    assert "int8: the ranges of inputs are those of" in err
    code, out, _ = carousel("export", run, tmp_path / "m.c", "--int8", "--force", "--json")
    assert code == 0
    told = json.loads(out)["int8"]
    assert told["part"] == "validation"
    assert told["metrics"].keys() == told["float32"].keys() >= {"accuracy", "loss"}
    assert told["metrics"] != told["float32"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["classify", "generate", "regress", "forecast", "classify_recordings"]
)
def test_models_of_tasks_in_eight_bits(name, tmp_path):
    config = OF_TASK[name](tmp_path)
    task = tasks.find(config.task)(config, 0)
    torch.manual_seed(0)
    done = export(task.finish(task.build_model()), tmp_path / "m.c", int8=True)
    assert done.comparison.difference <= 1e-5
    assert done.int8["metric"] in done.int8["metrics"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 4, 15, 16, 17, 64, 65, 130])
@pytest.mark.parametrize("cell", [carousel.LSTM, carousel.GRU, carousel.RNN])
def test_sizes_at_the_edges_of_groups_and_panels(cell, size, tmp_path):
    subject = eight(uneven(cell(size, size, 2)), size)
    passes(written(subject, tmp_path), flags=("-std=gnu99", "-O3", "-march=native"))


def test_numbers_are_exact_behind_an_embedding_alone():
    dense = nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 5), carousel.GRU(5, 4))
    tokens = nn.Sequential(nn.Embedding(4, 3), carousel.GRU(3, 4))
    for model, exact in ((tokens, True), (dense, False)):
        subject = subject_of(model)
        ranges = int8.ranges_of(subject, np.array([[0, 1, 2, 3]]))
        assert [call.exact for call in int8.in_eight_bits(subject, ranges).calls] == [exact]


def test_calibration_without_eight_bits_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="say int8=True"):
        export(carousel.GRU(3, 4), tmp_path / "m.c", calibration=typical(3))


@pytest.mark.parametrize("stream", [False, True])
def test_the_card_says_what_the_functions_take(stream, tmp_path):
    export(carousel.GRU(3, 4), tmp_path / "m.c", stream=stream)
    card = json.loads((tmp_path / "m.c.json").read_text())
    time = [] if stream else ["time"]
    assert [(one["name"], one["shape"]) for one in card["inputs"]] == [("x", [*time, 3])]
    assert [(one["name"], one["shape"]) for one in card["outputs"]] == [("y", [*time, 4])]
