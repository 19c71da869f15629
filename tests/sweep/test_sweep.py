"""Sweeps from end to end: trials, choice by validation, confirmation, and the test part last."""

import json
import re
import shutil
import signal
from functools import partial
from types import SimpleNamespace

import pytest
from child import run_python
from small import SETTINGS as SMALL
from small import small_config
from small_sweep import OVER, SETTINGS, killed_once, small_sweep, values_of

from carousel import training
from carousel.errors import ConfigError, RunError
from carousel.run.reading import events
from carousel.run.sweep_results import read_sweep, write_sweep
from carousel.runs.store import Status, Store
from carousel.sweep import run as sweep_run
from carousel.sweep import worker
from carousel.sweep.run import plan_of
from carousel.sweep.summary import summary
from carousel.sweep.worker import Stopped, Work
from carousel.sweep.workers import Book, work_off


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    return small_sweep(tmp_path_factory.mktemp("runs") / "small-sweep", confirm=1)


def test_every_trial_is_an_ordinary_run_whose_test_part_is_closed(swept):
    store = Store(swept.path)
    trials = swept.result["trials"]
    assert len(trials) == 3
    for one in trials:
        run = store.run(one["run"])
        assert run.setting("model.hidden_size") == one["settings"]["model.hidden_size"]
        assert run.setting("run.trial") is True
        assert not list(events(run.path / "events.sqlite", "test_used"))
        assert "test" not in run.result
        if one["state"] == "ended":
            assert run.result["validation"][swept.result["metric"]] == one["value"]
            assert (run.path / "report.html").is_file()


def test_the_choice_is_confirmed_with_other_seeds_before_its_test_part_is_opened(swept):
    found = swept.result["confirmed"]
    assert set(found["validation"]["best"]["values"]) == {"5"}  # the sweep had 4
    folder = swept.path / found["folder"]
    opened = {
        path.name
        for path in folder.iterdir()
        if (path / "events.sqlite").is_file() and list(events(path / "events.sqlite", "test_used"))
    }
    assert opened == set(found["runs"]) == {f"{found['chosen']}-seed-5"}
    for name in opened:
        result = json.loads((folder / name / "result.json").read_text())
        assert result["test"]["accuracy"] == found["test"]["accuracy"]["values"][name]
        assert result["baseline"]


def test_what_was_found_is_a_recipe_that_trains(swept, tmp_path):
    best = swept.result["trials"][swept.result["best"]]
    chosen = swept.result["confirmed"]["chosen"]
    run = training.train(str(swept.path / "best.toml"), threads=1, seed=4, quiet=True,
                         run_dir=tmp_path / "run", trial=lambda _: True)  # fmt: skip
    if chosen == "best":
        assert run.result["validation"][swept.result["metric"]] == best["value"]
    assert "test" not in run.result


def test_the_best_is_the_best_of_those_that_ended(swept):
    result = swept.result
    ended = [one for one in result["trials"] if one["state"] == "ended"]
    best = max(
        ended, key=lambda one: one["value"] * (1 if result["metric_higher_is_better"] else -1)
    )
    assert result["trials"][result["best"]] == best
    assert read_sweep(swept.path) == result


def test_the_same_call_again_trains_nothing_and_more_runs_are_added(swept, tmp_path, monkeypatch):
    copy = shutil.copytree(swept.path, tmp_path / "small-sweep")
    with monkeypatch.context() as patch:
        patch.setattr(training, "train", None)
        assert values_of(small_sweep(copy)) == values_of(swept)
    more = small_sweep(copy, runs=4)
    assert values_of(more)[:3] == values_of(swept)
    assert len(more.result["trials"]) == 4


