"""Numbers at every step: losses and scores by hand, masks, what a trained one says."""

import math

import numpy as np
import pytest
import torch
from small_measured import measured_config, write_measured

import carousel
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.config import RegressConfig
from carousel.data.ragged import Ragged
from carousel.data.regular import filled_in_words
from carousel.errors import ConfigError, DataError
from carousel.tasks.regress.scores import errors
from carousel.tasks.regress.target import Target
from carousel.tasks.regress.task import RegressTask, _last_steps
from carousel.tasks.shared.task import Json, Notice
from carousel.training import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_measured(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    return train(measured_config(folder), run_dir=path, threads=1, quiet=True)


@pytest.fixture(scope="module")
def model(run):
    return run.load()


def test_scores_of_a_case_worked_by_hand():
    truth, guess = torch.tensor([10.0, 200.0, 50.0]), torch.tensor([20.0, 120.0, 50.0])
    found = errors(truth, guess, cap=125.0)
    assert found["mae"] == 30.0
    assert found["rmse"] == pytest.approx(math.sqrt((100 + 6400) / 3))
    assert found["rmse_capped"] == pytest.approx(math.sqrt((100 + 25) / 3))
    assert found["phm_score"] == pytest.approx(math.exp(1) - 1 + math.exp(80 / 13) - 1)
    assert set(errors(truth, guess)) == {"mae", "rmse"}


def test_standardised_targets_come_back_and_the_cap_holds():
    target = Target.fit(torch.tensor([0.0, 100.0, 300.0]), RegressConfig(cap=200.0))
    assert target.mean == 100.0
    numbers = torch.tensor([50.0, 400.0])
    raw = (torch.tensor([50.0, 200.0]) - target.mean) / target.std
    torch.testing.assert_close(target.number(raw), torch.tensor([50.0, 200.0]).double())
    torch.testing.assert_close(target.losses(raw, numbers), torch.zeros(2))
    assert not target.sigmoid


def test_numbers_in_the_unit_interval_get_a_sigmoid_and_cross_entropy():
    bounded = torch.tensor([0.0, 0.25, 1.0])
    target = Target.fit(bounded, RegressConfig())
    assert target.sigmoid
    raw = torch.tensor([-1.0, 0.3, 2.0])
    p = raw.sigmoid()
    by_hand = -(bounded * p.log() + (1 - bounded) * (1 - p).log())
    torch.testing.assert_close(target.losses(raw, bounded), by_hand)
    torch.testing.assert_close(target.number(raw), p.double())
    assert not Target.fit(bounded, RegressConfig(output="identity")).sigmoid
    with pytest.raises(DataError, match=r"needs numbers in \[0, 1\]; these lie between 0 and 2"):
        Target.fit(2 * bounded, RegressConfig(output="sigmoid"))
    assert Target.fit(torch.full((4,), 7.0), RegressConfig()).std == 1.0


def test_steps_without_a_number_and_padding_are_in_no_loss(folder):
    task = RegressTask(measured_config(folder), seed=0)
    network = task.build_model().eval()
    values, lengths, numbers = next(task.train_batches(0, 0))
    step = task.loss(network, (values, lengths, numbers))
    assert step.count == int((~numbers.isnan()).sum()) < numbers.numel()
    longer = torch.cat((values, torch.full((len(values), 4, 2), 9.0)), 1)
    padded = torch.nn.functional.pad(numbers, (0, 4), value=torch.nan)
    again = task.loss(network, (longer, lengths, padded))
    torch.testing.assert_close(again.objective, step.objective)
    assert torch.isfinite(again.objective)


def test_the_last_steps_are_those_of_the_recording_itself():
    values = Ragged.of([torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[7.0], [8.0]])])
    wanted = torch.tensor([True, False, True, True, True])
    rows = _last_steps(values, wanted, 3)
    assert rows.tolist() == [[1, 1, 1], [1, 2, 3], [7, 7, 7], [7, 7, 8]]


def test_the_run_beats_the_mean_and_reports_its_parts(run):
    result = run.result
    assert result["monitor"] == "rmse"
    assert result["test"]["rmse"] < 0.5 * result["baseline"]["mean"]["rmse"]
    # the rule is linear in the last steps
    assert result["baseline"]["linear"]["rmse"] < 0.1 * result["baseline"]["mean"]["rmse"]
    assert result["data"]["steps"] == {"train": 360, "validation": 120, "test": 120}
    assert (run.path / "numbers.png").stat().st_size > 1000


