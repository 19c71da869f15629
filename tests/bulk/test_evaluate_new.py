"""`carousel evaluate RUN DATA`, and metrics worked out from what `predict --out` wrote."""

import csv
import json
import os
import shutil
import signal

import numpy as np
import polars
import pytest
import torch
from bulk_runs import small_run
from PIL import Image
from sacrebleu.metrics import BLEU, CHRF
from sklearn import metrics as sk
from small_frames import write_recordings
from small_measured import write_measured
from small_pairs import pair_config, some_pairs, write_pairs
from small_recordings import write_classes
from small_scenes import images_config, write_images
from small_sentences import read_rows, sentence_config, write_sentences
from small_series import write_series
from small_text import text_config, write_text
from small_watched import rows, write_watched
from small_whole import write_whole
from small_words import write_columns

import carousel as library
from carousel.data.files.columns import read_columns
from carousel.data.mnist import load_test
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_metrics_of_images_follow_from_the_answers(runs, carousel, tmp_path):
    run, _ = runs("classify")
    held = load_test()
    for number in range(60):
        label = int(held.labels[number])
        (tmp_path / "new" / str(label)).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(held.images[number].numpy())
        picture.save(tmp_path / "new" / str(label) / f"{number}.png")
    found = table(carousel, run, "new", tmp_path / "a.parquet")
    report = judged(carousel, run, "new")
    truth = [name.partition("/")[0] for name in found["file"].to_list()]
    check_classes(report, truth, found, [*"0123456789"])
    (tmp_path / "new" / "x").mkdir()
    picture.save(tmp_path / "new" / "x" / "a.png")
    assert judged(carousel, run, "new")["unknown_classes"] == {"x": 1}


def chances_of(model, ids):
    """Log-probability of each token after the first (T - 1,), by the network step for step."""
    with torch.no_grad():
        logits = model.model.logits(ids[:-1].long()[:, None])[:, 0].double()
    return torch.log_softmax(logits, 1)[torch.arange(len(ids) - 1), ids[1:].long()].numpy()


@pytest.mark.parametrize("level", ["word", "character"])
def test_metrics_of_a_new_text_follow_from_the_probabilities_of_its_tokens(
    carousel, tmp_path, level
):
    config = text_config(write_text(tmp_path), f"text.level={level}")
    run = train(config, seed=0, threads=1, run_dir=tmp_path / "run", quiet=True).path
    new = tmp_path / "new.txt"
    new.write_text("dogs chase mice\nzebras eat fish\npeople feed dogs\n")
    report, model = judged(carousel, run, new), library.load(run)
    numbers = model.vocabulary.numbers
    tokens = (
        new.read_text().replace("\n", " <eos> ").split() if level == "word" else new.read_text()
    )
    ids = torch.tensor([numbers.get(token, numbers["<unk>"]) for token in tokens])
    loss = -chances_of(model, ids).mean()
    assert report["loss"] == pytest.approx(loss, rel=1e-5)
    wanted = np.exp(loss) if level == "word" else loss / np.log(2)
    name = "perplexity" if level == "word" else "bits_per_character"
    assert report[name] == pytest.approx(wanted, rel=1e-5)
    assert report["tokens"] == len(ids) - 1
    assert report["unknown"] == pytest.approx(np.mean(ids[1:].numpy() == numbers["<unk>"]))
    code, out, _ = carousel("evaluate", run, new)
    assert code == 0
    assert f"{new}:" in out
    new.write_text("")
    assert carousel("evaluate", run, new)[0] == 2


def test_metrics_of_new_labelled_lines_follow_from_the_probabilities(runs, carousel, tmp_path):
    run, _ = runs("generate_lines")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "Zero.txt").write_text("1200\n900\n")
    (tmp_path / "new" / "One.txt").write_text("711\n")
    (tmp_path / "new" / "Two.txt").write_text("22\n")
    report, model = judged(carousel, run, "new"), library.load(run)
    numbers, found = model.vocabulary.numbers, {"Zero": [], "One": []}
    for label, item in (("Zero", "1200"), ("Zero", "900"), ("One", "711")):
        ids = torch.tensor([numbers[one] for one in (f"<{label}>", *item, "<eos>")])
        found[label] += chances_of(model, ids).tolist()
    assert report["loss"] == pytest.approx(-np.mean(found["Zero"] + found["One"]), rel=1e-5)
    for label, some in found.items():
        assert report["by_label"][label]["loss"] == pytest.approx(-np.mean(some), rel=1e-5)
    assert report["unknown_classes"] == {"Two": 1}


