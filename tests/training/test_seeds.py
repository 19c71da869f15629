"""Several networks of one recipe are one model: each as it is trained alone, answers averaged."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from every_task import SMALL
from small import small_config

import carousel
import carousel.runtime
from carousel import bundle, tasks
from carousel.coach.record import read_run
from carousel.errors import CarouselError, ConfigError
from carousel.sweep.run import plan_of
from carousel.tasks.classify.task import ClassifyTask
from carousel.training import Interrupted, lr_range, resume, train
from carousel.training.memory import fit
from carousel.training.seeds import average_of

FEW = ("data.train_limit=190", "data.validation=40", "training.batch_size=8", "coach.enabled=false")
KEPT = "model/weights.safetensors"


def config_of(*more):
    return small_config(*FEW, "training.epochs=2", "training.seeds=3", *more)


def trained(path, config, seed=4, **how):
    return train(config, seed=seed, threads=1, run_dir=path, quiet=True, **how)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("seeds") / "run", config_of())


def test_a_member_is_the_ordinary_run_of_its_seed_bit_for_bit(tmp_path, run):
    config = config_of("training.seeds=1")
    alone = trained(tmp_path / "alone", config, seed=5, trial=lambda epoch: True)
    assert (alone.path / KEPT).read_bytes() == (run.path / "members/seed-5" / KEPT).read_bytes()


def test_chances_of_the_average_are_the_mean_of_those_of_the_members(run):
    model = carousel.load(run.path)
    members = [carousel.load(run.path / f"members/seed-{n}") for n in (4, 5, 6)]
    images = np.random.default_rng(0).random((5, 28, 28), np.float32)
    by_hand = np.mean([member.predict_proba(images) for member in members], axis=0)
    np.testing.assert_allclose(model.predict_proba(images), by_hand, rtol=1e-5, atol=1e-7)
    assert np.ptp([member.predict_proba(images) for member in members], axis=0).max() > 0.01


def test_the_result_has_the_score_of_each_member_and_of_the_average(run):
    result = json.loads((run.path / "result.json").read_text())
    assert [one["seed"] for one in result["members"]] == [4, 5, 6]
    for one in result["members"]:
        member = carousel.load(run.path / one["run"])
        assert one["test"]["accuracy"] == member.evaluate()["accuracy"]
    model = carousel.load(run.path)
    assert result["test"]["accuracy"] == model.evaluate()["accuracy"]
    assert result["validation"]["accuracy"] == model.evaluate("validation")["accuracy"]
    assert result["validation"].keys() == result["members"][0]["validation"].keys()
    one = sum(p.numel() for p in member.model.parameters())
    assert result["parameters"] == 3 * one
    assert result["cost"]["networks"] == 3
    assert result["baseline"]
    assert "accuracy" in (run.path / "README.md").read_text()
    assert (run.path / "report.html").is_file()


def test_an_export_of_several_networks_is_refused_with_what_to_name(tmp_path, run):
    with pytest.raises(CarouselError, match=r"average of 3 networks.*members/seed-N"):
        carousel.export(run.path, tmp_path / "model.onnx")
    with pytest.raises(CarouselError, match=r"an average of several networks: the runtime without"):
        carousel.runtime.load(run.path)


@pytest.mark.slow
def test_a_run_stopped_in_its_second_network_goes_on_to_the_same_weights(
    tmp_path, monkeypatch, run
):
    left = [60]  # of 48 steps each

    class Stopping(ClassifyTask):
        def loss(self, model, batch, carry=()):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGINT)
            return super().loss(model, batch, carry)

    monkeypatch.setattr("carousel.tasks.classify.task.TASK", Stopping)
    path = tmp_path / "run"
    with pytest.raises(Interrupted) as caught:
        trained(path, config_of())
    assert caught.value.run == path
    assert (path / "members/seed-4/result.json").exists()
    assert not (path / "members/seed-5/result.json").exists()
    assert not (path / "members/seed-6").exists()
    resume(path, quiet=True)
    assert (path / KEPT).read_bytes() == (run.path / KEPT).read_bytes()


def test_training_in_memory_averages_the_same_networks(run):
    fitted = fit(config_of(), seed=4, threads=1)
    saved = carousel.load(run.path).model.state_dict()
    found = fitted.model.model.state_dict()
    assert set(found) == set(saved)
    assert all(torch.equal(found[name], saved[name]) for name in saved)
    assert fitted.validation["accuracy"] == run.result["validation"]["accuracy"]


def numbers_of(name, model, raw):
    """What a network's output means, on a scale on which the average is the mean."""
    if name == "forecast":
        return model.output.forecast(raw, torch.zeros(()))
    if name == "regress":
        return model.target.number(raw)
    if name == "regress_whole":
        targets = model.targets.values()
        return torch.stack([one.number(raw[..., i]) for i, one in enumerate(targets)], -1)
    return raw.softmax(-1)