def test_numbers_of_a_recording(run, model, folder):
    table = np.genfromtxt(folder / "m0.csv", delimiter=",", skip_header=1, usecols=(0, 1))
    numbers = model.numbers(table)
    assert model.predict(table)[0].numbers == tuple(numbers)
    wanted = 10 + (table[2:, 0] + table[1:-1, 0] + table[:-2, 0]) / 3
    assert np.abs(numbers[2:] - wanted).mean() < 0.5
    np.testing.assert_array_equal(carousel.load(run.path).numbers(table), numbers)


def test_the_command_answers_with_a_table_or_json(model, folder, tmp_path):
    (table,) = respond(model, Request(folder / "m0.csv"))
    assert [row[0] for row in table.rows][::11] == ["0", "59"]
    (answer,) = respond(model, Request(folder / "m0.csv", as_json=True))
    assert isinstance(answer, Json)
    assert len(answer.content["numbers"]) == 60
    (tmp_path / "x.csv").write_text("x,noise\n1,0\n,0\n")
    notice, _ = respond(model, Request(tmp_path / "x.csv"))
    assert notice == Notice(filled_in_words(1))


def test_what_is_no_recording_is_refused(model, folder):
    with pytest.raises(DataError, match=r"shape \(steps, 2\)"):
        model.predict(np.zeros((5, 3)))
    with pytest.raises(DataError, match="NaN or infinity"):
        model.predict(np.full((5, 2), np.inf))
    with pytest.raises(ConfigError, match="name the recording"):
        list(respond(model, Request()))
    for setting in (
        "data.view=pixels",
        "text.level=character",
        "forecast.horizon=3",
        "model.adaptive_softmax=9",
    ):
        with pytest.raises(ConfigError, match="has no effect in the task 'regress'"):
            RegressTask(measured_config(folder, setting), seed=0)


@pytest.fixture(scope="module")
def far_run(tmp_path_factory):
    """The same recordings with inputs and targets a hundred million further up."""
    folder = write_measured(tmp_path_factory.mktemp("far"))
    for file in folder.iterdir():
        rows = [line.split(",") for line in file.read_text().splitlines()]
        for row in rows[1:]:
            row[0] = f"{float(row[0]) + 1e8:.4f}"
            row[2] = f"{float(row[2]) + 1e8:.4f}" if row[2] else ""
        file.write_text("\n".join(",".join(row) for row in rows) + "\n")
    path = tmp_path_factory.mktemp("run") / "run"
    return folder, train(measured_config(folder), run_dir=path, threads=1, quiet=True)


def test_a_target_far_from_zero_is_learnt_judged_and_said_as_one_near_it(run, far_run):
    folder, far = far_run
    assert far.result["test"]["rmse"] == pytest.approx(run.result["test"]["rmse"], rel=0.05)
    for name, scores in run.result["baseline"].items():
        assert far.result["baseline"][name] == pytest.approx(scores, rel=1e-2)
    file = sorted(folder.iterdir())[0]
    assert far.load().numbers(file).dtype == np.float64
    (table,) = respond(far.load(), Request(file))
    assert len({number for _, number in table.rows}) > len(table.rows) / 2


def test_a_constant_target_far_from_zero_is_no_deviation():
    assert Target.fit(torch.full((7,), 1e8 + 0.1).double(), RegressConfig()).std == 1.0


def test_numbers_beyond_the_cap_are_counted_and_said_and_a_cap_below_all_is_refused(folder):
    task = RegressTask(measured_config(folder, "regress.cap=10"), 0)
    beyond = int((task.data.train.targets > 10).sum())
    assert task.account()["capped"] == beyond > 0
    said = task.describe(task.build_model())
    assert "of the numbers to train on count as regress.cap = 10" in said
    free = RegressTask(measured_config(folder), 0)
    assert "count as" not in free.describe(free.build_model())
    with pytest.raises(DataError, match=r"regress\.cap = 1 makes all numbers the same"):
        RegressTask(measured_config(folder, "regress.cap=1"), 0)
