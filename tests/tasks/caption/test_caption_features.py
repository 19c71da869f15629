"""Captions from features that somebody else has computed."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from small_scenes import images_config, write_images

import carousel
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.data.files.image_features import read_features
from carousel.errors import ConfigError, DataError
from carousel.tasks.shared.task import Json
from carousel.training import train

OF_PIXELS = ("pictures.side=96", "encoder.width=16", "encoder.stages=3")  # their defaults


def features_of(number, chance):
    """Two by three places of five numbers; the colour is in one place alone."""
    values = chance.normal(0, 0.1, (2, 3, 5)).astype(np.float32)
    values[1, 2, number % 3] += 2
    return values


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_images(tmp_path_factory.mktemp("features"))
    chance = np.random.default_rng(0)
    known = {f"i{number}.png": features_of(number, chance) for number in range(30)}
    np.savez(folder / "mine.npz", **known)
    save_file(known, folder / "mine.safetensors")
    for picture in folder.glob("*.png"):
        picture.unlink()  # nobody reads them
    return folder


def config(folder, *more, file="mine.npz"):
    return images_config(folder, *OF_PIXELS, f"pictures.features='{file}'", *more)


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    return train(config(folder), run_dir=path, threads=1, quiet=True)


@pytest.mark.slow
def test_the_run_learns_what_the_features_say(run):
    assert run.result["test"]["exact_match"] == 1.0
    model = run.load()
    report = model.evaluate("validation")
    assert model.draw(report, run.path, "") == []


def test_a_loaded_model_captions_files_and_arrays_alike(run, folder, tmp_path):
    model = carousel.load(run.path)
    known = read_features(folder / "mine.npz")
    some = {name: known[name].numpy() for name in ("i4.png", "i8.png")}
    np.savez(tmp_path / "new.npz", **some)
    np.save(tmp_path / "one.npy", some["i4.png"])
    said = model.caption(np.stack([*some.values()]))
    assert model.caption([tmp_path / "new.npz"]) == said
    assert model.caption([tmp_path / "one.npy"]) == said[:1]
    (answer,) = respond(model, Request(tmp_path / "new.npz", as_json=True))
    assert isinstance(answer, Json)
    assert {told["image"]: told["caption"] for told in answer.content} == dict(
        zip(some, said, strict=True)
    )


def test_one_place_and_a_row_of_places_are_maps_too(tmp_path):
    for shape in ((4,), (3, 4), (2, 3, 4)):
        np.savez(tmp_path / "f.npz", a=np.ones(shape), b=np.zeros(shape))
        found = read_features(tmp_path / "f.npz")
        assert found["a"].shape == (1,) * (3 - len(shape)) + shape
        assert found["a"].dtype == torch.float32


def test_both_kinds_of_file_hold_the_same(folder):
    a, b = (read_features(folder / f"mine.{kind}") for kind in ("npz", "safetensors"))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_an_image_without_features_is_counted(folder, tmp_path):
    known = {name: each.numpy() for name, each in read_features(folder / "mine.npz").items()}
    for name in ("i0.png", "i1.png"):
        del known[name]
    np.savez(folder / "fewer.npz", **known)
    settings = config(folder, "training.epochs=1", file="fewer.npz")
    run = train(settings, run_dir=tmp_path / "run", threads=1, quiet=True)
    assert sum(run.result["data"]["unreadable"].values()) == 2


def test_bad_features_are_refused_with_the_reason(folder, tmp_path, run):
    def saved(name, **arrays):
        np.savez(tmp_path / f"{name}.npz", **arrays)
        return tmp_path / f"{name}.npz"

    for bad, says in (
        (saved("bad0", a=np.ones(3), b=np.ones(4)), "2 shapes"),
        (saved("bad1", a=np.array([1.0, np.nan])), "NaN"),
        (saved("bad2", a=np.array(["x"])), "numbers"),
        (saved("bad3", a=np.ones((1, 2, 3, 4))), "shape"),
        (tmp_path / "none.npz", "no file"),
        (folder / "captions.csv", "must be a file of"),
    ):
        with pytest.raises(DataError, match=says):
            read_features(bad)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DataError, match="cannot be read"):
        read_features(tmp_path / "text.npz")
    np.savez(folder / "others.npz", somebody=np.ones(5))
    with pytest.raises(DataError, match="no features for any image"):
        train(config(folder, file="others.npz"), run_dir=tmp_path / "r", threads=1, quiet=True)
    with pytest.raises(DataError, match="as in training"):
        run.load().caption(np.ones((1, 2, 3, 6)))
    of_pixels = config(folder, "pictures.side=16")
    with pytest.raises(ConfigError, match=r"pictures\.side has no effect"):
        train(of_pixels, run_dir=tmp_path / "s", threads=1, quiet=True)