@pytest.mark.slow
def test_a_trial_that_is_given_up_can_be_resumed_and_says_why(tmp_path):
    found = small_sweep(tmp_path / "s", over=("optimizer.learning_rate=1e-7:1e-1:log",), runs=8)
    given_up = [one for one in found.result["trials"] if one["state"] == "pruned"]
    assert given_up
    assert found.result["epochs_trained"] < 8 * 3
    one = given_up[0]
    run = Store(found.path).run(one["run"])
    assert run.status is Status.PRUNED
    assert run.why == one["why"]
    assert len(run.epochs) == one["epochs"] < 3
    assert training.resume(run.path, quiet=True).result["epochs"] == 3


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_no_more_than_its_trial_which_is_taken_again(tmp_path):
    whole = small_sweep(tmp_path / "a" / "s", pruner="none")
    code = """
from pathlib import Path
import os, signal, sys
import small_sweep
from carousel.sweep import worker
told = worker._Follower.told
def dying(self, epoch, *more):
    going = told(self, epoch, *more)
    if self.claim.number == 1 and epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return going
worker._Follower.told = dying
pid = os.fork()
if not pid:
    small_sweep.small_sweep(Path(sys.argv[1]), pruner="none")
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert run_python(code, str(tmp_path / "b" / "s")).strip() == "-9"
    found = small_sweep(tmp_path / "b" / "s", pruner="none")
    said = {str(settings): value for settings, value, _ in values_of(found)}
    assert len(said) == len(found.result["trials"]) == 3
    again = next(one for one in found.result["trials"] if "again" in one)
    assert (again["again"], again["run"]) == (1, "trial-0001")
    for settings, value, _ in values_of(whole)[:2]:  # what came before it is drawn alike
        assert said[str(settings)] == value


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"runs": 0}, "runs must be at least 1"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"minutes": 0}, "minutes must be above 0"),
        ({"sampler": "magic"}, "sampler must be one of tpe, random, grid"),
        ({"pruner": "magic"}, "pruner must be one of"),
        ({"sampler": "grid"}, "a grid needs values"),
    ],
)
def test_what_cannot_be_is_refused_before_a_folder_is_made(tmp_path, how, said):
    with pytest.raises(ConfigError, match=said):
        small_sweep(tmp_path / "s", **how)
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_a_setting_that_cannot_be_trained_counts_and_does_not_end_the_sweep(tmp_path):
    over = ("model.cell=lstm,slstm", "model.heads=1,5")  # 12 units are not 5 heads
    found = small_sweep(tmp_path / "s", over=over, sampler="grid", pruner="none", runs=4)
    states = {(o["settings"]["model.cell"], o["settings"]["model.heads"]): o for o in
              found.result["trials"]}  # fmt: skip
    assert states["slstm", 5]["state"] == "failed"
    assert "heads" in states["slstm", 5]["why"]
    assert states["lstm", 5]["unread"] == ["model.heads"]
    assert sum(one["state"] == "ended" for one in states.values()) == 3


def test_where_nothing_can_be_trained_the_sweep_ends_and_says_why(tmp_path):
    with pytest.raises(RunError, match="none of the first 3 trials could be trained"):
        small_sweep(tmp_path / "s", over=("model.heads=5,7,8",), sampler="grid",
                    overrides=["model.cell=slstm"])  # fmt: skip


def test_the_test_part_that_was_opened_for_an_earlier_choice_is_said(swept, tmp_path, monkeypatch):
    copy = shutil.copytree(swept.path, tmp_path / "small-sweep")
    content = read_sweep(copy)
    content["confirmed"]["trial"] = 99
    write_sweep(copy, content)
    again = small_sweep(copy, confirm=1)
    assert [one["trial"] for one in again.result["confirmed_earlier"]] == [99]


@pytest.mark.slow
def test_the_command_line_prints_the_trials_and_what_was_confirmed(carousel, swept):
    given = [part for setting in (*SMALL, *SETTINGS) for part in ("--set", setting)]
    given += [part for one in OVER for part in ("--over", one)]
    given += ["--runs=3", "--confirm=0", "--seed=4", "--threads=1"]
    code, out, err = carousel("sweep", "mnist-rows", *given, "--run-dir", "new")
    assert code == 0, err
    assert "epochs trained, of 9 without" in out
    assert "best.toml" in out
    code, out, err = carousel("sweep", "mnist-rows", *given, "--run-dir", "new", "--json")
    assert code == 0, err
    assert len(json.loads(out)["trials"]) == 3


def test_compare_shows_a_sweep_as_one(carousel, swept, tmp_path):
    code, out, err = carousel("compare", str(swept.path), "--out", str(tmp_path / "s.png"))
    assert code == 0, err
    assert re.search(r"with 1 other seed\b", out)
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    code, out, err = carousel("compare", str(swept.path), "--json")
    assert code == 0, err
    assert json.loads(out)["best"] == swept.result["best"]
    code, out, err = carousel("compare", str(swept.path), "--metric", "loss")
    assert (code, out) == (2, "")


def test_a_sweep_that_torchrun_has_started_is_refused(tmp_path, monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="2 processes were begun to train together: begin one"):
        small_sweep(tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_that_the_test_part_was_opened_before_is_still_said_by_the_calls_after(swept, tmp_path):
    copy = shutil.copytree(swept.path, tmp_path / "small-sweep")
    content = read_sweep(copy)
    other = {"best": "recipe", "recipe": "best"}[content["confirmed"]["chosen"]]
    content["confirmed"] |= {"trial": 99, "chosen": other}
    write_sweep(copy, content)
    for _ in range(2):
        again = small_sweep(copy, confirm=1)
        assert [one["trial"] for one in again.result["confirmed_earlier"]] == [99]


def test_no_trial_begins_after_the_minutes_and_what_has_ended_is_chosen_from(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=1000.0, time=lambda: clock.now, sleep=None)
    monkeypatch.setattr(worker, "time", clock)
    monkeypatch.setattr(sweep_run, "time", clock)
    trained = training.train

    def train(*given, **how):
        clock.now += 40
        return trained(*given, **how)

    monkeypatch.setattr(training, "train", train)
    found = small_sweep(tmp_path / "s", runs=9, minutes=1, pruner="none")
    assert [one["state"] for one in found.result["trials"]] == ["ended", "ended"]  # at 0 and 40 s
    assert found.result["best"] in (0, 1)
    later = small_sweep(tmp_path / "s", runs=3, pruner="none")
    assert len(later.result["trials"]) == 3


def test_a_storage_that_is_away_in_the_middle_of_a_trial_does_not_cost_the_trial(
    tmp_path, monkeypatch
):
    def away(self, value, step):
        raise OSError(5, "the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr("optuna.trial.Trial.report", away)
        with pytest.raises(RunError, match="cannot be used: the disk is away"):
            small_sweep(tmp_path / "s", runs=1, pruner="none")
    (one,) = small_sweep(tmp_path / "s", runs=1, pruner="none").result["trials"]
    assert (one["state"], one["run"], one["again"]) == ("ended", "trial-0000", 0)


def test_an_interrupted_sweep_goes_on_with_the_trial_where_it_was(tmp_path, monkeypatch):
    whole = small_sweep(tmp_path / "a" / "s", runs=2, pruner="none")
    told = worker._Follower.told

    def interrupted(self, epoch, *more):
        going = told(self, epoch, *more)
        if (self.claim.number, epoch) == (1, 2):
            signal.raise_signal(signal.SIGINT)
        return going

    with monkeypatch.context() as patch:
        patch.setattr(worker._Follower, "told", interrupted)
        with pytest.raises(Stopped):
            small_sweep(tmp_path / "b" / "s", runs=2, pruner="none")
    found = small_sweep(tmp_path / "b" / "s", runs=2, pruner="none")
    assert values_of(found) == values_of(whole)
    again = found.result["trials"][1]
    assert (again["again"], again["run"]) == (1, "trial-0001")
    assert len([*events(tmp_path / "b" / "s" / "trial-0001" / "events.sqlite", "resumed")]) == 1


@pytest.mark.slow
def test_two_workers_train_what_one_does_and_one_that_is_killed_is_replaced(tmp_path):
    how = {"sampler": "random", "pruner": "none"}
    one = small_sweep(tmp_path / "one" / "s", **how)
    folder, said = tmp_path / "two" / "s", tmp_path / "said"
    plan = plan_of(small_config(*SETTINGS), OVER, (), seed=4, **how)
    book = Book(plan, folder / "journal.log", "s", folder)
    work_off(book, Work(3, 1, said=partial(killed_once, said)), workers=2)
    assert "a worker was ended by SIGKILL" in said.read_text()
    found = summary(book.open(), 3)["trials"]
    assert [(o["settings"], o["value"], o["state"]) for o in found] == values_of(one)
    assert [o["run"] for o in found] == [f"trial-{number:04d}" for number in range(3)]
