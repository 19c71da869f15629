"""The runs of a folder: which there are, how each one stands, and that nothing else is read."""

import json
import os
import sqlite3
import subprocess
import sys

import pytest
from made_runs import make_run

from carousel.errors import RunError
from carousel.run.layout import RunFolder, is_held
from carousel.run.writing import EventStore
from carousel.runs.store import Status, Store


def test_a_real_run_is_read_as_its_result_says(trained):
    (run,) = Store(trained.path.parent).runs()
    assert run.id == trained.path.name
    assert run.recipe == trained.result["recipe"]
    epoch, value = run.best
    assert epoch == trained.result["best_epoch"]
    assert value == trained.result["validation"][run.monitor]
    assert run.step == trained.result["steps"]
    speed = trained.result["steps"] / trained.result["seconds"]
    assert run.steps_per_second == pytest.approx(speed)
    assert run.status in (Status.FINISHED, Status.STOPPED_EARLY)
    assert run.why == trained.result["stop_reason"]


def test_status_follows_the_lock_the_result_and_the_last_word(tmp_path):
    make_run(tmp_path / "whole")
    make_run(tmp_path / "early", "training.epochs=9")
    make_run(tmp_path / "capped", "training.epochs=9", "training.max_steps=60")
    for last in ("interrupted", "diverged", "resumed"):
        make_run(tmp_path / last, finished=False, last=last)
    make_run(tmp_path / "dead", finished=False)
    (tmp_path / "whole" / "config.toml").write_text(
        (tmp_path / "whole" / "config.toml").read_text().replace("epochs = 4", "epochs = 3")
    )
    found = {run.id: run.status for run in Store(tmp_path).runs()}
    assert found == {
        "whole": Status.FINISHED,
        "early": Status.STOPPED_EARLY,
        "capped": Status.FINISHED,
        "interrupted": Status.INTERRUPTED,
        "diverged": Status.DIVERGED,
        "resumed": Status.CRASHED,
        "dead": Status.CRASHED,
    }
    assert "head.weight" in Store(tmp_path).run("diverged").why
    assert "--resume" in Store(tmp_path).run("dead").why


def test_a_folder_from_which_a_run_was_removed_is_no_run(tmp_path):
    """Removing may leave the folder behind, where a reader wrote SQLite's index just then."""
    path = make_run(tmp_path / "run")
    store = Store(tmp_path)
    assert store.token("run")
    for name in ("config.toml", "events.sqlite"):
        (path / name).unlink()
    for ask in (store.token, store.run):
        with pytest.raises(RunError, match="there is no run"):
            ask("run")


def test_a_run_is_running_for_as_long_as_its_lock_is_held(tmp_path):
    path = make_run(tmp_path / "run", finished=False)
    store = Store(tmp_path)
    with RunFolder.open(path).locked():
        assert store.run("run").status is Status.RUNNING
    assert store.run("run").status is Status.CRASHED


