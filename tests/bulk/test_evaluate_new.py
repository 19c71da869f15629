"""`carousel evaluate RUN DATA`, and metrics worked out from what `predict --out` wrote."""

import csv
import json
import os
import shutil
import signal

import numpy as np
import polars
import pytest
from bulk_runs import small_run
from sklearn import metrics as sk
from small_measured import write_measured
from small_recordings import write_classes
from small_sentences import read_rows, sentence_config, write_sentences
from small_series import write_series
from small_words import write_columns

import carousel as library
from carousel.data.files.columns import read_columns
from carousel.run import reading
from carousel.training import Interrupted, train


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("runs"))


def table(carousel, run, data, out, *more):
    code, _, err = carousel("predict", run, data, "--out", out, *more)
    assert code == 0, err
    return polars.read_csv(out) if str(out).endswith(".csv") else polars.read_parquet(out)


def judged(carousel, run, *more):
    code, out, err = carousel("evaluate", run, *more, "--json")
    assert code == 0, err
    return json.loads(out)


def check_classes(report, truth, found, classes):
    """accuracy, macro F1, loss, and the scores of each class, by scikit-learn."""
    guess = found["prediction"].to_list()
    chances = found.select([f"p_{name}" for name in classes]).to_numpy().astype(float)
    assert report["accuracy"] == pytest.approx(sk.accuracy_score(truth, guess))
    assert report["macro_f1"] == pytest.approx(sk.f1_score(truth, guess, average="macro"))
    chances /= chances.sum(1, keepdims=True)
    assert report["loss"] == pytest.approx(sk.log_loss(truth, chances, labels=classes), rel=1e-4)
    rows = sk.precision_recall_fscore_support(truth, guess, labels=classes, zero_division=0)
    for i, name in enumerate(classes):
        one = report["per_class"][name]
        wanted = dict(
            zip(("precision", "recall", "f1", "support"), (r[i] for r in rows), strict=True)
        )
        assert one == pytest.approx(wanted)


@pytest.mark.parametrize("part", ["new", "test"])
def test_metrics_of_sentences_follow_from_the_answers(runs, carousel, tmp_path, part):
    run, _ = runs("classify_text")
    if part == "new":
        file = write_sentences(tmp_path, count=80, seed=5)
        report = judged(carousel, run, file)
    else:
        model = library.load(run)
        from carousel.data.labelled_text import LabelledText

        held = model.data(LabelledText).test
        file = tmp_path / "test.tsv"
        pairs = zip(held.labels.tolist(), held.texts, strict=True)
        file.write_text("".join(f"{model.classes[i]}\t{text}\n" for i, text in pairs))
        report = judged(carousel, run)
    found = table(carousel, run, file, tmp_path / "a.parquet")
    truth = [label for label, _ in read_rows(file)]
    check_classes(report, truth, found, ["bad", "good"])


def test_metrics_of_recordings_follow_from_the_answers(runs, carousel, tmp_path):
    run, _ = runs("classify_recordings")
    folder = write_classes(tmp_path, count=15, seed=8)
    found = table(carousel, run, folder, tmp_path / "a.csv")
    truth = [name.partition("/")[0] for name in found["file"].to_list()]
    check_classes(judged(carousel, run, folder), truth, found, ["down-up", "up-down"])


def test_metrics_of_numbers_follow_from_the_answers(runs, carousel, tmp_path):
    run, _ = runs("regress")
    folder = write_measured(tmp_path, count=5, seed=8)
    found = table(carousel, run, folder, tmp_path / "a.csv")
    report = judged(carousel, run, folder)
    errors = {}
    for file in sorted(folder.iterdir()):
        with file.open() as lines:
            cells = [row["label"] for row in csv.DictReader(lines)]
        mine = found.filter(polars.col("file") == file.name)["prediction"].to_numpy()
        known = np.array([cell != "" for cell in cells])
        truth = np.array([float(cell or "nan") for cell in cells])
        errors[file.stem] = (mine - truth)[known]
        one = report["per_recording"][file.stem]
        assert one["mae"] == pytest.approx(np.abs(errors[file.stem]).mean(), rel=1e-4)
    every = np.concatenate([*errors.values()])
    assert report["mae"] == pytest.approx(np.abs(every).mean(), rel=1e-4)
    assert report["rmse"] == pytest.approx(np.sqrt((every**2).mean()), rel=1e-4)


