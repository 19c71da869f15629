"""Baselines that are not recurrent: fitted on the training part, judged on the test part."""

import numpy as np
import pytest
import torch

from carousel.data.labelled_images import Images
from carousel.tasks.shared.baselines.examples import (
    fit_and_score,
    fit_frames,
    fit_numbers,
    fit_sentences,
    most_frequent_labels,
)


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


@pytest.mark.parametrize("cut", [str.split, None])
def test_sentences_are_told_apart_by_their_words(cut):
    train = ["a good film", "very good", "a bad film", "so bad"] * 10
    labels = np.array([1, 1, 0, 0] * 10)
    scores = fit_sentences(train, labels, ["good good", "bad", "the bad"], np.array([1, 0, 0]), cut)
    assert scores["tfidf_logistic_regression"] == {"accuracy": 1.0, "macro_f1": 1.0}
    assert scores["most_frequent"]["accuracy"] in (1 / 3, 2 / 3)


def test_frames_are_told_apart_by_themselves():
    x = np.array([[0.0, 1.0], [0.1, 0.0], [2.0, 1.0], [2.1, 0.0], [2.2, 0.5]], np.float32)
    guess = fit_frames(x, np.array([0, 0, 1, 1, 1]), np.array([[0.0, 9.0], [3.0, 9.0]], np.float32))
    assert guess["most_frequent"].tolist() == [1, 1]
    assert guess["logistic_regression"].tolist() == [0, 1]


def test_numbers_follow_a_line():
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    guess = fit_numbers(x, 2 * x[:, 0] - x[:, 2] + 5, x[:5])
    np.testing.assert_allclose(guess, 2 * x[:5, 0] - x[:5, 2] + 5, atol=0.1)


def test_a_word_of_two_labels_gets_the_one_it_had_more_often():
    train = [("run", 1), ("run", 2), ("run", 2), ("the", 0), ("the", 0), ("a", 0)]
    assert most_frequent_labels(train, ["run", "the", "unheard"]) == [2, 0, 0]
