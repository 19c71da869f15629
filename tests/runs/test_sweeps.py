"""Sweeps among runs: found, told how they stand, and refused in words where they are damaged."""

import json

import filelock
import pytest
from made_runs import make_run
from made_sweeps import CHOICE, RANGE, confirmed, content_of, make_sweep, trials_of

from carousel.errors import RunError
from carousel.run.sweep_results import WORKERS, write_sweep
from carousel.runs.slices import draw
from carousel.runs.store import Status, Store
from carousel.runs.sweeps import Sweeps, ranked, read_by


@pytest.fixture
def sweeps(tmp_path):
    make_run(tmp_path / "alone", epochs=1)
    make_sweep(tmp_path / "swept")
    make_run(tmp_path / "swept" / "confirm" / "trial-0001" / "best-seed-1", epochs=1)
    return Sweeps(Store(tmp_path))


def only(sweeps):
    (found,) = sweeps.all(sweeps.store.runs())
    return found


def test_a_sweep_is_found_by_its_runs_and_others_are_none_of_it(sweeps):
    assert only(sweeps).id == "swept"
    assert sweeps.of_run("swept/trial-0001") == "swept"
    assert sweeps.of_run("swept/confirm/trial-0001/best-seed-1") == "swept"
    assert sweeps.of_run("alone") is None
    assert [run.id for run in sweeps.sorted(sweeps.store.runs())[""]] == ["alone"]
    for id in ("alone", "nowhere", "../x", "", "x" * 3000, "a\0b"):
        with pytest.raises(RunError, match="there is no"):
            sweeps.get(id)


def test_a_folder_that_is_one_sweep_has_it_as_itself(tmp_path):
    make_sweep(tmp_path)
    sweeps = Sweeps(Store(tmp_path))
    found = only(sweeps)
    assert (found.id, found.run_of(found.trials[0])[:6]) == (".", "trial-")
    assert sweeps.get(".").result == found.result
    assert sweeps.of_run("trial-0000") == "."


def test_it_runs_while_a_worker_lives_and_is_interrupted_or_finished_otherwise(sweeps):
    path = sweeps.store.root / "swept"
    assert sweeps.get("swept").status == Status.INTERRUPTED
    for place in (WORKERS, f"confirm/trial-0001/{WORKERS}"):
        (path / place).mkdir()
        with filelock.FileLock(path / place / "a.lock"):
            assert sweeps.get("swept").status == Status.RUNNING
    make_sweep(path, runs=0, finished=True)
    assert sweeps.get("swept").status == Status.FINISHED


def test_trials_are_in_order_of_their_values_and_counted(sweeps):
    trials = [*trials_of(7), {**trials_of(8)[7], "state": "running", "value": None, "epochs": 0}]
    make_sweep(sweeps.store.root / "swept", runs=0, trials=trials)
    found = sweeps.get("swept")
    values = [one["value"] for one in found.trials if one["state"] == "ended"]
    assert values == sorted(values)
    assert found.best["value"] == values[0]
    assert (found.done, len(found.trials)) == (7, 8)
    higher = ranked({**found.result, "metric_higher_is_better": True})
    assert [one["value"] for one in higher[: len(values)]] == values[::-1]


def test_a_setting_that_nothing_read_has_no_value():
    one = {"settings": {"a": 3, "b": 4}, "unread": ["b"]}
    assert [read_by(one, name) for name in ("a", "b", "c")] == [3, None, None]


@pytest.mark.parametrize(
    "changed",
    [
        {"trials": [3]},
        {"trials": [{"number": "one"}]},
        {"over": {"a": 3}},
        {"over": {"a": {"low": 1, "high": "2", "log": False}}},
        {"importance": []},
        {"finished": "yes"},
        {"metric": None},
        {"format": 99},
        {"confirmed": {**confirmed(1), "validation": {"best": {"mean": "high", "std": None}}}},
    ],
)
def test_what_cannot_be_shown_is_told_and_hides_no_other(sweeps, changed):
    write_sweep(sweeps.store.root / "swept", content_of(trials_of(7)) | changed)
    found = only(sweeps)
    assert (found.status, found.trials, found.best) == (Status.UNREADABLE, [], None)
    assert "sweep.json" in found.why or "newer" in found.why


def test_a_file_that_is_no_json_or_leads_elsewhere_is_told(sweeps, tmp_path):
    file = tmp_path / "swept" / "sweep.json"
    file.write_text("{")
    assert "cannot be read" in only(sweeps).why
    file.unlink()
    (tmp_path / "other.json").write_text(json.dumps(content_of(trials_of(3))))
    file.symlink_to(tmp_path / "other.json")
    assert "outside" in only(sweeps).why


def test_numbers_that_are_none_are_left_out(sweeps):
    trials = trials_of(3)
    trials[0]["value"] = float("nan")
    trials[1]["settings"][RANGE] = float("inf")
    make_sweep(sweeps.store.root / "swept", runs=0, trials=trials, importance={RANGE: float("nan")})
    found = sweeps.get("swept")
    assert found.result["importance"] == {}
    by_number = {one["number"]: one for one in found.trials}
    assert by_number[0]["value"] is None
    assert by_number[1]["settings"][RANGE] is None


@pytest.mark.parametrize("count", [0, 1, 9])
def test_slices_are_drawn_of_however_few_trials(tmp_path, count):
    result = content_of(trials_of(count))
    result["over"]["regularization.dropout"] = {"low": 0.0, "high": 0.5, "log": False}
    draw(result, tmp_path / "slices.png")
    assert (tmp_path / "slices.png").stat().st_size > 5000
    assert CHOICE in result["over"]
