"""Baselines that are not recurrent: fitted on the training part, judged on the test part."""

import torch

from carousel.data.mnist import Images
from carousel.tasks.baselines import fit_and_score


def squares(labels):
    """Images with a bright square whose place tells the label."""
    labels = torch.tensor(labels)
    images = torch.zeros(len(labels), 28, 28, dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 * label : 4 * label + 4, :4] = 200
    return Images(images, labels)


def test_the_most_frequent_class_is_that_of_the_training_part():
    scores = fit_and_score(squares([2, 2, 2, 0, 1]), squares([0, 0, 0, 2]))
    assert scores["most_frequent"] == {"accuracy": 0.25}


def test_the_regression_learns_what_the_flattened_image_shows():
    scores = fit_and_score(squares([0, 1, 2] * 10), squares([2, 1, 0, 1]))
    assert scores["logistic_regression"] == {"accuracy": 1.0}


def test_a_single_class_has_no_regression():
    assert set(fit_and_score(squares([1, 1]), squares([1, 0]))) == {"most_frequent"}