def test_metrics_of_forecasts_follow_from_the_rolling_answers(runs, carousel, tmp_path):
    run, _ = runs("forecast")
    file = write_series(tmp_path, count=90, seed=4)
    found = table(carousel, run, file, tmp_path / "a.parquet", "--rolling")
    report = judged(carousel, run, file)
    horizon = library.load(run).config.forecast.horizon
    whole = found.group_by("origin").agg(polars.col("wave_measured").count().alias("n"))
    whole = found.join(whole.filter(polars.col("n") == horizon), on="origin", how="semi")
    error = (whole["wave"] - whole["wave_measured"]).abs()
    assert report["windows"] == whole["origin"].n_unique()
    assert report["mae"] == pytest.approx(error.mean(), rel=1e-4)
    assert report["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-4)
    assert "mase" not in report
    for step, wanted in enumerate(report["mae_per_step"], 1):
        inside = (whole["step"] == step).to_list()
        assert error.filter(inside).mean() == pytest.approx(wanted, rel=1e-4)


def spans(labels):
    """(kind, start, end) of B- and I- labels, by the definition."""
    found, start = [], None
    for i, label in enumerate([*labels, "O"]):
        if start is not None and label != f"I-{labels[start][2:]}":
            found.append((labels[start][2:], start, i))
            start = None
        if label.startswith("B-"):
            start = i
    return set(found)


def test_metrics_of_words_follow_from_the_answers(runs, carousel, tmp_path):
    run, _ = runs("label_words")
    file = write_columns(tmp_path, count=60, seed=9)
    found = table(carousel, run, file, tmp_path / "a.csv")
    report, truth = judged(carousel, run, file), read_columns(file.read_text(), file).labels
    guess = [g["prediction"].to_list() for _, g in found.group_by("row", maintain_order=True)]
    flat = [one for some in truth for one in some]
    assert report["accuracy"] == pytest.approx(
        np.mean(np.array(flat) == found["prediction"].to_list())
    )
    pairs = [(spans(a), spans(b)) for a, b in zip(truth, guess, strict=True)]
    hits = sum(len(a & b) for a, b in pairs)
    total = sum(len(a) + len(b) for a, b in pairs)
    assert report["span_f1"] == pytest.approx(2 * hits / total)


def test_new_data_are_recorded_apart_and_the_test_part_stays_closed(runs, carousel, tmp_path):
    run = shutil.copytree(runs("classify_text")[0], tmp_path / "run")
    before = [*reading.events(run / "events.sqlite", "test_used")]
    file = write_sentences(tmp_path, count=30, seed=5)
    report = judged(carousel, run, file)
    assert [*reading.events(run / "events.sqlite", "test_used")] == before
    *_, event = reading.events(run / "events.sqlite", "evaluated_new")
    assert event["data"] == str(file)
    assert event["metrics"]["accuracy"] == report["accuracy"]
    written = json.loads((run / "evaluation-new-sentences.json").read_text())
    assert written["accuracy"] == report["accuracy"]
    assert (run / "confusion-new-sentences.png").is_file()


def test_what_was_trained_on_is_not_new(runs, carousel, tmp_path):
    for task, name in (
        ("classify_text", "sentences.tsv"),
        ("classify_recordings", "classes/up-down"),
    ):
        run, data = runs(task)
        code, _, err = carousel("evaluate", run, data / name)
        assert code == 2
        assert "is what the model was trained on" in err


def test_classes_that_the_model_does_not_know_are_counted_and_named(runs, carousel, tmp_path):
    run, _ = runs("classify_text")
    file = tmp_path / "new.csv"
    file.write_text("label,text\ngood,a great film\nso-so,it was\nso-so,it is\nbad,awful plot\n")
    code, out, err = carousel("evaluate", run, file)
    assert code == 0
    assert "2 of classes that the model does not know are in no metric: so-so (2)" in err
    assert f"{file}: accuracy" in out
    file.write_text("label,text\nso-so,it was\nso-so,it is\n")
    code, _, err = carousel("evaluate", run, file)
    assert code == 2
    assert "has none of the model's classes (bad, good); it has: so-so" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.csv"], "there is no file or folder nothing.csv"),
        (["new.txt"], "must be a .tsv (label, tab, sentence) or a .csv"),
        (["new.txt", "--part", "test"], "not both"),
    ],
)
def test_what_cannot_be_judged_is_one_line(runs, carousel, tmp_path, arguments, said):
    (tmp_path / "new.txt").write_text("a great film\n")
    code, out, err = carousel("evaluate", runs("classify_text")[0], *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.fixture
def interrupted(tmp_path, monkeypatch):
    """A run that was interrupted in its third epoch, and its data."""
    from carousel.training import loop

    data = write_sentences(tmp_path, count=120)
    config = sentence_config(data).override({"training.epochs": 5, "text.validation": 0.2})
    step = loop.Progress.add

    def add(self, result):
        step(self, result)
        if self.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop.Progress, "add", add)
    with pytest.raises(Interrupted):
        train(config, seed=0, threads=1, run_dir=tmp_path / "run", quiet=True)
    monkeypatch.setattr(loop.Progress, "add", step)
    return tmp_path / "run", data


