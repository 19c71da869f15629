"""The coach of a run never touches it: the same bits with and without; failures stay its own."""

import pytest
import torch
from safetensors.torch import load_file
from small import small_config

from carousel.coach.monitor import diagnose
from carousel.coach.observer import Observer
from carousel.coach.record import read_run
from carousel.run.reading import events, series
from carousel.tasks.classify.task import ClassifySubject, ClassifyTask
from carousel.training import resume, train

OFTEN = "coach.budget=10"


def weights(path):
    return load_file(path / "model" / "weights.safetensors")


def same(a, b):
    assert a.keys() == b.keys()
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["model.cell=gru", "regularization.variational=0.2", "model.num_layers=2"],
        ["regularization.zoneout=0.1", "averaging.name=ema"],
    ],
)
def test_weights_are_the_same_bits_with_the_coach_and_without(tmp_path, settings):
    runs = [
        train(small_config(*settings, switch), seed=3, threads=1, run_dir=tmp_path / n, quiet=True)
        for n, switch in (("on", OFTEN), ("off", "coach.enabled=false"))
    ]
    assert same(*(weights(run.path) for run in runs))
    assert runs[0].result["test"] == runs[1].result["test"]
    looked = series(runs[0].path / "events.sqlite", "gate/recurrent.l0/z/low") or series(
        runs[0].path / "events.sqlite", "gate/recurrent.l0/f/low"
    )
    assert len(looked) > 3
    assert not series(runs[1].path / "events.sqlite", "coach/share")


@pytest.mark.slow
def test_the_share_of_time_is_that_of_the_whole_run_so_far(tmp_path):
    """Early looks are paid in advance: their share says nothing of the run."""
    run = train(small_config(), seed=3, threads=1, run_dir=tmp_path / "r", quiet=True)
    told = dict(series(run.path / "events.sqlite", "coach/share"))
    ends = {event["step"] for event in events(run.path / "events.sqlite", "epoch")}
    assert ends
    assert ends <= set(told)


@pytest.mark.slow
def test_signals_of_every_kind_are_recorded(tmp_path):
    run = train(small_config(OFTEN), seed=3, threads=1, run_dir=tmp_path / "r", quiet=True)
    store = run.path / "events.sqlite"
    for name in (
        "gradient_norm_after",
        "update_ratio/recurrent.weight_ih_l0/g",
        "gradient_norm/recurrent.weight_hh_l0/o",
        "spectral_radius/recurrent.weight_hh_l0/f",
        "lag/recurrent.l0/ratio",
        "state/recurrent.l0/norm",
        "output/top_share",
        "coach/share",
    ):
        assert series(store, name), name
    assert {event["block"] for event in events(store, "histogram")} >= {"head.weight"}
    (profiles, *_) = events(store, "profiles")
    assert any(profile["axis"] == "lag" for profile in profiles["profiles"])


@pytest.mark.slow
def test_blocks_sum_to_the_norm_of_the_whole_gradient(tmp_path):
    run = train(small_config(OFTEN), seed=3, threads=1, run_dir=tmp_path / "r", quiet=True)
    store = run.path / "events.sqlite"
    parts = {}
    for gate in "ifgo":
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            for step, value in series(store, f"gradient_norm/recurrent.{name}_l0/{gate}"):
                parts[step] = parts.get(step, 0.0) + value**2
    for name in ("weight", "bias"):
        for step, value in series(store, f"gradient_norm/head.{name}"):
            parts[step] += value**2
    whole = dict(series(store, "gradient_norm"))
    assert parts
    for step, squares in parts.items():
        assert squares**0.5 == pytest.approx(whole[step], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["updates", "inside", "spectrum"])
def test_a_measurement_that_fails_is_given_up_and_told(tmp_path, monkeypatch, kind):
    measure = Observer._measure

    def broken(self, what, step, clip_scale):
        if what == kind:
            raise RuntimeError("out of luck")
        return measure(self, what, step, clip_scale)

    monkeypatch.setattr(Observer, "_measure", broken)
    run = train(small_config(OFTEN), seed=3, threads=1, run_dir=tmp_path / "r", quiet=True)
    told = [e for e in events(run.path / "events.sqlite", "finding") if e["code"] == "rule-failed"]
    assert [event["numbers"]["rule"] for event in told] == [kind]
    assert "out of luck" in told[0]["title"]


@pytest.mark.slow
def test_data_that_cannot_be_looked_at_stop_nothing(tmp_path, monkeypatch):
    def broken(self):
        raise RuntimeError("no targets here")

    monkeypatch.setattr(ClassifySubject, "targets", broken)
    run = train(small_config(OFTEN), seed=3, threads=1, run_dir=tmp_path / "r", quiet=True)
    told = [e["code"] for e in events(run.path / "events.sqlite", "finding")]
    assert "rule-failed" in told
    assert run.result["epochs"] == 4


@pytest.mark.slow
def test_new_findings_are_shown_as_they_come(tmp_path, capsys):
    settings = ["optimizer.learning_rate=5", "schedule.name=constant", "optimizer.clip_norm=0"]
    train(small_config(*settings), seed=3, threads=1, run_dir=tmp_path / "r")
    said = capsys.readouterr().err
    assert "coach: warning: A learning rate of 5" in said


@pytest.mark.slow
def test_facts_survive_a_resume(tmp_path):
    from carousel.training import Interrupted
    from carousel.training.loop import Trainer

    steps = Trainer._step

    def stopped(self, batch):
        self._stop.made = self.progress.step == 30
        return steps(self, batch)

    Trainer._step = stopped
    try:
        with pytest.raises(Interrupted):
            train(small_config(), seed=3, threads=1, run_dir=tmp_path / "r", quiet=True)
    finally:
        Trainer._step = steps
    run = resume(tmp_path / "r", quiet=True)
    assert len(list(events(run.path / "events.sqlite", "facts"))) == 1
    assert set(run.result["coach"]) == {"severe", "warning", "share_of_time"}


@pytest.mark.slow
def test_a_run_begins_with_the_cheap_checks_and_tells_what_they_found(tmp_path, monkeypatch):
    right = ClassifyTask.build_model

    def sure(self):
        model = right(self)
        with torch.no_grad():
            model.head.weight.mul_(100)
        return model

    monkeypatch.setattr(ClassifyTask, "build_model", sure)
    short = ("training.epochs=1", "coach.check=true")
    run = train(small_config(*short), seed=3, threads=1, run_dir=tmp_path / "on", quiet=True)
    store = run.path / "events.sqlite"
    (checked,) = events(store, "checks")
    assert list(checked["found"]) == ["loss-at-start"]
    assert "loss-at-start" in [finding["code"] for finding in events(store, "finding")]
    evidence, _ = read_run(run.path, "ko")
    standing = diagnose(evidence, language="ko").standing
    assert standing["loss-at-start"].numbers["loss"] > 3
    short = ("training.epochs=1", "coach.check=false")
    run = train(small_config(*short), seed=3, threads=1, run_dir=tmp_path / "off", quiet=True)
    assert not list(events(run.path / "events.sqlite", "checks"))
