"""The pictures show what they were given."""

import numpy as np
import pytest
from PIL import Image

from carousel.tasks.shared.plots import draw_confusion, draw_forecasts, draw_numbers, draw_timelines


def picture(path, confusion):
    draw_confusion(confusion, [f"c{i}" for i in range(len(confusion))], path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def test_the_picture_is_the_same_for_the_same_counts_and_another_for_others(tmp_path):
    counts = [[5, 1, 0], [0, 7, 0], [2, 0, 9]]
    first = picture(tmp_path / "a.png", counts)
    assert np.array_equal(first, picture(tmp_path / "b.png", counts))
    counts[2][0], counts[2][1] = 0, 2
    assert not np.array_equal(first, picture(tmp_path / "c.png", counts))


def test_the_picture_grows_with_the_classes(tmp_path):
    small = picture(tmp_path / "a.png", np.eye(3, dtype=int).tolist())
    large = picture(tmp_path / "b.png", np.eye(12, dtype=int).tolist())
    assert large.shape[0] > 1.5 * small.shape[0]


@pytest.mark.parametrize("names", [("good", "worn"), ("a class of many words", "worn")])
def test_nothing_of_a_small_picture_is_cut_off(tmp_path, names):
    draw_confusion([[78_000, 2], [2, 38]], names, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("L"))
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert edge.min() == 255


@pytest.mark.parametrize(
    "counts",
    [[[3]], [[0, 0], [0, 0]], [[3, 0], [0, 4]], [[0, 3], [4, 0]]],
    ids=["one class", "no examples", "no mistakes", "only mistakes"],
)
def test_extreme_counts_are_drawn_without_a_warning(tmp_path, counts):
    pixels = picture(tmp_path / "a.png", counts)
    assert pixels.min() < 100 < 250 < pixels.max()


def colors(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    return {tuple(color) for color in np.unique(pixels, axis=0).tolist()}


def test_timelines_have_the_colours_of_the_labels_they_show_and_no_others(tmp_path):
    row = {"labels": [0, 0, 1, 1, -1, -1], "guess": [0, 1, 1, 1, 0, 2]}
    draw_timelines({"a": row, "b": row}, ["x", "y", "z"], tmp_path / "a.png")
    draw_timelines({"a": {**row, "guess": [0, 0, 1, 1, 2, 2]}}, ["x", "y", "z"], tmp_path / "b.png")
    first = colors(tmp_path / "a.png")
    assert first != colors(tmp_path / "b.png")
    with Image.open(tmp_path / "a.png") as two, Image.open(tmp_path / "b.png") as one:
        assert two.height > one.height


def test_forecasts_show_an_interval_only_where_there_is_one(tmp_path):
    example = {
        "start": "2020-01-01",
        "truth": [0.0, 1.0, 0.5, 0.2, 0.4],
        "low": [0.1, 0.2],
        "forecast": [0.2, 0.4],
        "high": [0.3, 0.9],
    }
    draw_forecasts([example] * 2, 3, "load", tmp_path / "a.png")
    bare = {**example, "low": example["forecast"], "high": example["forecast"]}
    draw_forecasts([bare] * 2, 3, "load", tmp_path / "b.png")
    assert len(colors(tmp_path / "a.png") - colors(tmp_path / "b.png")) > 0


def test_numbers_are_drawn_where_they_lie(tmp_path):
    draw_numbers([[0.0, 0.0], [10.0, 9.0]], tmp_path / "a.png")
    draw_numbers([[0.0, 9.0], [10.0, 0.0]], tmp_path / "b.png")
    with Image.open(tmp_path / "a.png") as one, Image.open(tmp_path / "b.png") as other:
        assert not np.array_equal(np.asarray(one), np.asarray(other))
