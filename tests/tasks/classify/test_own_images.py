"""Images of one's own from a folder to answers: train, evaluate, predict, init."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image
from small_images import CLASSES, images_config, pattern, write_images

from carousel import load, recipes
from carousel.bulk import answer_file
from carousel.data.batches import ShuffledBatches
from carousel.data.image_proposal import propose_images
from carousel.data.labelled_images import Images
from carousel.tasks.classify.network import as_sequence
from carousel.training import train


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    path = write_images(folder)
    config = images_config(path, "training.epochs=12", "coach.enabled=false")
    run = train(config, run_dir=folder / "run", threads=1, quiet=True)
    return run, path


def test_a_small_network_learns_what_anybody_can_tell(own):
    run, _ = own
    assert run.result["test"]["accuracy"] > 0.6
    assert run.result["data"]["sizes"] == {"train": 24, "validation": 6, "test": 6}
    assert run.result["data"]["classes"] == list(CLASSES)


def test_answers_are_the_same_for_files_arrays_and_after_loading(own):
    run, path = own
    model = load(run.path)
    files = sorted(path.rglob("*.png"))
    pixels = np.stack([np.array(Image.open(file)) for file in files])
    np.testing.assert_array_equal(model.predict_proba(files), model.predict_proba(pixels))
    np.testing.assert_array_equal(
        model.predict_proba(torch.from_numpy(pixels)), model.predict_proba(pixels / 255)
    )
    assert model.predict(str(files[0]))[0].label in CLASSES


def test_metrics_of_new_images_are_those_of_the_answers_in_a_file(own, tmp_path):
    run, _ = own
    new = write_images(tmp_path, 7, seed=5)
    (new / "up" / "broken.png").write_text("none")
    model = load(run.path)
    report = model.evaluate_new(new)
    outcome = answer_file(model, new, tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert (outcome.answered, outcome.failed, len(rows)) == (21, 1, 22)
    right = [row["file"].split("/")[0] == row["prediction"] for row in rows if not row["error"]]
    assert report["accuracy"] == sum(right) / 21
    assert any("1 image that cannot be read: left out" in note for note in report["notes"])
    broken = next(row for row in rows if row["error"])
    assert broken["file"] == "up/broken.png"


def test_a_class_that_it_does_not_know_is_counted_and_in_no_metric(own, tmp_path):
    run, _ = own
    new = write_images(tmp_path, 3, seed=6)
    (new / "full").rename(new / "square")
    report = load(run.path).evaluate_new(new)
    assert report["unknown_classes"] == {"square": 3}
    assert sum(row["support"] for row in report["per_class"].values()) == 6


def test_a_table_of_names_and_arrays_are_judged_alike(own, tmp_path):
    run, _ = own
    new = write_images(tmp_path, 4, seed=7)
    files = sorted(new.rglob("*.png"))
    rows = [f"{file.relative_to(tmp_path)},{file.parent.name}" for file in files]
    (tmp_path / "new.csv").write_text("file,label\n" + "\n".join(rows) + "\n")
    pixels = np.stack([np.array(Image.open(file)) for file in files])
    np.savez(tmp_path / "new.npz", x=pixels, y=[file.parent.name for file in files])
    model = load(run.path)
    first = model.evaluate_new(new)
    for other in (tmp_path / "new.csv", tmp_path / "new.npz"):
        assert model.evaluate_new(other)["confusion"] == first["confusion"]


def test_pictures_of_another_size_are_read_and_it_is_said(own, tmp_path):
    run, _ = own
    Image.fromarray(pattern("up", 30)).save(tmp_path / "large.png")
    given = load(run.path).read(tmp_path / "large.png")
    assert given.inputs.shape == (1, 8, 8)
    assert "1 image of another size: made 8 x 8" in given.notes[0].text


@pytest.mark.parametrize("view", ["rows", "pixels", "patches", "image"])
@pytest.mark.parametrize("colors", [0, 3])
def test_every_view_shows_each_pixel_once_in_its_place(view, colors):
    shape = (2, colors, 6, 4) if colors else (2, 6, 4)
    images = torch.arange(int(np.prod(shape))).float().view(shape)
    made = as_sequence(images, view, patch=2)
    planes = images if colors else images[:, None]
    blocks = {
        "rows": [planes[:, :, y] for y in range(6)],
        "pixels": [planes[:, :, y, x] for y in range(6) for x in range(4)],
        "patches": [planes[:, :, y : y + 2, x : x + 2] for y in (0, 2, 4) for x in (0, 2)],
        "image": [planes],
    }[view]
    assert torch.equal(made, torch.stack([block.flatten(1) for block in blocks], 1))


def test_patches_that_go_over_the_edge_are_filled_up():
    made = as_sequence(torch.ones(1, 5, 5), "patches", patch=4)
    assert made.shape == (1, 4, 16)
    assert made.sum(2).tolist() == [[16, 4, 4, 1]]


@pytest.mark.parametrize("colors", [0, 3])
def test_moved_images_are_filled_with_their_edges(colors):
    shape = (4, colors, 5, 5) if colors else (4, 5, 5)
    pixels = torch.randint(50, 255, shape, generator=torch.Generator().manual_seed(0)).byte()
    part = Images(pixels, torch.arange(4))
    batches = ShuffledBatches(part, 2, seed=0, shift=2, edges=True)
    seen = torch.cat([images for images, _ in batches.epoch(1)])
    assert seen.shape == pixels.shape
    assert int(seen.min()) >= 50


@pytest.mark.parametrize("more", [["data.view=patches", "data.patch=3"], ["data.view=pixels"]])
def test_other_views_and_colors_train(tmp_path, more):
    path = write_images(tmp_path, 4)
    for file in path.rglob("*.png"):
        red = np.array(Image.open(file).convert("RGB"))
        red[..., 1:] //= 2
        Image.fromarray(red).save(file)
    config = images_config(path, "training.epochs=1", "coach.enabled=false", "data.shift=1", *more)
    run = train(config, run_dir=tmp_path / "run", threads=1, quiet=True)
    model = load(run.path)
    assert model.shape == (3, 8, 8)
    assert len(model.predict(sorted(path.rglob("*.png")))) == 12


def test_init_writes_a_recipe_and_says_why(carousel, tmp_path, monkeypatch):
    write_images(tmp_path)
    monkeypatch.chdir(tmp_path)
    code, said, err = carousel("init", "pictures")
    assert (code, err) == (0, "")
    for words in ("36 images of 3 classes", "across (12)", "8 x 8", "grey", "train 24"):
        assert words in said
    made = recipes.load("pictures.toml")[0]
    assert (made.task, made.data.name) == ("classify", "images")
    assert made == propose_images("pictures").config


def test_init_reads_a_table_of_names(carousel, tmp_path, monkeypatch):
    path = write_images(tmp_path)
    names = [f"{file.relative_to(tmp_path)},{file.parent.name}" for file in path.rglob("*.png")]
    (tmp_path / "list.csv").write_text("picture,kind\n" + "\n".join(names) + "\n")
    monkeypatch.chdir(tmp_path)
    said = json.loads(carousel("init", "list.csv", "--json")[1])
    assert said["task"]["name"] == "classify"
    assert said["recipe"]["columns"] == {"target": "kind", "file": "picture"}
    assert {c["name"]: c["role"] for c in said["columns"]} == {"picture": "file", "kind": "target"}


def test_train_reads_a_folder_at_once(carousel, tmp_path, monkeypatch):
    write_images(tmp_path)
    monkeypatch.chdir(tmp_path)
    settings = ["--set", "training.epochs=1", "--set", "model.hidden_size=4", "--quiet"]
    code, out, err = carousel("train", "pictures", *settings)
    assert code == 0
    assert err == ""
    code, out, err = carousel("evaluate", out.strip(), "pictures/up")
    assert (code, out) == (2, "")
    assert "is what the model was trained on, or part of it" in err


def test_a_file_with_a_task_and_a_path_gets_the_settings_of_init(tmp_path):
    from carousel.training.preparation import Preparation

    path = write_images(tmp_path)
    file = tmp_path / "bare.toml"
    file.write_text(f"task = 'classify'\n[data]\npath = '{path}'\n")
    bare, made = Preparation.of(str(file)).config, propose_images(path).config
    assert bare.training == made.training
    assert (bare.data, bare.model, bare.pictures) == (made.data, made.model, made.pictures)
