"""A class or a number left in among the inputs is found, and what is none is not."""

import csv

import numpy as np
import pytest
import torch
from small_frames import frames_config, write_recordings
from small_measured import measured_config, write_measured
from small_recordings import recordings_config, write_classes

from carousel import tasks
from carousel.coach.checks import check
from carousel.data.leaks import in_words, of_frames, of_numbers, of_recordings
from carousel.data.ragged import Ragged

MADE = {
    "classify_recordings": (write_classes, recordings_config),
    "label_frames": (write_recordings, frames_config),
    "regress": (write_measured, measured_config),
}


def leaky(name, folder):
    """The files with one column more: the number of the class, or the target in other units."""
    numbers = {"low": 7, "mid": 3, "high": 5, "": 0, "up-down": 1, "down-up": 4}
    for file in sorted(folder.rglob("*.csv")):
        with file.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            label = row.get("label", file.parent.name)
            if name == "regress":
                row["code"] = 9 / 5 * float(label) + 32 if label else 0
            else:
                row["code"] = numbers[label]
        with file.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.mark.parametrize("name", MADE)
def test_the_answer_among_the_inputs_is_said_in_train_in_check_and_in_the_account(name, tmp_path):
    write, config = MADE[name]
    task = tasks.find(name)(config(leaky(name, write(tmp_path))), 0)
    (leak,) = task.account()["leaks"]
    assert leak["column"] == "code"
    assert leak["how"] in ("by value", "scaled")
    model = task.build_model()
    assert "possible leak: the column 'code' alone tells the" in task.describe(model)
    (outcome,) = check(task, model, seconds=1, account=task.account(), only=["target-leak"])
    assert outcome.numbers["severity"] == "severe"
    for language, word in (("en", "'code' alone tells"), ("ko", "열 'code'")):
        assert word in outcome.finding(language, task.config).title


@pytest.mark.parametrize("name", MADE)
def test_data_without_the_answer_are_clean(name, tmp_path):
    write, config = MADE[name]
    task = tasks.find(name)(config(write(tmp_path)), 0)
    assert task.account()["leaks"] == []
    model = task.build_model()
    assert "leak" not in task.describe(model)
    (outcome,) = check(task, model, seconds=1, account=task.account(), only=["target-leak"])
    assert outcome.state == "clean"


def recordings_of(means, steps=20, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    rows = [torch.from_numpy(m + noise * rng.normal(size=(steps, 1))) for m in means]
    return Ragged.of(rows)


def test_noise_on_the_class_is_still_the_class_but_only_a_warning():
    labels = torch.arange(60) % 3
    values = recordings_of(labels.numpy() * 50.0, noise=1.0)
    (leak,) = of_recordings(values, labels, ("x",), 3)
    assert leak["how"] == "by range"


def test_a_feature_whose_mean_differs_by_class_is_a_feature():
    labels = torch.arange(60) % 3
    assert of_recordings(recordings_of(labels.numpy() * 2.0, noise=1.0), labels, ("x",), 3) == []


def test_a_number_of_the_recording_is_no_leak_and_one_of_a_person_of_one_class_is():
    labels = torch.arange(60) % 3
    assert of_recordings(recordings_of(np.arange(60.0)), labels, ("number",), 3) == []
    person = np.array([3 * (i // 12) + i % 3 for i in range(60)], float)
    (leak,) = of_recordings(recordings_of(person), labels, ("person",), 3)
    assert leak["how"] == "by value"


def test_columns_that_say_nothing_are_clean_in_a_thousand_draws():
    found = 0
    for seed in range(250):
        rng = np.random.default_rng(seed)
        labels = torch.from_numpy(rng.integers(0, 2, 8))
        values = Ragged.of(torch.from_numpy(rng.normal(size=(5, 4))) for _ in range(8))
        found += len(of_recordings(values, labels, tuple("abcd"), 2))
    assert found <= 3  # one column in a thousand may stand apart by chance


def test_a_column_of_which_every_value_is_new_tells_nothing():
    labels = torch.from_numpy(np.repeat(np.arange(20) % 2, 50))
    values = Ragged.of([torch.arange(1000.0).unsqueeze(1)])
    assert of_frames(values, labels, ("t",), 2) == []


def test_a_column_that_is_right_most_of_the_time_is_a_feature():
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(np.repeat(rng.integers(0, 3, 100), 10))
    guess = torch.where(torch.from_numpy(rng.random(1000) < 0.1), 0, labels)
    values = Ragged.of([guess.double().unsqueeze(1)])
    assert of_frames(values, labels, ("x",), 3) == []
    exact = Ragged.of([labels.double().unsqueeze(1)])
    assert [leak["how"] for leak in of_frames(exact, labels, ("x",), 3)] == ["by value"]


def test_frames_without_a_label_do_not_count():
    labels = torch.from_numpy(np.repeat(np.arange(20) % 2, 10))
    column = labels.double().unsqueeze(1)
    hidden = torch.where(torch.arange(200) % 3 == 0, -1, labels)
    column[hidden < 0] = 0.5
    assert len(of_frames(Ragged.of([column]), hidden, ("x",), 2)) == 1


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda t: -3 * t + 1e8, "scaled"),
        (lambda t: t**3, "in its order"),
        (lambda t: 1e30 * t, "scaled"),
        (lambda t: t + torch.randn(len(t), generator=torch.manual_seed(0)), None),
        (lambda t: torch.zeros(len(t)), None),
    ],
)
def test_a_number_on_another_scale_or_in_the_same_order_is_the_number(change, how):
    targets = torch.linspace(0, 9, 300).double()
    targets[5] = torch.nan
    values = torch.stack((targets.roll(37).nan_to_num(), change(targets).nan_to_num()), 1)
    found = of_numbers(values, targets, ("other", "x"))
    assert [(leak["column"], leak["how"]) for leak in found] == ([("x", how)] if how else [])


def test_several_are_named_together():
    both = [{"column": c, "tells": "class", "how": "by value"} for c in "ab"]
    assert in_words(both) == "each of the columns 'a', 'b' alone tells the class"
    assert in_words([]) == ""