@pytest.mark.slow
def test_metrics_of_captions_follow_from_the_answers(carousel, tmp_path):
    config = images_config(write_images(tmp_path), "training.epochs=8")
    run = train(config, seed=0, threads=1, run_dir=tmp_path / "run", quiet=True).path
    (tmp_path / "more").mkdir()
    new = write_images(tmp_path / "more", count=12, seed=7)
    report = judged(carousel, run, new)
    found = table(carousel, run, new, tmp_path / "a.parquet")
    references = {}
    for row in csv.DictReader((new / "captions.csv").read_text().splitlines()):
        references.setdefault(row["image"], []).append(row["caption"])
    answers = dict(zip(found["file"].to_list(), found["caption"].to_list(), strict=True))
    assert {one["image"]: one["caption"] for one in report["captions"]} == answers
    hits = [answers[name] in some for name, some in references.items()]
    assert report["exact_match"] == pytest.approx(np.mean(hits))
    pairs = [references[name] for name in answers]
    streams = [[some[k] for some in pairs] for k in range(2)]
    bleu = BLEU(lowercase=True, force=True).corpus_score([*answers.values()], streams)
    assert report["bleu"] == pytest.approx(bleu.score)


@pytest.mark.slow
def test_metrics_of_translations_follow_from_the_answers(carousel, tmp_path):
    config = pair_config(write_pairs(tmp_path, count=200), "training.epochs=2")
    run = train(config, seed=0, threads=1, run_dir=tmp_path / "run", quiet=True).path
    new = tmp_path / "new.tsv"
    pairs = some_pairs(40, seed=9)
    new.write_text("".join(f"{a}\t{b}\n" for a, b in pairs))
    report = judged(carousel, run, new)
    found = table(carousel, run, new, tmp_path / "a.parquet")["translation"].to_list()
    wanted = [[b for _, b in pairs]]
    assert report["bleu"] == pytest.approx(
        BLEU(lowercase=True, force=True).corpus_score(found, wanted).score
    )
    assert report["chrf"] == pytest.approx(CHRF(lowercase=True).corpus_score(found, wanted).score)


def test_metrics_of_frames_follow_from_the_answers(runs, carousel, tmp_path):
    run, _ = runs("label_frames")
    folder = write_recordings(tmp_path, count=5, seed=8)
    found = table(carousel, run, folder, tmp_path / "a.parquet")
    truth = []
    for file in sorted(folder.iterdir()):
        with file.open() as lines:
            truth += [row["label"] for row in csv.DictReader(lines)]
    kept = [i for i, label in enumerate(truth) if label]
    classes = library.load(run).classes
    check_classes(judged(carousel, run, folder), [truth[i] for i in kept], found[kept], [*classes])


def test_metrics_of_whole_recordings_follow_from_the_answers(runs, carousel, tmp_path):
    run, _ = runs("regress_whole")
    data = write_whole(tmp_path, seed=8)
    found = table(carousel, run, data, tmp_path / "a.parquet")
    report = judged(carousel, run, data)
    truth = found.join(polars.read_csv(data / "targets.csv"), on="file", suffix="_true")
    for name in ("area", "last"):
        error = (truth[name] - truth[f"{name}_true"]).abs().mean()
        assert report["per_target"][name]["mae"] == pytest.approx(error, rel=1e-4)


def windows_of(flags, merge):
    """(first, last) of runs of True, those with at most `merge` quiet steps between them as one."""
    found = []
    for step in np.flatnonzero(flags).tolist():
        if found and step - found[-1][1] - 1 <= merge:
            found[-1][1] = step
        else:
            found.append([step, step])
    return found


def test_metrics_of_anomalies_follow_from_the_answers(runs, carousel, tmp_path):
    run, _ = runs("anomaly")
    data = write_watched(tmp_path, name="new.csv", seed=8)
    found = table(carousel, run, data, tmp_path / "a.parquet")
    report = judged(carousel, run, data)
    labels = np.array([row[3] for row in rows(seed=8)]) == 1
    alarms, scores = found["alarm"].to_numpy(), found["score"].to_numpy()
    said = windows_of(alarms, library.load(run).config.anomaly.merge)
    true = windows_of(labels, 0)
    right = [any(a <= d and c <= b for c, d in true) for a, b in said]
    caught = [any(a <= d and c <= b for c, d in said) for a, b in true]
    assert report["precision"] == pytest.approx(np.mean(right))
    assert report["recall"] == pytest.approx(np.mean(caught))
    known = ~np.isnan(scores)
    assert report["pr_auc"] == pytest.approx(
        sk.average_precision_score(labels[known], scores[known]), rel=1e-4
    )
    false = 1000 * (alarms & ~labels).sum() / (known & ~labels).sum()
    assert report["false_alarms_per_1000"] == pytest.approx(false)
