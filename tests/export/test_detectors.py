"""Detectors of anomalies as files: what they say of a series becomes the scores of the model."""

import json
import shutil

import numpy as np
import pytest
import torch
from small_watched import rows, watched_config, write_watched

from carousel import tasks
from carousel.data.watched import Watched
from carousel.errors import ConfigError
from carousel.export.exporting import export

pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def drawn(config):
    """A detector that was not trained, but for the scale and the usual error of its series."""
    task = tasks.find(config.task)(config, 0)
    model = task.build_model()
    torch.manual_seed(1)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, 0, 0.3)
    return task.finish(model)


def measured(count=200, seed=4):
    values = np.array([(wave, other) for _, wave, other, _ in rows(count, seed, ((60, 70),))])
    values[150] += 40  # which no detector lets pass
    return values


def said(folder, card, values):
    """Outputs of the file for a series; of a reconstruction, of every window."""
    x = np.asarray(values, np.float32)[None]
    if card["error"] == "reconstruction":
        x = np.lib.stride_tricks.sliding_window_view(x[0], card["window"], 0).transpose(0, 2, 1)
    session = runtime.InferenceSession(folder / card["files"][0])
    given = {"values": np.ascontiguousarray(x)}
    for state in card["inputs"][1:]:
        depth, _, size = state["shape"]
        given[state["name"]] = np.zeros((depth, 1, size), np.float32)
    (found, *_) = session.run(None, given)
    return found[0] if card["error"] == "forecast" else found


KINDS = [
    (),
    ("anomaly.relative=false", "model.cell=lstm", "model.num_layers=2", "anomaly.horizon=3"),
    ("anomaly.score=worst", "anomaly.smooth=4", "anomaly.follow=0.3"),
    ("anomaly.error=reconstruction", "model.cell=lstm", "model.num_layers=2"),
    ("anomaly.error=reconstruction", "anomaly.score=worst", "model.cell=rnn"),
]


@pytest.mark.parametrize("more", KINDS)
def test_the_code_in_the_card_gives_the_scores_and_alarms_of_the_model(more, tmp_path):
    trained = drawn(watched_config(write_watched(tmp_path), *more))
    export(trained, tmp_path / "m.onnx")
    card = json.loads((tmp_path / "m.onnx.json").read_text())
    values = measured()
    made = dict[str, object]()
    exec("\n".join(card["scoring"]), made)
    x = made["scaled"](values, card)
    errors = made["forecast_errors" if card["error"] == "forecast" else "window_errors"]
    scores, alarms = made["scores_of"](errors(x, said(tmp_path, card, values), card), card)
    (answer,) = trained.predict(values)
    np.testing.assert_allclose(scores, answer.scores, rtol=2e-4, atol=1e-5)
    near = np.abs(np.array(answer.scores) - 1) < 1e-3
    assert (alarms == np.array(answer.alarms))[~near].all()
    assert alarms.any()


def test_several_series_of_their_own_scale_are_read_scaled(tmp_path):
    folder = tmp_path / "series"
    folder.mkdir()
    for number in range(2):
        write_watched(folder, f"s{number}.csv", seed=number)
    trained = drawn(watched_config(folder))
    export(trained, tmp_path / "m.onnx")
    card = json.loads((tmp_path / "m.onnx.json").read_text())
    assert card["reads"] == "values scaled by their series"
    assert [*card["usual"]] == ["s0", "s1"]
    assert card["scaler"] is None
    made = dict[str, object]()
    exec("\n".join(card["scoring"]), made)
    values = measured()
    times = tuple(map(str, range(len(values))))
    one = Watched("s1", trained.columns, times, values)
    x = made["scaled"](values, card, "s1")
    errors = made["forecast_errors"](x, said(tmp_path, card, x), card)
    scores, _ = made["scores_of"](errors, card, "s1")
    np.testing.assert_allclose(scores, trained.predict([one])[0].scores, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("more", KINDS)
def test_a_program_of_torch_computes_what_a_detector_does(more, tmp_path):
    done = export(drawn(watched_config(write_watched(tmp_path), *more)), tmp_path / "m.pt2")
    assert done.comparison.cases >= 3


@pytest.mark.parametrize("more", [kind for kind in KINDS if "reconstruction" not in str(kind)])
def test_the_c_of_a_forecasting_detector_says_what_it_does(more, tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler here")
    trained = drawn(watched_config(write_watched(tmp_path), *more))
    assert export(trained, tmp_path / "m.c").comparison.cases == 3
    assert "m_step(" in (tmp_path / "m.h").read_text()


@pytest.mark.parametrize(
    ("name", "more"), [("m.c", {}), ("m.onnx", {"stream": True}), ("m.pt2", {"stream": True})]
)
def test_a_reconstruction_is_no_stream(name, more, tmp_path):
    kind = watched_config(write_watched(tmp_path), "anomaly.error=reconstruction")
    with pytest.raises(ConfigError, match="Repeat"):
        export(drawn(kind), tmp_path / name, **more)
