"""What the networks of several tasks share: losses of classes, dropped words, evaluation mode."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from carousel.config import LossConfig
from carousel.tasks.network import class_weights, drop_words, evaluating, weighted_loss


def test_the_plain_loss_is_the_mean_and_its_report_the_sum():
    logits, labels = torch.randn(7, 3), torch.randint(0, 3, (7,))
    objective, total = weighted_loss(logits, labels, LossConfig(), None)
    torch.testing.assert_close(objective, F.cross_entropy(logits, labels))
    torch.testing.assert_close(total, 7 * objective)


def test_smoothing_and_weights_are_those_of_their_definition():
    torch.manual_seed(0)
    logits, labels = torch.randn(9, 4), torch.tensor([0, 0, 0, 0, 1, 1, 2, 3, 0])
    config = LossConfig(label_smoothing=0.3, class_weights="balanced")
    weights = class_weights(labels, 4, config)
    torch.testing.assert_close(weights, 9 / (4 * torch.tensor([5.0, 2.0, 1.0, 1.0])))
    objective, total = weighted_loss(logits, labels, config, weights)
    chances = logits.log_softmax(1)
    target = 0.7 * F.one_hot(labels, 4) + 0.3 / 4
    by_hand = (weights[labels] * -(target * chances).sum(1)).mean()
    torch.testing.assert_close(objective, by_hand)
    torch.testing.assert_close(total, -chances[torch.arange(9), labels].sum())


def test_balanced_classes_weigh_alike_whatever_their_number():
    labels = torch.tensor([0] * 90 + [1] * 10)
    weights = class_weights(labels, 2, LossConfig(class_weights="balanced"))
    total = torch.zeros(2).index_add(0, labels, weights[labels])
    torch.testing.assert_close(total, torch.tensor([50.0, 50.0]))
    assert class_weights(labels, 2, LossConfig()) is None


def test_a_dropped_word_is_dropped_wherever_it_stands_and_the_mean_stays():
    torch.manual_seed(1)
    tokens = torch.randint(0, 50, (20, 30))
    x = torch.ones(20, 30, 4)
    total = torch.zeros(())
    for _ in range(200):
        dropped = drop_words(x, tokens, 0.3, 50)
        total += dropped.mean() / 200
        for token in (3, 7):
            values = dropped[tokens == token]
            assert len(values.unique()) == 1
    assert float(dropped.max()) == pytest.approx(1 / 0.7)
    assert float(total) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_comes_back_to_the_mode_it_found_even_after_an_error(training):
    network = nn.Linear(2, 2).train(training)

    def fail():
        with evaluating(network) as device:
            assert not network.training
            assert not torch.is_grad_enabled()
            assert device.type == "cpu"
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert network.training is training
    assert torch.is_grad_enabled()
