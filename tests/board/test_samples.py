"""Recorded examples and looks, read from a folder that may be damaged or made by somebody else."""

import base64
import json

import numpy as np
import pytest
from made_runs import make_run
from written import Written

from carousel.board import inspections, samples
from carousel.board.samples import Confusion
from carousel.errors import RunError
from carousel.run import layout
from carousel.run.writing import EventStore


@pytest.fixture
def run(tmp_path):
    path = make_run(tmp_path / "run")
    with EventStore(path / "events.sqlite") as store:
        store.event(20, Written("samples", samples=[{"name": "old"}]))
        store.event(20, Written("answers", epoch=1, answers=[{"wrong": 0.25}]))
        store.event(
            40, Written("samples", samples=[{"name": "a", "picture": "https://elsewhere/x.png"}])
        )
        store.event(40, Written("answers", epoch=2, answers=[{"wrong": 0.5}]))
        store.event(40, Written("answers", epoch=2, answers=[{"wrong": 0.75}]))
    return path


def test_the_newest_samples_and_answers_of_an_epoch_are_read(run):
    found = samples.samples(run / "events.sqlite")
    assert ([sample["name"] for sample in found.samples], found.epochs) == (["a"], [1, 2])
    assert samples.answers(run / "events.sqlite", 1) == [{"wrong": 0.25}]
    assert samples.answers(run / "events.sqlite", 2) == [{"wrong": 0.75}]
    assert samples.answers(run / "events.sqlite", 3) == []


def test_a_picture_is_never_an_address(run):
    (sample,) = samples.samples(run / "events.sqlite").samples
    assert samples.picture(sample) == ""
    for source in ("javascript:alert(1)", "data:text/html,x", "data:image/svg+xml,<svg/>", 3):
        assert samples.picture({"picture": source}) == ""
    assert samples.picture({"picture": "data:image/png;base64,AA=="})


def test_damaged_samples_are_refused(run):
    with EventStore(run / "events.sqlite") as store:
        store.event(60, Written("samples", samples="none"))
    with pytest.raises(RunError, match="samples cannot be read"):
        samples.samples(run / "events.sqlite")


def test_a_confusion_matrix_is_read_only_where_it_is_one(run):
    assert samples.confusions(run) == []
    good = {"part": "test", "per_class": {"a": {}, "b": {}}, "confusion": [[1, 2], [3, 4]]}
    (run / "evaluation.json").write_text(json.dumps(good))
    assert samples.confusions(run) == [Confusion(None, "test", ["a", "b"], [[1, 2], [3, 4]])]
    for bad in ([[1, 2]], [[1], [2, 3]], [["x", 1], [1, 1]], "none", []):
        (run / "evaluation.json").write_text(json.dumps(good | {"confusion": bad}))
        assert samples.confusions(run) == []
    (run / "evaluation.json").write_text("{")
    assert samples.confusions(run) == []


def test_evaluations_of_kept_epochs_follow_that_of_the_final_weights(run, tmp_path):
    def evaluated(folder, n, part="test"):
        folder.mkdir(parents=True, exist_ok=True)
        said = {"part": part, "per_class": {"a": {}}, "confusion": [[n]]}
        suffix = "" if part == "test" else f"-{part}"
        (folder / f"evaluation{suffix}.json").write_text(json.dumps(said))
        (folder / "model.json").write_text("{}")

    assert layout.kept_epochs(run) == []
    evaluated(run / "epochs" / "10", 10, "validation")
    evaluated(run / "epochs" / "9", 9)
    evaluated(run / "epochs" / "worst", 7)
    evaluated(run, 1)
    evaluated(tmp_path / "secret", 8)
    (run / "epochs" / "3").symlink_to(tmp_path / "secret")
    found = [(one.epoch, one.part, one.counts) for one in samples.confusions(run)]
    assert found == [(None, "test", [[1]]), (9, "test", [[9]]), (10, "validation", [[10]])]
    assert layout.kept_epochs(run) == [9, 10]


def packed(values, low, high):
    levels = np.rint((values - low) / (high - low) * 255).astype(np.uint8)
    data = base64.b64encode(levels.tobytes()).decode()
    return {"rows": len(values), "low": low, "high": high, "data": data}


def test_a_map_is_what_was_packed():
    values = np.random.default_rng(0).uniform(-2, 2, (5, 7))
    found = inspections.unpack("c", packed(values, -2.0, 2.0))
    assert (found.columns, found.rows, found.each) == (7, 5, 1)
    seen = np.zeros((5, 7))
    for column, row, value in found.cells:
        seen[row, column] = value
    np.testing.assert_allclose(seen, values, atol=4 / 255)


def test_a_long_map_is_made_coarser_by_means():
    values = np.tile(np.linspace(0, 1, 1000), (3, 1))
    found = inspections.unpack("f", packed(values, 0.0, 1.0))
    assert (found.columns, found.each) == (200, 5)
    line = [value for column, row, value in sorted(found.cells) if row == 1]
    np.testing.assert_allclose(line, values[1].reshape(200, 5).mean(1), atol=0.01)


@pytest.mark.parametrize(
    "change", [{"data": "!"}, {"rows": 0}, {"rows": 4}, {"low": float("nan")}, {"high": None}]
)
def test_a_damaged_map_is_refused(change):
    good = packed(np.zeros((3, 5)), 0.0, 1.0)
    with pytest.raises(RunError, match="cannot be read"):
        inspections.unpack("f", good | change)


def test_looks_are_read_from_the_run_and_from_nowhere_else(run, tmp_path):
    assert layout.looks(run) == []
    folder = run / "inspect" / "validation-7"
    folder.mkdir(parents=True)
    (folder / "inside.json").write_text(json.dumps({"layers": [], "steps": []}))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "inside.json").write_text(json.dumps({"layers": [], "steps": []}))
    (run / "inspect" / "link").symlink_to(tmp_path / "secret")
    assert layout.looks(run) == ["validation-7"]
    assert inspections.read(run, "validation-7")["layers"] == []
    for name in ("link", "../../secret", "", "nothing"):
        with pytest.raises(RunError, match="nobody has looked"):
            inspections.read(run, name)
    (folder / "inside.json").write_text("[]")
    with pytest.raises(RunError, match="look once more"):
        inspections.read(run, "validation-7")
