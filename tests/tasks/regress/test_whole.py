"""Numbers of whole recordings: scores and losses by hand, several targets, masks, own files."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from small_measured import measured_config, write_measured
from small_whole import only_area, whole_config, write_whole

import carousel
from carousel import tasks
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.data.proposal import propose
from carousel.data.ragged import Ragged
from carousel.data.whole_targets import WholeRecordings, WholeTargets
from carousel.errors import ConfigError, DataError
from carousel.tasks.regress.task import RegressTask
from carousel.tasks.regress.whole_scores import judge
from carousel.tasks.regress.whole_task import WholeRegressTask
from carousel.tasks.shared.task import Json
from carousel.training import fit, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_whole(tmp_path_factory.mktemp("whole"), count=90, missing=2)


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    return train(whole_config(folder), run_dir=path, threads=1, quiet=True)


def make(config, parts=None):
    return tasks.find("regress")(config, 0, parts)


def parts_of(count=12, targets=2, seed=0):
    """Parts of random recordings; the first target is the mean of the first feature."""
    torch.manual_seed(seed)
    rows = [torch.randn(3 + i % 5, 2, dtype=torch.float64) for i in range(count)]
    numbers = torch.stack([torch.stack((r[:, 0].mean(), 50 * r[-1, 1])) for r in rows])
    part = WholeTargets(tuple(f"r{i}" for i in range(count)), Ragged.of(rows), numbers[:, :targets])
    return WholeRecordings(part, part, part, ["a", "b"][:targets])


def test_metrics_are_those_of_sklearn_for_each_target_and_on_average():
    generator = np.random.default_rng(0)
    truth, guess = generator.normal(size=(2, 9, 3)) * [1, 10, 100]
    truth[[0, 3], [1, 2]] = np.nan
    stds = [1.0, 10.0, 100.0]
    found = judge(torch.tensor(truth), torch.tensor(guess), ["a", "b", "c"], stds)
    squares = ((guess - truth) / stds) ** 2
    assert found["mse_standardised"] == pytest.approx(np.nanmean(squares))
    functions = {"rmse": root_mean_squared_error, "mae": mean_absolute_error, "r2": r2_score}
    for metric, function in functions.items():
        each = []
        for k, name in enumerate("abc"):
            known = ~np.isnan(truth[:, k])
            each.append(function(truth[known, k], guess[known, k]))
            assert found["per_target"][name][metric] == pytest.approx(each[-1])
        assert found[metric] == pytest.approx(np.mean(each))


def test_weighted_metrics_are_those_of_sklearn():
    generator = np.random.default_rng(1)
    truth, guess = generator.normal(size=(2, 9, 1))
    weights = generator.uniform(0.1, 3, 9)
    found = judge(*map(torch.tensor, (truth, guess)), ["a"], [1.0], weights=torch.tensor(weights))
    for metric, function in (("rmse", root_mean_squared_error), ("r2", r2_score)):
        assert found[metric] == pytest.approx(function(truth, guess, sample_weight=weights))


def test_of_a_constant_truth_there_is_no_r2_and_of_none_nothing_to_judge():
    assert set(judge(torch.ones(3, 1), torch.zeros(3, 1), ["a"], [1.0])) == {"rmse", "mae"}
    with pytest.raises(DataError, match="no recording of this part has a number for 'a'"):
        judge(torch.full((3, 1), math.nan), torch.zeros(3, 1), ["a"], [1.0])


def test_the_loss_is_the_mean_over_known_standardised_numbers_and_padding_is_in_none():
    parts = parts_of()
    parts.train.targets[[0, 5, 7], [0, 1, 1]] = math.nan
    task = make(whole_config("", "data.path=''"), parts)
    network = task.build_model().eval()
    values, lengths, numbers = next(task.train_batches(0, 0))
    step = task.loss(network, (values, lengths, numbers))
    truth = parts.train.targets.numpy()
    mean, std = np.nanmean(truth, 0), np.nanstd(truth, 0)
    raw = network(values, lengths).detach().numpy()
    by_hand = np.nanmean((raw - (numbers.numpy() - mean) / std) ** 2)
    assert float(step.objective.detach()) == pytest.approx(by_hand, rel=1e-5)
    assert step.count == int((~numbers.isnan()).sum())
    wider = torch.cat((values, torch.full((len(values), 3, 2), 9.0)), 1)
    again = task.loss(network, (wider, lengths, numbers))
    torch.testing.assert_close(again.objective, step.objective)


def test_a_weight_of_two_counts_as_the_recording_twice():
    parts = parts_of(targets=1)
    doubled = parts.train.take(torch.tensor([*range(12), 3, 4]))
    weights = torch.ones(12, dtype=torch.float64)
    weights[3:5] = 2
    task = make(whole_config("", "data.path=''", "training.batch_size=64"), parts)
    network = task.build_model().eval()
    everything = torch.arange(12)
    values, lengths = task._train.pad(everything)
    weighed = task.loss(network, (values, lengths, weights / weights.mean(), parts.train.targets))
    values, lengths = task._prepare(doubled.values).pad(torch.arange(14))
    twice = task.loss(network, (values, lengths, doubled.targets))
    torch.testing.assert_close(weighed.objective, twice.objective)


def test_recordings_without_any_number_are_in_no_batch_and_are_said():
    parts = parts_of(targets=1)
    parts.train.targets[2] = math.nan
    task = make(whole_config("", "data.path=''"), parts)
    assert sum(len(batch[-1]) for batch in task.train_batches(0, 0)) == 11
    assert "1 recordings to train on have no number" in task.describe(task.build_model())
    with pytest.raises(DataError, match="no recording of the training part has a number for 'b'"):
        WholeRecordings(*[WholeTargets(("x",), Ragged.of([torch.ones(2, 1)]), torch.tensor(
            [[1.0, math.nan]]))] * 3, ["a", "b"])  # fmt: skip


def test_the_run_finds_both_targets_and_reports_each(run):
    result = run.result
    assert result["monitor"] == "mse_standardised"
    assert result["test"]["r2"] > 0.5 > result["baseline"]["mean"]["r2"]
    assert result["baseline"]["linear"]["r2"] > 0.5
    assert result["data"]["sizes"] == {"train": 54, "validation": 18, "test": 18}
    known = {name: counts["area"] for name, counts in result["data"]["targets"].items()}
    assert sum(known.values()) == 88
    assert (run.path / "numbers.png").stat().st_size > 1000
    assert (run.path / "numbers-2.png").stat().st_size > 1000


def test_what_evaluate_says_follows_from_what_predict_says(run, folder):
    model = run.load()
    report = model.evaluate()
    answers = model.predict([folder / f"{row['recording']}.csv" for row in report["numbers"]])
    found = [list(answer.targets.values()) for answer in answers]
    np.testing.assert_allclose(found, [row["found"] for row in report["numbers"]], rtol=1e-5)
    truth = [row["true"][1] for row in report["numbers"]]
    rmse = root_mean_squared_error(truth, [answer.targets["last"] for answer in answers])
    assert report["per_target"]["last"]["rmse"] == pytest.approx(rmse, rel=1e-5)


def test_the_command_answers_with_a_table_or_json(run, folder):
    model = run.load()
    (table,) = respond(model, Request(folder))
    assert (table.columns, len(table.rows)) == (("recording", "area", "last"), 90)
    shown = list(respond(model, Request(folder / "w03.csv", as_json=True)))
    assert isinstance(shown[-1], Json)
    assert set(shown[-1].content[0]["targets"]) == {"area", "last"}
    assert next(iter(model.present(model.evaluate()))).columns[0] == "target"


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_one_number_is_found_with_every_pooling(pooling, tmp_path):
    config = whole_config(only_area(write_whole(tmp_path)), f"model.pooling={pooling}")
    fitted = fit(config, settings=["training.epochs=2"], threads=1)
    assert set(fitted.validation) == {"rmse", "mae", "r2"}
    answer = fitted.model.predict(np.zeros((4, 2)))[0]
    assert answer.targets == {"area": answer.number}
    assert next(iter(fitted.model.present(fitted.model.evaluate()))).columns[0] == "true number"


def test_a_bundle_of_either_kind_is_read_as_what_it_is(run, tmp_path):
    model = carousel.load(run.path)
    x = np.random.default_rng(0).normal(size=(6, 2))
    np.testing.assert_array_equal(model.numbers([x]), run.load().numbers([x]))
    np.testing.assert_allclose(
        model.numbers([x, x[:3]])[1], model.numbers(x[:3])[0], rtol=1e-5
    )  # alone as in a batch
    outputs = model.model(*model.encode([x]))
    assert model.decode(outputs.detach()) == pytest.approx(model.predict([x]))


def test_groups_stand_on_one_side_of_the_split(tmp_path):
    folder = write_whole(tmp_path, groups=("ann", "bob", "cy", "dan", "eve"))
    data = make(whole_config(folder)).parted
    groups = [set(data.part(name).groups) for name in ("train", "validation", "test")]
    assert sum(map(len, groups)) == 5
    assert set.union(*groups) == {"ann", "bob", "cy", "dan", "eve"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: (f / "w01.csv").unlink(), "names 1 files that are not in .*w01.csv"),
        (lambda f: (f / "new.csv").write_text("x,noise\n1,2\n"), "has no row for 1 .*new.csv"),
        (lambda f: (f / "targets.csv").write_text("name,a\n1,1\n"), "must have a column 'file'"),
        (lambda f: (f / "targets.csv").write_text("file,a\nw00.csv,1\n"), "at least 3 recordings"),
        (
            lambda f: (f / "targets.csv").write_text("file,a\n" + "w00.csv,1\n" * 3),
            "names w00.csv more than once",
        ),
        (
            lambda f: (f / "targets.csv").write_text("file,a\nw00.csv,much\nw01.csv,1\n"),
            "much",
        ),
    ],
)
def test_a_table_that_does_not_fit_its_folder_is_refused(change, says, tmp_path):
    folder = write_whole(tmp_path)
    change(folder)
    with pytest.raises(DataError, match=says):
        make(whole_config(folder))


def test_the_kind_follows_from_the_data_and_settings_of_the_other_are_refused(tmp_path):
    whole, steps = write_whole(tmp_path), write_measured(tmp_path)
    assert isinstance(make(whole_config(whole)), WholeRegressTask)
    assert isinstance(make(measured_config(steps)), RegressTask)
    assert isinstance(make(whole_config(whole, "regress.per=sequence")), WholeRegressTask)
    with pytest.raises(ConfigError, match=r"frames\.window has no effect with regress.per"):
        make(whole_config(whole, "frames.window=3"))
    with pytest.raises(ConfigError, match=r"model\.pooling has no effect with regress.per"):
        make(measured_config(steps, "model.pooling=mean"))
    with pytest.raises(ConfigError, match="numbers for each sequence"):
        make(whole_config("", "data.path=''", "regress.per=step"), parts_of())
    with pytest.raises(DataError, match=r"targets\.csv"):
        make(measured_config(steps, "regress.per=sequence", "frames.window=0"))


def test_a_cap_is_of_one_target_and_is_counted(tmp_path):
    with pytest.raises(ConfigError, match=r"regress\.cap is of one number"):
        make(whole_config(write_whole(tmp_path), "regress.cap=3"))
    (tmp_path / "one").mkdir()
    task = make(whole_config(only_area(write_whole(tmp_path / "one")), "regress.cap=10"))
    assert task.account()["capped"] == int((task.data.train.targets > 10).sum()) > 0
    assert "numbers count as regress.cap = 10" in task.describe(task.build_model())


def test_a_column_that_is_the_number_is_said_to_be_a_leak(tmp_path):
    folder = only_area(write_whole(tmp_path))
    rows = dict(line.split(",") for line in (folder / "targets.csv").read_text().splitlines()[1:])
    for name, area in rows.items():
        lines = (folder / name).read_text().splitlines()
        lines = [f"{lines[0]},given", *(f"{line},{float(area) * 2}" for line in lines[1:])]
        (folder / name).write_text("\n".join(lines) + "\n")
    assert [leak["column"] for leak in make(whole_config(folder)).leaks] == ["given"]


def test_samples_and_what_is_said_of_them_are_numbers(folder):
    task = make(whole_config(folder))
    samples, told = task.samples(3), task.answers(task.build_model(), 3)
    assert len(samples) == len(told) == 3
    assert "area" in samples[0].wanted
    assert all(one.wrong >= 0 and "last" in one.found for one in told)


def test_a_table_with_one_number_for_each_sequence_is_trained_as_init_writes_it(tmp_path):
    rows = [f"p{i},{t},{(i * 7 + t * 3) % 11 / 10},{20 + i}" for i in range(24) for t in range(6)]
    (tmp_path / "people.csv").write_text("\n".join(["person,t,x,age", *rows]) + "\n")
    config = propose(tmp_path / "people.csv", target="age").config
    assert (config.task, config.recipe.mapping) == ("regress", "many-to-one")
    assert (config.model.pooling, config.model.bidirectional) == ("mean", True)
    assert fit(config, settings={"training.epochs": 1}, threads=1).validation["rmse"] > 0