def test_a_killed_process_no_longer_runs(tmp_path):
    path = make_run(tmp_path / "run", finished=False)
    code = (
        "import sys, time, pathlib\nfrom carousel.run.layout import RunFolder\n"
        f"with RunFolder.open(pathlib.Path({str(path)!r})).locked():\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "held\n"
        assert Store(tmp_path).run("run").status is Status.RUNNING
        process.kill()
        process.wait()
    assert Store(tmp_path).run("run").status is Status.CRASHED


def test_asking_does_not_take_the_lock_from_the_training(tmp_path):
    path = make_run(tmp_path / "run", finished=False)
    assert not is_held(path)
    with RunFolder.open(path).locked():
        assert is_held(path)
    with RunFolder.open(path).locked():
        pass


def test_runs_are_found_in_folders_and_in_a_folder_that_is_one(tmp_path):
    make_run(tmp_path / "sweep" / "lr" / "a")
    make_run(tmp_path / "b")
    (tmp_path / "empty").mkdir()
    assert Store(tmp_path).ids() == ["b", "sweep/lr/a"]
    assert Store(tmp_path).run("sweep/lr/a").path == tmp_path / "sweep" / "lr" / "a"
    (run,) = Store(tmp_path / "b").runs()
    assert (run.id, run.path) == (".", tmp_path / "b")


def test_a_run_seen_again_has_what_was_written_since(tmp_path):
    path = make_run(tmp_path / "run", finished=False)
    store = Store(tmp_path)
    before = store.run("run").step
    with EventStore(path / "events.sqlite") as events:
        events.record(before + 7, {"train/loss": 0.5})
    assert store.run("run").step == before + 7


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.toml", b"model = ["),
        ("config.toml", b"\xff\xfe"),
        ("config.toml", b"[run]\nformat = 99\n"),
        ("config.toml", b"run = 3\n"),
        ("events.sqlite", b"not a database, but long enough to be taken for one" * 100),
        ("events.sqlite", b""),
        ("result.json", b'{"recipe": "half'),
        ("result.json", b"[1, 2]"),
        ("result.json", b"[" * 100_000),
        ("result.json", b" " * (5 << 20)),
    ],
)
def test_a_damaged_run_says_so_and_hides_no_other(tmp_path, name, content):
    make_run(tmp_path / "good")
    bad = make_run(tmp_path / "bad")
    for log in bad.glob("events.sqlite-*"):
        log.unlink()
    (bad / name).write_bytes(content)
    found = {run.id: run for run in Store(tmp_path).runs()}
    assert found["bad"].status is Status.UNREADABLE
    assert found["bad"].why
    assert found["good"].status is not Status.UNREADABLE


def test_an_event_that_is_no_json_is_damage(tmp_path):
    path = make_run(tmp_path / "run")
    with sqlite3.connect(path / "events.sqlite") as db:
        db.execute("UPDATE events SET body = '{' WHERE id = 2")
    db.close()
    assert Store(tmp_path).run("run").status is Status.UNREADABLE


@pytest.mark.parametrize("body", [{}, {"validation": 3}, {"epoch": 1, "validation": {"loss": "x"}}])
def test_odd_events_and_results_are_shown_as_far_as_they_go(tmp_path, body):
    path = make_run(tmp_path / "run", epochs=1)
    with sqlite3.connect(path / "events.sqlite") as db:
        db.execute("UPDATE events SET body = ? WHERE kind = 'epoch'", (json.dumps(body),))
    db.close()
    run = Store(tmp_path).run("run")
    assert run.best is None
    assert run.status in (Status.FINISHED, Status.STOPPED_EARLY)


@pytest.mark.parametrize(
    "id", ["../secret", "/etc", "run/../../secret", "link", "\0", "x" * 5000, "missing", "", ".."]
)
def test_no_run_outside_the_folder_is_read(tmp_path, id):
    make_run(tmp_path / "secret")
    make_run(tmp_path / "runs" / "run")
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "secret")
    store = Store(tmp_path / "runs")
    with pytest.raises(RunError):
        store.run(id)
    assert store.ids() == ["run"]


@pytest.mark.parametrize("name", ["config.toml", "events.sqlite", "result.json"])
def test_a_file_that_leads_out_of_the_run_is_not_read(tmp_path, name):
    secret = make_run(tmp_path / "secret", "recipe.name='secret'")
    run = make_run(tmp_path / "runs" / "run")
    (run / name).unlink()
    (run / name).symlink_to(secret / name)
    (found,) = Store(tmp_path / "runs").runs()
    assert found.status is Status.UNREADABLE
    assert "outside" in found.why
    assert found.recipe != "secret"
    if name == "events.sqlite":
        with pytest.raises(RunError, match="outside"):
            Store(tmp_path / "runs").events_of("run")


def test_a_pipe_in_place_of_a_file_does_not_hang(tmp_path):
    run = make_run(tmp_path / "run")
    for name in ("result.json", ".lock"):
        (run / name).unlink()
        os.mkfifo(run / name)
    assert Store(tmp_path).run("run").status is Status.UNREADABLE


def test_a_folder_that_is_missing_is_told(tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        Store(tmp_path / "nowhere")
