"""A bundle computes what was trained, on any image, and refuses what it cannot read."""

import json

import numpy as np
import pytest
import safetensors.torch
import torch
from small import small_config

import carousel
from carousel.bundle import evaluate_run, from_bytes, load, save, to_bytes
from carousel.data import mnist
from carousel.data.scaling import PixelScaler
from carousel.errors import DataError, RunError
from carousel.run.reading import events
from carousel.tasks.classify.network import build_model
from carousel.tasks.classify.trained import TrainedClassifier


@pytest.fixture(scope="module")
def images():
    return mnist.load_test().images[:20].numpy()


def test_a_saved_bundle_predicts_the_same(tmp_path, images):
    config = small_config("model.cell=gru", "model.bidirectional=true")
    scaler = PixelScaler(30.0, 70.0)
    bundle = TrainedClassifier(build_model(config).eval(), config, mnist.CLASSES, scaler)
    save(bundle, tmp_path / "model")
    back = load(tmp_path / "model")
    assert (back.config, back.classes, back.scaler) == (config, mnist.CLASSES, bundle.scaler)
    assert np.array_equal(back.predict_proba(images), bundle.predict_proba(images))
    assert not back.model.training


def test_a_bundle_is_plain_files_and_no_pickle(run):
    assert sorted(path.name for path in (run / "model").iterdir()) == [
        "data.json",
        "model.json",
        "weights.safetensors",
    ]
    json.loads((run / "model" / "model.json").read_text())
    safetensors.torch.load_file(run / "model" / "weights.safetensors")


def test_load_takes_a_run_or_its_model_and_leaves_the_random_state_alone(trained, images):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    bundle = carousel.load(trained.path)
    assert torch.equal(torch.rand(4), expected)
    again = carousel.load(str(trained.path / "model"))
    assert bundle.predict(images) == again.predict(images)


def test_predict_is_the_most_probable_class_for_one_image_or_many(trained, images):
    bundle = trained.load()
    chances = bundle.predict_proba(images)
    assert chances.shape == (20, 10)
    answers = bundle.predict(images)
    assert [answer.label for answer in answers] == [str(row.argmax()) for row in chances]
    assert [[*answer.probabilities.values()] for answer in answers] == chances.tolist()
    assert [answer.label for answer in bundle.predict(images[3])] == [answers[3].label]
    assert bundle.predict(images / 255) == bundle.predict(torch.from_numpy(images))


@pytest.mark.parametrize("wrong", [np.zeros((2, 27, 28)), np.full((28, 28), np.nan)])
def test_predict_refuses_what_is_no_image(trained, wrong):
    with pytest.raises(DataError):
        trained.load().predict(wrong)


def test_evaluate_repeats_the_result_of_the_run(trained):
    report = trained.load().evaluate()
    for name, value in trained.result["test"].items():
        assert report[name] == pytest.approx(value, rel=1e-6), name
    validation = trained.load().evaluate("validation")
    for name, value in trained.result["validation"].items():
        assert validation[name] == pytest.approx(value, rel=1e-5), name
    with pytest.raises(DataError, match="'test' or 'validation', got 'train'"):
        trained.load().evaluate("train")


def test_evaluating_a_run_leaves_the_report_and_notes_the_use_of_the_test_part(run):
    (run / "confusion.png").unlink()
    evaluation = evaluate_run(run)
    written = json.loads((run / "evaluation.json").read_text())
    assert written == {"part": "test", **evaluation.report}
    assert evaluation.files == [run / "evaluation.json", run / "confusion.png"]
    assert (run / "confusion.png").is_file()
    used = [event["by"] for event in events(run / "events.sqlite", "test_used")]
    assert used == ["train", "evaluate"]


def test_evaluating_the_validation_part_writes_beside_and_uses_no_test_data(run, monkeypatch):
    monkeypatch.setattr(mnist, "load_test", lambda: pytest.fail("the test part was opened"))
    before = (run / "evaluation.json").read_bytes()
    evaluate_run(run, "validation")
    assert (run / "evaluation.json").read_bytes() == before
    assert json.loads((run / "evaluation-validation.json").read_text())["part"] == "validation"
    assert (run / "confusion-validation.png").is_file()
    assert len(list(events(run / "events.sqlite", "test_used"))) == 1


def test_a_bundle_alone_is_evaluated_without_a_store(run):
    evaluate_run(run / "model")
    assert not (run / "model" / "events.sqlite").exists()


def rewrite(run, **changes):
    file = run / "model" / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


DAMAGE = {
    "newer": (lambda run: rewrite(run, format=2), "newer Carousel.*format 2.*pip install -U"),
    "no JSON": (lambda run: (run / "model" / "model.json").write_text("{"), "cannot be read"),
    "no format": (lambda run: (run / "model" / "model.json").write_text("{}"), "cannot be read"),
    "a key that is unknown": (lambda run: rewrite(run, config={"mode": {}}), "unknown key 'mode'"),
    "another size": (
        lambda run: rewrite(run, config=small_config("model.hidden_size=13").to_dict()),
        "size mismatch",
    ),
    "cut weights": (
        lambda run: (run / "model" / "weights.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}"),
        "cannot be read",
    ),
    "no weights": (lambda run: (run / "model" / "weights.safetensors").unlink(), "No such file"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_or_newer_bundle_is_refused_in_one_line(run, name):
    damage, says = DAMAGE[name]
    damage(run)
    with pytest.raises(RunError, match=says) as caught:
        load(run)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_says_what_it_is(tmp_path):
    with pytest.raises(RunError, match="neither a run folder nor a bundle"):
        load(tmp_path)
    (tmp_path / "config.toml").write_text("")
    with pytest.raises(RunError, match="has no model yet: finish it with carousel train --resume"):
        load(tmp_path)


def test_a_bundle_is_kept_in_memory_as_its_files_are_and_a_damaged_one_is_refused(run):
    model = load(run)
    files = to_bytes(model)
    assert {name: (run / "model" / name).read_bytes() for name in files} == files
    again = from_bytes(files)
    for name, weight in model.model.state_dict().items():
        assert torch.equal(weight, again.model.state_dict()[name])
    with pytest.raises(RunError, match="the pickle cannot be read"):
        from_bytes({**files, "weights.safetensors": b"x"}, "the pickle")
    with pytest.raises(RunError, match=r"the bundle cannot be read: 'model\.json'"):
        from_bytes({})
    newer = files["model.json"].replace(b'"format": 1', b'"format": 99')
    with pytest.raises(RunError, match="written by a newer Carousel"):
        from_bytes({**files, "model.json": newer})
