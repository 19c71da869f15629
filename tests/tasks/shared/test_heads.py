"""Several labels at once, and classes that rank: losses and metrics against scikit-learn, and the
whole way from a table to answers in a file."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from sklearn import metrics as reference

from carousel import bundle, tasks
from carousel.config import Config, LossConfig
from carousel.data.parts import NAMES
from carousel.data.proposal import propose
from carousel.errors import ConfigError, DataError
from carousel.tasks.shared import label_metrics, metrics
from carousel.tasks.shared.heads import LabelSet, head_of
from carousel.training import fit

QUICK = {
    "model.hidden_size": 8,
    "training.epochs": 12,
    "training.batch_size": 8,
    "optimizer.learning_rate": 0.02,
}
GENRES = {"drama": "tears", "war": "tank", "comedy": "joke"}


def config_of(task, path, columns, **sections):
    values = {"task": task, "data": {"path": str(path)}, "columns": columns, **sections}
    return Config.from_dict(values).override(QUICK)


def parts_of(config):
    return tasks.find(config.task)(config, 0).parted


def films(count=150):
    """Sentences whose labels follow from words in them; some have none."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(count):
        labels = [name for name in GENRES if rng.random() < 0.4]
        words = [GENRES[name] for name in labels] + ["the", "film", *rng.choice(["a", "b"], 2)]
        rng.shuffle(words)
        flags = [name in labels for name in GENRES]
        rows.append((" ".join(words), ";".join(labels), *flags))
    return pl.DataFrame(rows, schema=["plot", "genres", *GENRES], orient="row")


def walks(count=120):
    """Sequences: whether they lie above 0, whether they vary much, and their level from 1 to 12."""
    rng = np.random.default_rng(1)
    rows = []
    for i in range(count):
        level, wide = float(rng.normal()), bool(rng.random() < 0.5)
        for t in range(int(rng.integers(4, 7))):
            x = level + (1.5 if wide else 0.05) * (-1) ** t
            rows.append((f"s{i}", t, x, level > 0, wide, 2 + 3 * round(max(-1, min(1, level)))))
    names = ["unit", "at", "x", "high", "wide", "stars"]
    return pl.DataFrame(rows, schema=names, orient="row")


def written(frame, path):
    frame.write_csv(path)
    return path


def test_metrics_of_several_labels_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth = (rng.random((80, 4)) < 0.3).astype(np.float32)
    truth[:, 3] = 0  # a label that stands nowhere
    logits = rng.normal(size=(80, 4)).astype(np.float32)
    guess = (logits > 0).astype(int)
    report = label_metrics.report(torch.from_numpy(truth), torch.from_numpy(logits), "abcd")
    for average in ("micro", "macro"):
        wanted = reference.f1_score(truth, guess, average=average, zero_division=0.0)
        assert report[f"{average}_f1"] == pytest.approx(wanted)
    assert report["subset_accuracy"] == pytest.approx(reference.accuracy_score(truth, guess))
    chances = 1 / (1 + np.exp(-logits.astype(float)))
    losses = [reference.log_loss(truth[:, k], chances[:, k], labels=[0, 1]) for k in range(4)]
    assert report["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        truth, guess, zero_division=0.0
    )
    for k, name in enumerate("abcd"):
        found = report["per_class"][name]
        wanted = {
            "precision": precision[k],
            "recall": recall[k],
            "f1": f1[k],
            "support": support[k],
        }
        assert found == pytest.approx(wanted)
    for name in ("micro_f1", "macro_f1", "subset_accuracy"):
        low, high = report["interval"][name]
        assert low < report[name] < high
    assert label_metrics.scores(truth, guess) == {
        name: report[name] for name in ("micro_f1", "macro_f1", "subset_accuracy")
    }


def test_metrics_of_ranks_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.integers(5, size=200)
    guess = np.clip(truth + rng.integers(-2, 3, size=200), 0, 4)
    found = metrics.of_ranks(truth, guess, 5)
    wanted = reference.cohen_kappa_score(truth, guess, weights="quadratic")
    assert found["quadratic_kappa"] == pytest.approx(wanted)
    assert found["rank_mae"] == pytest.approx(reference.mean_absolute_error(truth, guess))
    assert metrics.of_ranks(truth * 0, truth * 0, 5) == {"rank_mae": 0.0, "quadratic_kappa": 0.0}


