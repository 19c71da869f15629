"""Examples that are looked at after every epoch: the same ones, an answer each, small as JSON."""

import base64
import io
import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from every_task import SMALL
from PIL import Image
from small_pairs import pair_config, write_pairs
from small_recordings import recordings_config, write_classes
from small_scenes import scenes_config

from carousel import tasks
from carousel.tasks.shared import samples
from carousel.tasks.shared.answers import classes_of

TASKS = {
    **{name: SMALL[name] for name in ("classify", "classify_text", "label_words", "label_frames")},
    "forecast": SMALL["forecast"],
    "forecast_many": SMALL["forecast_many"],
    "anomaly": SMALL["anomaly"],
    "translate": lambda folder: pair_config(write_pairs(folder)),
    "classify_recordings": lambda folder: recordings_config(write_classes(folder)),
    "caption": lambda folder: scenes_config(),
}


@pytest.fixture(scope="module", params=TASKS)
def made(request, tmp_path_factory):
    config = TASKS[request.param](tmp_path_factory.mktemp(request.param))
    task = tasks.find(config.task)(config, 0)
    torch.manual_seed(0)
    return request.param, task, task.build_model()


def test_every_sample_has_an_answer_and_both_are_always_the_same(made):
    _, task, net = made
    found, said = task.samples(5), task.answers(net, 5)
    assert 0 < len(found) == len(said) <= 5
    assert (found, said) == (task.samples(5), task.answers(net, 5))
    assert len({sample.name for sample in found}) == len(found)
    json.dumps([asdict(part) for part in (*found, *said)], allow_nan=False)


def test_the_network_is_left_in_the_mode_in_which_it_was(made):
    _, task, net = made
    for training in (True, False):
        net.train(training)
        task.answers(net, 3)
        assert net.training is training


def test_answers_have_the_shape_of_their_samples(made):
    name, task, net = made
    for sample, answer in zip(task.samples(4), task.answers(net, 4), strict=True):
        assert answer.wrong >= 0
        assert len(answer.stripe) == len(sample.stripe)
        if name in ("forecast", "forecast_many", "anomaly"):
            assert 0 < len(answer.middle) < len(sample.curve)
        elif not sample.stripe:
            assert sample.wanted
            assert answer.found or name in ("translate", "caption")


def test_wrong_answers_of_classes_are_those_far_from_the_truth():
    chances = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]])
    said = samples.of_classes(classes_of(chances, ["no", "yes"]), ["yes", "yes", "no"])
    assert [answer.wrong for answer in said] == pytest.approx([0.1, 0.8, 0.5])
    assert [answer.found.split()[0] for answer in said] == ["yes", "no", "no"]


@pytest.mark.parametrize("shape", [(7, 5), (1, 7, 5), (3, 7, 5)])
def test_a_picture_is_the_image_itself(shape):
    image = torch.randint(0, 256, shape, dtype=torch.uint8)
    head, data = samples.picture(image).split(",")
    assert head == "data:image/png;base64"
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    wanted = image.numpy() if len(shape) == 2 else np.moveaxis(image.numpy(), 0, -1)
    assert np.array_equal(seen, wanted.squeeze())
