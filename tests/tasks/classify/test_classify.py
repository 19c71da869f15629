"""The classification task: views, network, pooling, dropout, and who sees the test part."""

import numpy as np
import pytest
import torch
from oracle import assert_close, randn, randomise
from small import small_config
from torch import nn
from torch.nn import functional as F

from carousel.config import Config
from carousel.data import mnist
from carousel.data.labelled_images import ImageParts
from carousel.tasks.classify.network import as_sequence, build_model
from carousel.tasks.classify.task import ClassifyTask


@pytest.fixture(scope="module")
def task():
    return ClassifyTask(small_config(), seed=0)


def test_views_read_the_image_in_the_order_of_its_pixels():
    image = torch.arange(28 * 28).view(1, 28, 28)
    rows, pixels, whole = (as_sequence(image, view) for view in ("rows", "pixels", "image"))
    assert (rows.shape, pixels.shape, whole.shape) == ((1, 28, 28), (1, 784, 1), (1, 1, 784))
    assert rows[0, 3].tolist() == list(range(84, 112))
    assert pixels[0, :, 0].tolist() == whole[0, 0].tolist() == list(range(784))


CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_the_classifier_is_layers_pooling_and_head(cell, bidirectional, pooling):
    settings = [f"model.cell={cell}", f"model.pooling={pooling}", "model.num_layers=2"]
    flag = str(bidirectional).lower()
    config = small_config(*settings, f"model.bidirectional={flag}")
    model = randomise(build_model(config)).eval()
    theirs = CELLS[cell](28, 12, 2, batch_first=True, bidirectional=bidirectional)
    theirs.load_state_dict(model.recurrent.state_dict())
    x = randn(5, 28, 28, dtype=torch.float32)
    outputs, state = theirs(x)
    h = state[0] if cell == "lstm" else state
    summary = {
        "last": torch.cat([h[-2], h[-1]], 1) if bidirectional else h[-1],
        "mean": outputs.sum(1) / 28,
        "max": outputs.max(1).values,
    }[pooling]
    assert_close(model(x), summary @ model.head.weight.T + model.head.bias, "forward")


@pytest.mark.parametrize("cell", ["lstm", "rnn"])
def test_an_image_in_one_step_goes_through_a_feed_forward_network(cell):
    model = randomise(build_model(small_config("data.view=image", f"model.cell={cell}"))).eval()
    x = randn(5, 1, 784, dtype=torch.float32)
    weights = model.recurrent.state_dict()
    sums = x[:, 0] @ weights["weight_ih_l0"].T + weights["bias_ih_l0"] + weights["bias_hh_l0"]
    if cell == "rnn":
        hidden = sums.tanh()
    else:
        i, _, g, o = sums.chunk(4, 1)
        hidden = o.sigmoid() * (i.sigmoid() * g.tanh()).tanh()
    assert_close(model(x), hidden @ model.head.weight.T + model.head.bias, "forward")
    model(x).square().sum().backward()
    assert not model.recurrent.weight_hh_l0.grad.any(), "the recurrent weights have a part in it"


def test_the_rnn_takes_its_nonlinearity_and_the_lstm_its_forget_bias():
    assert build_model(
        small_config("model.cell=rnn", "model.nonlinearity=relu")
    ).recurrent.mode == ("RNN_RELU")
    layer = build_model(small_config("model.forget_bias=2.5")).recurrent
    assert (layer.bias_ih_l0 + layer.bias_hh_l0)[12:24].tolist() == [2.5] * 12


def test_dropout_acts_in_training_only_and_on_vertical_connections_only():
    model = randomise(build_model(small_config("regularization.input_dropout=0.5")))
    assert (model.recurrent.dropout, model.dropout.p, model.input_dropout.p) == (0, 0.3, 0.5)
    assert build_model(small_config("model.num_layers=2")).recurrent.dropout == 0.3
    x = randn(4, 28, 28, dtype=torch.float32)
    assert not torch.equal(model(x), model(x))
    assert torch.equal(model.eval()(x), model(x))


def test_the_model_follows_from_torchs_seed():
    def weights(seed):
        torch.manual_seed(seed)
        return torch.cat([p.flatten() for p in build_model(Config()).parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_parts_are_disjoint_and_cover_the_training_file():
    parts = ImageParts.read(Config())
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (55_000, 5_000, 10_000)
    full = mnist.load_train()
    brightness = torch.cat([parts.train.images, parts.validation.images]).long().sum((1, 2))
    assert torch.equal(brightness.sort().values, full.images.long().sum((1, 2)).sort().values)
    counts = parts.train.labels.bincount() + parts.validation.labels.bincount()
    assert torch.equal(counts, full.labels.bincount())


def test_the_scaler_knows_the_training_part_alone(task):
    pixels = task.parts.train.images.double()
    assert len(pixels) == 1500
    assert task.scaler.mean == pytest.approx(pixels.mean().item())
    assert task.scaler.std == pytest.approx(pixels.std(correction=0).item())


def test_fitting_and_validating_never_open_the_test_file(monkeypatch):
    monkeypatch.setattr(mnist, "load_test", lambda: pytest.fail("the test part was opened"))
    task = ClassifyTask(small_config(), seed=0)
    model = task.build_model()
    images, labels = next(task.train_batches(0, 0))
    task.loss(model, (images, labels)).objective.backward()
    task.validate(model)


def test_loss_is_the_mean_cross_entropy_of_scaled_sequences(task):
    model = randomise(task.build_model()).eval()
    images, labels = task.parts.train.images[:7], task.parts.train.labels[:7]
    result = task.loss(model, (images, labels))
    logits = model((images.float() - task.scaler.mean) / task.scaler.std)
    by_hand = -torch.stack([row.log_softmax(0)[y] for row, y in zip(logits, labels, strict=True)])
    assert_close(result.objective, by_hand.mean(), "forward")
    assert_close(result.sums["loss"], by_hand.sum().detach(), "forward")
    assert int(result.sums["accuracy"]) == int((logits.argmax(1) == labels).sum())
    assert result.count == 7


def test_validation_scores_do_not_depend_on_how_it_is_batched(task):
    model = randomise(task.build_model()).train()
    scores = task.validate(model)
    assert model.training  # left as it was found
    part = task.parts.validation
    logits = model.eval()(task.scaler(part.images))
    assert scores["loss"] == pytest.approx(F.cross_entropy(logits, part.labels).item(), rel=1e-5)
    assert scores["accuracy"] == (logits.argmax(1) == part.labels).double().mean().item()


def test_probabilities_sum_to_one_and_leave_the_mode_alone(task):
    model = randomise(task.build_model()).train()
    images = mnist.load_test().images[:1003]  # more than one batch, and a rest
    trained = task.finish(model)
    chances = trained.predict_proba(images)
    assert model.training
    assert chances.shape == (1003, 10)
    np.testing.assert_allclose(chances.sum(1), np.ones(1003), rtol=1e-6)
    np.testing.assert_allclose(trained.predict_proba(images[1000])[0], chances[1000], rtol=1e-6)
    whole = model.eval()(*trained.encode(images)).softmax(1)
    np.testing.assert_allclose(chances, whole.detach().numpy(), rtol=1e-6)
    none = trained.predict_proba(images[:0])
    assert none.shape == (0, 10)