def test_the_loss_of_several_labels_weighs_labels_and_rows():
    torch.manual_seed(0)
    head, plain = head_of("abc", several=True, ordinal=False), LossConfig()
    logits, truth = torch.randn(6, 3), torch.tensor([[1.0, 0, 0]] * 2 + [[0, 0, 1.0]] * 4)
    chances = logits.double().sigmoid().numpy()
    each = -(np.log(chances) * truth.numpy() + np.log(1 - chances) * (1 - truth.numpy()))
    objective, sums = head.loss(logits, truth, plain, None)
    assert float(objective) == pytest.approx(each.mean(), rel=1e-5)
    assert float(sums["loss"]) == pytest.approx(each.mean(1).sum(), rel=1e-5)
    rows = torch.tensor([0.0, 2, 1, 1, 1, 1])
    objective, sums = head.loss(logits, truth, plain, None, rows)
    assert float(objective) == pytest.approx((each.mean(1) * rows.numpy()).mean(), rel=1e-5)
    balanced = LossConfig(class_weights="balanced")
    weights = head.weights(truth, balanced)
    assert weights.tolist() == [2.0, 6.0, 0.5]
    objective, sums = head.loss(logits, truth, balanced, weights)
    heavy = np.where(truth.numpy() > 0, each * weights.numpy(), each)
    assert float(objective) == pytest.approx(heavy.mean(), rel=1e-5)
    assert float(sums["loss"]) == pytest.approx(each.mean(1).sum(), rel=1e-5)
    with pytest.raises(ConfigError, match="of one rank for each"):
        head_of("abc", several=True, ordinal=True)


def test_labels_in_a_cell_and_in_columns_are_the_same_labels(tmp_path):
    path = written(films(), tmp_path / "a.csv")
    flags = {"text": "plot", "target": "comedy, drama, war", "ignore": "genres"}
    cells = {"text": "plot", "target": "genres", "separator": ";", "ignore": "drama, war, comedy"}
    one, other = (parts_of(config_of("classify_text", path, roles)) for roles in (flags, cells))
    assert one.classes == other.classes == ("comedy", "drama", "war")
    assert one.several
    for name in NAMES:
        assert one.part(name).texts == other.part(name).texts
        assert torch.equal(one.part(name).labels, other.part(name).labels)
    empty = int((films()["genres"] == "").sum())
    assert f"{empty} cells of 'genres' are empty: they have none of the labels" in other.read_as


def test_rows_that_lack_a_label_are_left_out_and_what_is_no_label_is_told(tmp_path):
    frame = films().with_columns(war=pl.when(pl.arange(150) > 4).then(pl.col("war").cast(int)))
    roles = {"text": "plot", "target": "comedy, war", "ignore": "genres, drama"}
    data = parts_of(config_of("classify_text", written(frame, tmp_path / "a.csv"), roles))
    assert "5 rows lack a label and are left out" in data.read_as
    assert sum(len(data.part(name)) for name in NAMES) == 145
    odd = frame.with_columns(war=pl.arange(150))
    with pytest.raises(DataError, match=r"each 0 or 1 .*'war' has 2 in row 4"):
        parts_of(config_of("classify_text", written(odd, tmp_path / "b.csv"), roles))


CASES = {
    "classify_text": (films, {"text": "plot", "target": "genres", "separator": ";",
                              "ignore": "drama, war, comedy"}),
    "classify_recordings": (walks, {"id": "unit", "time": "at", "target": "high, wide",
                                    "ignore": "stars"}),
}  # fmt: skip


@pytest.mark.parametrize("task", CASES)
def test_several_labels_are_learnt_judged_and_answered_in_a_file(task, tmp_path, carousel):
    frame, roles = CASES[task][0](), CASES[task][1]
    path = written(frame, tmp_path / "a.csv")
    fitted = fit(config_of(task, path, roles), threads=1)
    assert set(fitted.validation) == {"micro_f1", "macro_f1", "subset_accuracy", "loss"}
    fitted.model.save(tmp_path / "model")
    model = bundle.load(tmp_path / "model")
    assert isinstance(model.head, LabelSet)
    report = model.evaluate("test")
    assert report["micro_f1"] > 0.8
    assert "confusion" not in report
    new = CASES[task][0](40)
    given = written(new, tmp_path / "new.csv")
    out = tmp_path / "out.csv"
    assert carousel("predict", tmp_path / "model", given, "--out", out)[0] == 0
    answers = pl.read_csv(out).with_columns(pl.col("prediction").fill_null(""))
    if task == "classify_text":
        truth = new.select(*sorted(GENRES)).to_numpy()
        names = sorted(GENRES)
    else:
        truth = new.group_by("unit", maintain_order=True).first().select("high", "wide").to_numpy()
        names = ["high", "wide"]
    guess = np.array([[n in cell.split("; ") for n in names] for cell in answers["prediction"]])
    chances = answers.select(*(f"p_{name}" for name in names)).to_numpy()
    assert ((chances >= 0.5) == guess).all()
    code, printed, _ = carousel("evaluate", tmp_path / "model", given, "--json")
    assert code == 0
    said = json.loads(printed)
    for average in ("micro", "macro"):
        wanted = reference.f1_score(truth, guess, average=average, zero_division=0.0)
        assert said[f"{average}_f1"] == pytest.approx(wanted)
    assert said["subset_accuracy"] == pytest.approx(reference.accuracy_score(truth, guess))
    code, printed, _ = carousel("predict", tmp_path / "model", given)
    assert code == 0
    assert "labels" in printed


