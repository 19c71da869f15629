"""Run folders that are whole, partial, damaged, strange: what is said of each."""

import json
import shutil
import sqlite3

import pytest
import torch
from small import small_config
from written import Written

from carousel import tasks
from carousel.cli import main
from carousel.coach import facts
from carousel.coach.evidence import Evidence
from carousel.coach.record import read_evidence, read_run
from carousel.errors import RunError
from carousel.run.reading import events, series
from carousel.run.writing import EventStore
from carousel.training import train


def coached(monkeypatch, capsys, *arguments):
    """Exit code and output of `carousel coach …`."""
    monkeypatch.setattr("sys.argv", ["carousel", "coach", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    out = capsys.readouterr()
    return stop.value.code, out.out + out.err


def test_a_finished_run_lacks_nothing(run):
    evidence, lacks = read_run(run)
    assert lacks == []
    assert evidence.monitor == "accuracy"
    assert evidence.higher_is_better
    assert evidence.facts["batches_per_epoch"] == 24
    assert len(evidence.epochs) == json.loads((run / "result.json").read_text())["epochs"]
    assert any(name.startswith("update_ratio/recurrent.weight_hh_l0/") for name in evidence.series)


def test_result_names_findings_and_the_share_of_time(run):
    told = json.loads((run / "result.json").read_text())["coach"]
    assert set(told) == {"severe", "warning", "share_of_time"}
    assert told["share_of_time"] >= 0


def test_the_time_split_covers_the_training_time(run):
    parts = ["data", "forward", "backward", "optimiser", "validation", "coach"]
    for part in parts:
        assert series(run / "events.sqlite", f"time/{part}"), part


def test_a_run_that_has_not_ended_says_so(run, monkeypatch, capsys):
    (run / "result.json").unlink()
    code, said = coached(monkeypatch, capsys, run)
    assert code in (0, 1)
    assert "has not ended" in said


def test_a_run_without_events_says_so(run, monkeypatch, capsys):
    (run / "events.sqlite").unlink()
    _, said = coached(monkeypatch, capsys, run)
    assert "there is no events.sqlite" in said


def test_a_run_without_signals_says_which_rules_are_silent(run):
    with sqlite3.connect(run / "events.sqlite") as db:
        db.execute(
            "DELETE FROM points WHERE signal IN (SELECT id FROM signals WHERE name LIKE '%/%')"
        )
    db.close()
    _, lacks = read_run(run)
    assert any("rules on gates, states and updates are silent" in lack for lack in lacks)


def test_events_that_are_no_database_are_told_not_raised(run, monkeypatch, capsys):
    for extra in run.glob("events.sqlite*"):
        extra.unlink()
    (run / "events.sqlite").write_bytes(b"this is not a database at all, is it?" * 100)
    code, said = coached(monkeypatch, capsys, run)
    assert code in (0, 1)
    assert "cannot be read" in said


def test_a_newer_layout_is_told_and_read_as_far_as_it_goes(run):
    with sqlite3.connect(run / "events.sqlite") as db:
        db.execute("UPDATE meta SET value = '99'")
    db.close()
    evidence, lacks = read_run(run)
    assert any("format 99" in lack for lack in lacks)
    assert evidence.epochs


def test_settings_that_cannot_be_read_leave_advice_without_lines(run, monkeypatch, capsys):
    (run / "config.toml").write_text("[model]\ncell = 'gru9'\n")
    evidence, lacks = read_run(run)
    assert evidence.config is None
    assert any("its settings cannot be read" in lack for lack in lacks)


def test_a_run_that_is_being_written_is_read(run):
    with EventStore(run / "events.sqlite") as store:
        store.record(10_000, {"train/loss": 1.0})
        store.flush()
        evidence, _ = read_run(run)
    assert evidence.step >= 10_000


def test_a_folder_that_is_no_run_is_one_line_and_code_2(tmp_path, monkeypatch, capsys):
    with pytest.raises(RunError, match=r"no config\.toml"):
        read_run(tmp_path)
    code, said = coached(monkeypatch, capsys, tmp_path)
    assert code == 2
    assert said.startswith("carousel: ")
    assert said.count("\n") == 1


def test_a_severe_finding_is_exit_code_1(run, monkeypatch, capsys):
    with EventStore(run / "events.sqlite") as store:
        store.event(3, Written("diverged", what="the loss is nan", tensor="the weight head.bias"))
    code, said = coached(monkeypatch, capsys, run)
    assert code == 1
    assert "Training stopped because the loss is nan." in said


def test_json_holds_what_the_text_says(run, monkeypatch, capsys):
    _, said = coached(monkeypatch, capsys, run, "--json")
    told = json.loads(said)
    assert set(told) == {"run", "findings", "cleared", "lacks", "share_of_time"}
    for finding in told["findings"]:
        assert finding["title"].endswith(".")
        assert finding["advice"]


def test_korean_is_spoken_when_asked_for(run, monkeypatch, capsys):
    _, said = coached(monkeypatch, capsys, run, "--lang", "ko")
    assert "참고" in said
    code, said = coached(monkeypatch, capsys, run, "--lang", "fr")
    assert code == 2
    assert "--lang must be one of en, ko" in said


def test_output_fits_eighty_columns(run, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    shorter = run.rename(run.parent / "r")
    _, said = coached(monkeypatch, capsys, shorter)
    assert max(map(len, said.splitlines())) <= 80
    shutil.copytree(shorter, run)


def test_findings_are_kept_in_the_run(run):
    kept = {event["code"] for event in events(run / "events.sqlite", "finding")}
    assert "stop-verdict" in kept


def test_a_test_part_that_is_evaluated_again_is_told(run, monkeypatch, capsys):
    for part in ("validation", "test"):
        monkeypatch.setattr("sys.argv", ["carousel", "evaluate", str(run), "--part", part])
        with pytest.raises(SystemExit):
            main()
    capsys.readouterr()
    _, said = coached(monkeypatch, capsys, run, "--json")
    (told,) = [f for f in json.loads(said)["findings"] if f["code"] == "test-used-again"]
    assert told["numbers"] == {"times": 2, "by": "train, evaluate"}


def test_run_check_and_replay_know_the_same_facts(tmp_path):
    run = train(small_config(), seed=3, threads=1, run_dir=tmp_path / "r", quiet=True)
    replayed, _ = read_run(run.path)
    task = tasks.find("classify")(small_config(), 3)
    torch.manual_seed(3)
    known = facts.of_task(task, task.build_model())
    assert {name: replayed.facts[name] for name in known} == known
    assert set(replayed.facts) - set(known) == {
        "monitor", "higher_is_better", "total_steps", "checks",
    }  # fmt: skip


def test_an_event_is_taken_in_as_it_comes_and_as_it_is_read_back_alike(tmp_path):
    taken = [
        {"kind": "checks", "step": 0, "found": {"split-leak": {"share": 0.5}}},
        {"kind": "facts", "step": 0, "monitor": "accuracy", "higher_is_better": True},
        {"kind": "epoch", "step": 9, "epoch": 1, "validation": {"accuracy": 0.5}},
        {"kind": "finding", "step": 9, "code": "plateau"},
        {"kind": "diverged", "step": 12, "what": "loss", "tensor": "x"},
    ]
    live = Evidence()
    with EventStore(tmp_path / "events.sqlite") as store:
        for event in taken:
            body = {k: v for k, v in event.items() if k not in ("kind", "step")}
            store.event(event["step"], Written(event["kind"], **body))
            live.take(event)
    read = Evidence()
    read_evidence(tmp_path / "events.sqlite", read)
    assert (read.facts, read.monitor, read.higher_is_better) == (
        live.facts,
        live.monitor,
        live.higher_is_better,
    )
    for ours, theirs in zip(live.epochs + live.events, read.epochs + read.events, strict=True):
        assert ours == {k: v for k, v in theirs.items() if k != "time"}
    assert live.facts["checks"] == {"split-leak": {"share": 0.5}}
    assert [event["kind"] for event in live.events] == ["diverged"]
