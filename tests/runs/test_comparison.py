"""Which settings are better: groups by settings, spread by seeds, no more said than is known."""

import json
import math
import statistics

import numpy as np
import pytest
from made_runs import make_run
from scipy import stats

from carousel.errors import RunError
from carousel.runs.comparison import compare, read
from carousel.runs.verdict import Verdict, welch


def made(path, *settings, seed=0, validation=0.9, test=0.8, finished=True):
    """A run of one seed with those accuracies."""
    make_run(path, *settings, seed=seed, best=validation, finished=finished)
    if finished:
        result = json.loads((path / "result.json").read_text())
        result |= {"seed": seed, "test": {"accuracy": test, "loss": 1 - test}}
        (path / "result.json").write_text(json.dumps(result))
    return path


def several(folder, *settings, validation, first_seed=0):
    """A run of each of those accuracies, a seed each."""
    name = "-".join(settings) or "plain"
    return [
        made(folder / f"{name}-{seed}", *settings, seed=seed, validation=value, test=value - 0.1)
        for seed, value in enumerate(validation, first_seed)
    ]


def test_runs_that_differ_in_their_seed_alone_form_a_group(tmp_path):
    runs = several(tmp_path, validation=[0.9, 0.92, 0.91])
    runs += several(tmp_path, "model.cell=gru", validation=[0.95, 0.94])
    found = compare(read(runs))
    assert [len(group.runs) for group in found.groups] == [3, 2]
    assert [group.settings for group in found.groups] == [
        {"model.cell": "lstm"},
        {"model.cell": "gru"},
    ]
    spread = found.groups[0].validation["accuracy"]
    assert (spread.mean, spread.std) == pytest.approx((0.91, statistics.stdev([0.9, 0.92, 0.91])))
    assert found.groups[1].test["accuracy"].mean == pytest.approx(0.845)


def test_how_a_run_was_named_and_watched_makes_no_group(tmp_path):
    runs = [
        made(tmp_path / "a", "coach.enabled=true"),
        made(tmp_path / "b", "coach.enabled=false", "training.checkpoint_seconds=7", seed=1),
    ]
    assert len(compare(read(runs)).groups) == 1


def test_a_setting_that_an_older_version_did_not_write_has_its_default(tmp_path):
    runs = several(tmp_path, validation=[0.9, 0.8])
    config = runs[1] / "config.toml"
    config.write_text(config.read_text().replace("\npeephole = false", ""))
    assert len(compare(read(runs)).groups) == 1


def test_the_interval_is_welchs_by_its_formula(tmp_path):
    here, there = [0.95, 0.93, 0.96, 0.945], [0.9, 0.92, 0.85]
    runs = several(tmp_path, validation=there)
    runs += several(tmp_path, "model.cell=gru", validation=here)
    (verdict, *_) = compare(read(runs)).verdicts
    assert (verdict.metric, verdict.part, verdict.group) == ("accuracy", "validation", "B")
    a, b = (statistics.variance(values) / len(values) for values in (here, there))
    freedom = (a + b) ** 2 / (a**2 / (len(here) - 1) + b**2 / (len(there) - 1))
    half = stats.t.ppf(0.975, freedom) * math.sqrt(a + b)
    difference = statistics.fmean(here) - statistics.fmean(there)
    assert verdict.difference == pytest.approx(difference)
    assert verdict.interval == pytest.approx((difference - half, difference + half))


def test_many_comparisons_make_each_interval_wider(tmp_path):
    runs = several(tmp_path, validation=[0.9, 0.91])
    runs += several(tmp_path, "model.cell=gru", validation=[0.93, 0.94])
    one = compare(read(runs)).verdicts[0].interval
    runs += several(tmp_path, "model.cell=rnn", validation=[0.8, 0.82])
    two = compare(read(runs)).verdicts[0].interval
    ratio = stats.t.ppf(1 - 0.05 / 4, 2) / stats.t.ppf(1 - 0.05 / 2, 2)
    assert (two[1] - two[0]) / (one[1] - one[0]) == pytest.approx(ratio)


def test_seeds_of_one_setting_are_seldom_called_a_difference():
    """Of groups from one distribution, 5 in 100 may be: the interval holds what it says."""
    draws = np.random.default_rng(0).normal(0.9, 0.01, (2000, 2, 3))
    wrong = sum(
        not low <= 0 <= high
        for low, high in (welch(here.tolist(), there.tolist(), 0.95) for here, there in draws)
    )
    assert 0.02 < wrong / len(draws) < 0.06