def test_baselines_say_each_label_by_itself(tmp_path):
    config = config_of(
        "classify_text", written(films(), tmp_path / "a.csv"), CASES["classify_text"][1]
    )
    task = tasks.find("classify_text")(config, 0)
    found = task.baselines()
    data = task.parted
    usual = (data.train.labels.mean(0) > 0.5).float().expand(len(data.test), -1)
    wanted = label_metrics.scores(data.test.labels.numpy(), usual.numpy())
    assert found["most_frequent"] == wanted
    assert found["tfidf_logistic_regression"]["micro_f1"] > 0.9


def test_ranks_are_in_order_of_their_numbers_and_errors_count_by_distance(tmp_path):
    frame = walks().with_columns(stars=pl.col("stars") * 2)
    roles = {"id": "unit", "time": "at", "target": "stars", "ordinal": True, "ignore": "high, wide"}
    config = config_of("classify_recordings", written(frame, tmp_path / "a.csv"), roles)
    fitted = fit(config.override({"training.epochs": 25}), threads=1)
    assert list(fitted.validation) == ["rank_mae", "quadratic_kappa", "accuracy", "loss"]
    fitted.model.save(tmp_path / "model")
    model = bundle.load(tmp_path / "model")
    assert model.classes == ("-2", "4", "10")
    report = model.evaluate("test")
    assert report["quadratic_kappa"] > 0.8
    held = model.data(type(parts_of(config))).test
    sequences = [held.values[i].numpy() for i in range(len(held))]
    answers = model.predict(sequences)
    guess = np.array([model.classes.index(answer.label) for answer in answers])
    wanted = reference.cohen_kappa_score(held.labels, guess, weights="quadratic")
    assert report["quadratic_kappa"] == pytest.approx(wanted)
    assert report["rank_mae"] == pytest.approx(np.abs(held.labels.numpy() - guess).mean())
    assert all(sum(a.probabilities.values()) == pytest.approx(1, abs=1e-5) for a in answers)
    named = frame.with_columns(stars=pl.format("level {}", "stars"))
    with pytest.raises(DataError, match="needs classes that are numbers, and 'stars' has others"):
        parts_of(config_of("classify_recordings", written(named, tmp_path / "b.csv"), roles))


def test_texts_can_have_ranks(tmp_path):
    frame = films().with_columns(stars=pl.col("drama").cast(int) + 9 + 3 * pl.col("war").cast(int))
    roles = {
        "text": "plot",
        "target": "stars",
        "ordinal": True,
        "ignore": "genres,drama,war,comedy",
    }
    config = config_of("classify_text", written(frame, tmp_path / "a.csv"), roles)
    model = fit(config, threads=1).model
    assert model.classes == ("9", "10", "12", "13")
    assert {"rank_mae", "quadratic_kappa", "confusion"} <= set(model.evaluate("test"))


def test_several_labels_are_recognised_where_they_are_sure(tmp_path):
    path = written(films(), tmp_path / "films.csv")
    made = propose(path, target="genres")
    assert made.guess.task == "classify_text"
    assert made.sections["columns"]["separator"] == ";"
    assert made.config.columns.separator == ";"
    several = propose(written(walks(), tmp_path / "walks.csv"), target="high, wide")
    assert several.guess.task == "classify_recordings"
    assert several.sections["columns"]["target"] == "high, wide"
    numbers = propose(tmp_path / "walks.csv", target="x, stars")
    assert numbers.guess.task == "regress"
    names = films().with_columns(genres=pl.col("plot").str.slice(0, 3) + ";x")
    plain = propose(written(names, tmp_path / "plain.csv"), target="war")
    assert "separator" not in plain.sections["columns"]


def test_init_says_how_numbers_become_ranks(tmp_path):
    ranked = propose(written(walks(), tmp_path / "walks.csv"), target="stars")
    assert ranked.guess.task == "classify_recordings"
    assert "ordinal = true if they rank" in ranked.toml()
    assert "ordinal" not in propose(tmp_path / "walks.csv", target="high").toml()
