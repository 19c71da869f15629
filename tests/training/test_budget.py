"""A training under a budget ends with its time, on a clock that the test turns; its record repeats
it without a clock, bit for bit."""

import json
import os
import signal

import pytest
import torch
from small import small_config

from carousel.errors import ConfigError
from carousel.run.reading import events, series
from carousel.runs.store import Status, Store
from carousel.sweep.run import plan_of
from carousel.tasks.classify.task import ClassifyTask
from carousel.training import Interrupted, resume, train
from carousel.training.memory import fit
from carousel.training.pace import Pace
from carousel.training.timed_pace import fitting

EPOCH = 24  # steps


class Clock:
    """Seconds that pass only where something is said to take them."""

    def __init__(self):
        self.seconds, self.steps, self.validation, self.price = 0.0, 0, 4.0, lambda step: 1.0

    def step(self):
        self.seconds += self.price(self.steps)
        self.steps += 1


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the steps of a training and its validations move."""
    clock = Clock()

    class Priced(ClassifyTask):
        def loss(self, model, batch, carry=()):
            if torch.is_grad_enabled() and model.training:
                clock.step()
            return super().loss(model, batch, carry)

        def validate(self, model):
            clock.seconds += clock.validation
            return super().validate(model)

    monkeypatch.setattr("carousel.tasks.classify.task.TASK", Priced)
    monkeypatch.setattr("carousel.training.clock.now", lambda: clock.seconds)
    return clock


def config_of(budget="100 s", *more):
    quiet = ("coach.enabled=false", "training.patience=0", f"training.budget={budget}")
    few = ("data.train_limit=190", "data.validation=40", "training.batch_size=8")
    return small_config(*quiet, *few, *more)


def trained(path, config):
    go_on = {"trial": lambda epoch: True}  # without baselines and the test part, which are slow
    return train(config, seed=3, threads=1, run_dir=path, quiet=True, **go_on)


def weights(path):
    return (path / "model" / "weights.safetensors").read_bytes()


def rates(path):
    return [value for _, value in series(path / "events.sqlite", "learning_rate")]


def repeated(path, run, *more):
    """The same run by what its result says, without its budget."""
    settings = run.result["budget"]["repeat"]
    return trained(path, config_of("100 s", *more).override(settings))


@pytest.mark.parametrize("schedule", ["one-cycle", "plateau"])
def test_a_budget_is_met_within_a_step_and_the_schedule_ends_with_it(tmp_path, clock, schedule):
    run = trained(tmp_path / "run", config_of("100 s", f"schedule.name={schedule}"))
    # 5 steps and a validation to measure; 3 epochs of 24 + 4 s; 3 steps and a validation.
    assert run.result["steps"] == 3 * EPOCH + 3
    assert run.result["epochs"] == 4
    assert run.result["budget"]["seconds"] == pytest.approx(100, abs=1)
    assert run.result["stop_reason"].startswith("used the 100 s there were: 4 epochs, 75 steps;")
    found = rates(tmp_path / "run")
    assert len(found) == 75
    if schedule == "one-cycle":
        assert found[-1] < 0.01 * max(found)
    (plan,) = events(tmp_path / "run" / "events.sqlite", "planned")
    assert (plan["epochs"], plan["steps"], plan["step_seconds"]) == (4, 75, 1.0)


def test_a_run_under_a_budget_is_repeated_by_its_result_without_a_clock(tmp_path, clock):
    run = trained(tmp_path / "run", config_of())
    clock.price = lambda step: 17.0
    again = repeated(tmp_path / "again", run)
    assert "budget" not in again.result
    assert again.result["steps"] == run.result["steps"]
    assert weights(tmp_path / "again") == weights(tmp_path / "run")


@pytest.mark.parametrize(("price", "fewer"), [(2.0, True), (0.5, False)], ids=["slower", "faster"])
def test_a_machine_of_another_speed_halfway_revises_the_length(tmp_path, clock, price, fewer):
    clock.price = lambda step: 1.0 if step < 40 else price
    run = trained(tmp_path / "run", config_of("200 s"))
    found = run.result["budget"]
    assert (run.result["steps"] < found["planned_steps"]) == fewer
    assert found["seconds"] == pytest.approx(200, abs=2 * price + clock.validation)
    revised = list(events(tmp_path / "run" / "events.sqlite", "revised"))
    assert revised
    assert revised[-1]["steps"] == found["all_steps"] == run.result["steps"]
    found = rates(tmp_path / "run")
    assert found[-1] < 0.05 * max(found), "the schedule ends with the run"
    clock.price = lambda step: 1.0
    again = repeated(tmp_path / "again", run)
    assert rates(tmp_path / "again") == rates(tmp_path / "run")
    assert weights(tmp_path / "again") == weights(tmp_path / "run")
    assert again.result["stop_reason"].startswith(f"ran the {run.result['steps']} steps asked for")
    assert Store(tmp_path).run("again").status == Status.FINISHED


def test_a_machine_that_crawls_stops_within_a_few_steps_of_the_time(tmp_path, clock):
    clock.price = lambda step: 1.0 if step < 100 else 3.0
    run = trained(tmp_path / "run", config_of("200 s"))
    assert run.result["budget"]["seconds"] < 206


@pytest.mark.parametrize("at", [30, pytest.param(48, marks=pytest.mark.slow)])
def test_a_budget_counts_what_was_before_a_resumption_and_keeps_the_plan(
    tmp_path, clock, monkeypatch, at
):
    whole = trained(tmp_path / "whole", config_of())
    clock.seconds = clock.steps = 0
    stops = [at + 5]  # those that were measured come before

    def price(step):
        if stops and step + 1 == stops[0]:
            stops.clear()
            os.kill(os.getpid(), signal.SIGINT)
        return 1.0

    clock.price = price
    with pytest.raises(Interrupted):
        trained(tmp_path / "run", config_of())
    clock.seconds += 1000  # nobody trains meanwhile
    run = resume(tmp_path / "run", quiet=True)
    assert run.result["budget"] == whole.result["budget"]
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")
    assert len(list(events(tmp_path / "run" / "events.sqlite", "planned"))) == 1


def test_early_stopping_ends_a_run_before_its_time(tmp_path, clock):
    settings = ("training.patience=1", "training.min_delta=1")
    run = trained(tmp_path / "run", config_of("300 s", *settings))
    assert run.result["stop_reason"].startswith("stopped early after epoch 2: no better")
    assert run.result["epochs"] == 2
    assert run.result["budget"]["seconds"] < 100


def test_training_in_memory_keeps_a_budget_too(tmp_path, clock):
    run = trained(tmp_path / "run", config_of())
    clock.seconds = clock.steps = 0
    fitted = fit(config_of(), seed=3, threads=1)
    assert fitted.epochs == 4
    assert "used the 100 s there were" in fitted.reason
    saved = run.load().model.state_dict()
    assert all(torch.equal(saved[n], t) for n, t in fitted.model.model.state_dict().items())


def test_settings_in_epochs_are_fitted_to_the_epochs_there_are(tmp_path, clock):
    settings = ("training.epochs=8", "schedule.name=zaremba", "schedule.hold=4")
    more = ("averaging.name=mean", "averaging.start=4")
    run = trained(tmp_path / "run", config_of("100 s", *settings, *more))
    said = run.result["budget"]["repeat"]
    assert {"training.epochs=4", "schedule.hold=2", "averaging.start=2"} <= {*said}
    found = rates(tmp_path / "run")
    assert found[0] == pytest.approx(1e-2)
    assert found[-1] == pytest.approx(1e-2 * 0.5**4), "as far down as in the last of 8 epochs"
    repeated(tmp_path / "again", run, *settings, *more)
    assert rates(tmp_path / "again") == found


def test_a_budget_in_which_not_a_step_fits_is_refused_with_one_that_does(tmp_path, clock):
    with pytest.raises(ConfigError, match=r"'9 s' is too short: .* give it 23 s at least"):
        trained(tmp_path / "run", config_of("9 s"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["training.budget=10"], r"must be a time above 0 in s, min or h.*got '10'"),
        (["training.budget=0 s"], "must be a time above 0"),
        (["training.budget=ten min"], "must be a time above 0"),
        (["training.budget=1 h", "training.max_steps=5"], "both end the training"),
        (["training.budget=1 h", "training.revised=5:9"], "without the clock"),
        (["training.revised=9:5"], "none beyond the length"),
        (["training.revised=5"], "'step:steps step:steps …'"),
    ],
)
def test_budgets_and_revisions_that_mean_nothing_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        small_config(*settings)


def test_a_sweep_refuses_a_budget(tmp_path):
    with pytest.raises(ConfigError, match=r"training\.epochs"):
        plan_of(config_of(), [], [], sampler="random", pruner="none", seed=0)
    over = ["training.budget=1 min,2 min"]
    with pytest.raises(ConfigError, match=r"training\.epochs"):
        plan_of(small_config(), over, [], sampler="random", pruner="none", seed=0)


def test_positions_rise_to_the_end_of_the_schedule_whatever_is_revised():
    pace = Pace(1000, revisions=[(100, 700), (300, 900), (850, 851)])
    found = [pace.position(step) for step in range(852)]
    assert found[:101] == list(range(101))
    assert found == sorted(found)
    assert found[851] == 1000
    assert Pace(1000, revisions=[(400, 400)]).position(400) == 400
    assert [Pace(77).position(step) for step in range(78)] == list(range(78))


def test_no_step_is_thought_to_fit_beyond_the_time_that_is_left():
    for left in (0.0, 5.0, 30.0, 77.3, 1000.0):
        for batch in range(7):
            steps = fitting(left, 1.5, 4.0, batch, 7)
            ends = -(-(batch + steps) // 7) if steps else 0
            assert steps * 1.5 + ends * 4.0 <= left
            assert (steps + 1) * 1.5 + -(-(batch + steps + 1) // 7) * 4.0 > left


def test_a_checkpoint_of_a_run_without_a_budget_has_nothing_of_one(tmp_path):
    path = tmp_path / "run"
    trained(path, config_of("1 h", "training.budget=''", "training.epochs=1"))
    (state, *_) = sorted((path / "checkpoints").glob("*/state.json"))[-1:]
    assert "pace" not in json.loads(state.read_text())
