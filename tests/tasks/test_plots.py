"""The picture of the confusion matrix shows the counts it was given."""

import numpy as np
import pytest
from PIL import Image

from carousel.tasks.plots import draw_confusion


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


@pytest.mark.parametrize(
    "counts",
    [[[3]], [[0, 0], [0, 0]], [[3, 0], [0, 4]], [[0, 3], [4, 0]]],
    ids=["one class", "no examples", "no mistakes", "only mistakes"],
)
def test_extreme_counts_are_drawn_without_a_warning(tmp_path, counts):
    pixels = picture(tmp_path / "a.png", counts)
    assert pixels.min() < 100 < 250 < pixels.max()