def test_a_single_run_gives_a_difference_and_no_judgement(tmp_path):
    runs = [made(tmp_path / "a"), made(tmp_path / "b", "model.cell=gru", validation=0.95)]
    verdict = compare(read(runs)).verdicts[0]
    assert verdict.interval is None
    assert verdict.is_larger_than_spread is None
    assert verdict.difference == pytest.approx(0.05)
    assert "does not say how much seeds matter" in str(verdict)


def test_seeds_that_all_agree_leave_no_doubt(tmp_path):
    runs = several(tmp_path, validation=[0.9, 0.9])
    runs += several(tmp_path, "model.cell=gru", validation=[0.95, 0.95])
    verdict = compare(read(runs)).verdicts[0]
    assert verdict.interval == pytest.approx((0.05, 0.05))
    assert verdict.is_larger_than_spread


@pytest.mark.parametrize(
    ("metric", "difference", "word"),
    [
        ("loss", -0.1, "better"),
        ("loss", 0.1, "worse"),
        ("accuracy", 0.1, "better"),
        ("x", 1, "other"),
    ],
)
def test_the_sentence_knows_which_way_is_better(metric, difference, word):
    verdict = Verdict(metric, "validation", "B", "A", difference, (-1.0, 1.0), (3, 3))
    assert f"B is {word} than A" in str(verdict)
    assert str(verdict).endswith("no more than seeds explain.")


def test_the_same_seed_again_counts_once_and_the_whole_run_of_the_two(tmp_path):
    runs = [
        made(tmp_path / "part", seed=4, finished=False),
        made(tmp_path / "whole", seed=4),
        made(tmp_path / "other", seed=5),
    ]
    found = compare(read(runs))
    assert [run.path.name for run in found.groups[0].runs] == ["whole", "other"]
    assert any("part" in note and "seed" in note for note in found.notes)


def test_a_damaged_run_is_left_out_and_said(tmp_path):
    runs = several(tmp_path, validation=[0.9, 0.91, 0.92])
    (runs[1] / "events.sqlite").write_bytes(b"not a database " * 100)
    found = compare(read(runs))
    assert len(found.groups[0].runs) == 2
    assert any(str(runs[1]) in note for note in found.notes)


def test_a_run_that_goes_on_is_judged_by_its_epochs_and_has_no_test(tmp_path):
    runs = [made(tmp_path / "a"), made(tmp_path / "b", seed=1, finished=False)]
    (group,) = (found := compare(read(runs))).groups
    assert len(group.validation["accuracy"].values) == 2
    assert len(group.test["accuracy"].values) == 1
    assert any("not finished" in note for note in found.notes)


def test_other_data_are_said(tmp_path):
    runs = [made(tmp_path / "a"), made(tmp_path / "b", "data.train_limit=77")]
    assert any("data.train_limit" in note for note in compare(read(runs)).notes)


def test_a_folder_stands_for_the_runs_in_it_and_each_run_counts_once(tmp_path):
    several(tmp_path / "all", validation=[0.9, 0.91])
    found = read([tmp_path / "all", tmp_path / "all" / "plain-0"])
    assert [run.path.name for run in found] == ["plain-0", "plain-1"]


def test_what_cannot_be_compared_is_refused_with_the_reason(tmp_path):
    with pytest.raises(RunError, match="two runs or more"):
        compare(read([made(tmp_path / "a")]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="neither a run folder nor a folder of runs"):
        read([tmp_path / "empty"])
    other = made(tmp_path / "b", "model.cell=gru")
    result = json.loads((other / "result.json").read_text())
    (other / "result.json").write_text(json.dumps(result | {"test": {"bleu": 3.0}}))
    found = compare(read([tmp_path / "a", other]))
    assert {part for part, _ in found.metrics} == {"validation"}


def test_the_verb_prints_draws_and_gives_json(carousel, tmp_path):
    runs = several(tmp_path, validation=[0.9, 0.905, 0.91])
    runs += several(tmp_path, "model.cell=gru", validation=[0.99, 0.985, 0.98])
    picture = tmp_path / "new" / "curves.png"
    code, out, err = carousel("compare", *runs, "--out", picture)
    assert (code, err) == (0, "")
    assert "validation accuracy: B is better than A, +8.00 points" in out
    assert "more than seeds explain" in out
    assert picture.read_bytes().startswith(b"\x89PNG")
    code, out, _ = carousel("compare", *runs, "--out", picture, "--json")
    said = json.loads(out)
    assert said["groups"][1]["settings"] == {"model.cell": "gru"}
    assert said["verdicts"][0]["is_better"] is True
    code, _, err = carousel("compare", *runs, "--metric", "bleu", "--out", picture)
    assert (code, err.count("\n")) == (2, 1)
    assert "accuracy" in err