def test_an_interrupted_run_answers_with_its_best_epoch_so_far(interrupted, carousel, tmp_path):
    from carousel.training.unfinished import best_so_far

    run, _ = interrupted
    before = sorted(path.name for path in run.rglob("*"))
    found = best_so_far(run)
    assert sorted(path.name for path in run.rglob("*")) == before
    epochs = [*reading.events(run / "events.sqlite", "epoch")]
    best = max(e["epoch"] for e in epochs if e["best"])
    assert found.epoch == best
    wanted = next(e for e in epochs if e["epoch"] == best)["validation"]
    assert found.model.evaluate("validation")["accuracy"] == pytest.approx(wanted["accuracy"])
    (tmp_path / "new.txt").write_text("a great film\nan awful plot\n")
    code, out, err = carousel("predict", run, "new.txt", "--json")
    assert code == 0
    assert "the run has not ended: answers are those of epoch" in err
    chances = [[*one["probabilities"].values()] for one in json.loads(out)]
    texts = ["a great film", "an awful plot"]
    np.testing.assert_allclose(chances, found.model.predict_proba(texts), rtol=1e-5)
    assert carousel("predict", run, "new.txt", "--out", "a.csv")[0] == 0


def test_an_interrupted_run_is_judged_but_not_on_its_test_part(interrupted, carousel, tmp_path):
    run, _ = interrupted
    code, out, _ = carousel("evaluate", run)
    assert code == 0
    assert out.splitlines()[-2].startswith("validation accuracy")
    code, _, err = carousel("evaluate", run, "--part", "test")
    assert code == 2
    assert "the test part is opened when the run has ended" in err
    file = tmp_path / "new.tsv"
    file.write_text("good\ta great film\nbad\tan awful plot\n")
    assert "accuracy" in judged(carousel, run, file)
    assert [*reading.events(run / "events.sqlite", "test_used")] == []
    from carousel.training import resume

    assert resume(run, quiet=True).result["epochs"] == 5


def test_a_run_without_a_whole_epoch_has_no_answer(interrupted, carousel, tmp_path):
    run, _ = interrupted
    shutil.rmtree(run / "checkpoints")
    code, _, err = carousel("predict", run, "a great film")
    assert code == 2
    assert "has no model yet" in err


def test_recordings_of_other_columns_are_refused_by_name(runs, carousel, tmp_path):
    run, _ = runs("classify_recordings")
    for label in ("up-down", "down-up"):
        (tmp_path / "new" / label).mkdir(parents=True)
        (tmp_path / "new" / label / "a.csv").write_text("noise,other\n1,2\n")
    code, _, err = carousel("evaluate", run, tmp_path / "new")
    assert code == 2
    assert "'pulse'" in err