AVERAGED = ["classify", "classify_text", "label_words", "label_frames", "regress", "regress_whole"]


@pytest.mark.parametrize("name", [*AVERAGED, "forecast"])
def test_every_task_that_averages_saves_loads_and_answers_the_mean(tmp_path, name):
    more = ["forecast.distribution=quantile"] if name == "forecast" else []
    config = SMALL[name](tmp_path).override(["training.seeds=3", *more])
    task = tasks.find(config.task)(config, 0)
    torch.manual_seed(7)
    members = [task.finish(task.build_model().eval()) for _ in range(3)]
    average = average_of(task, members)
    average.save(tmp_path / "bundle")
    loaded = bundle.load(tmp_path / "bundle")
    inputs = average.example_inputs()
    with torch.no_grad():
        raws = [member.model(*inputs) for member in members]
        raw = loaded.model(*inputs)
        assert torch.equal(raw, average.model(*inputs))
    found = numbers_of(name, members[0], raw)
    by_hand = torch.stack([numbers_of(name, members[0], one) for one in raws]).mean(0)
    torch.testing.assert_close(found, by_hand, rtol=1e-5, atol=1e-6)
    assert not torch.equal(raws[0], raws[1])
    assert isinstance(loaded.evaluate("validation"), dict)


@pytest.mark.parametrize("name", [*AVERAGED, "forecast"])
def test_an_average_of_one_network_three_times_is_validated_as_that_network(tmp_path, name):
    task = tasks.find((config := SMALL[name](tmp_path)).task)(config, 0)
    torch.manual_seed(7)
    member = task.finish(task.build_model().eval())
    alone = task.validate(member.model)
    together = task.validate(average_of(task, [member] * 3).model)
    assert alone.keys() == together.keys() == set(task.validation_metrics)
    for metric, value in alone.items():
        assert together[metric] == pytest.approx(value, rel=1e-4), metric


def test_what_is_asked_of_one_network_names_the_members_of_an_average(run):
    with pytest.raises(ConfigError, match="members/seed-4"):
        lr_range.start(str(run.path))
    evidence, lacks = read_run(run.path)
    (said,) = lacks
    assert "the average of 3 networks" in said
    assert not evidence.epochs


def test_seeds_are_refused_where_there_is_one_network_alone(tmp_path):
    several = ["training.seeds=2"]
    text = SMALL["generate"](tmp_path).override(several)
    with pytest.raises(ConfigError, match="'generate' are not averaged"):
        trained(tmp_path / "text", text)
    assert not (tmp_path / "text").exists()
    with pytest.raises(ConfigError, match="a trial of a sweep is one network"):
        trained(tmp_path / "trial", config_of(), trial=lambda epoch: True)
    with pytest.raises(ConfigError, match="a trial is one network"):
        plan_of(config_of(), [], [], sampler="random", pruner="none", seed=0)
