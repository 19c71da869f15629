"""Early stopping: which epoch is best, when to stop, what is said and restored."""

import re

import torch
from torch import nn

from carousel.config import TrainingConfig
from carousel.data.said import said as in_language
from carousel.training.stopping import EarlyStopping


def watch(config, values, monitor="accuracy"):
    """The state after each epoch's value, on a model whose weight is the epoch's number."""
    stopping, model = EarlyStopping(config, monitor), nn.Linear(1, 1, bias=False)
    stops = []
    for epoch, value in enumerate(values, 1):
        with torch.no_grad():
            model.weight.fill_(epoch)
        stopping.update(epoch, {monitor: value}, model)
        stops.append(stopping.should_stop)
    return stopping, model, stops


def test_stops_after_patience_epochs_without_a_better_one():
    config = TrainingConfig(patience=2)
    stopping, model, stops = watch(config, [0.5, 0.7, 0.7, 0.6])
    assert stops == [False, False, False, True]
    stopping.restore(model)
    assert model.weight.item() == 2
    said = stopping.reason(4, 400)
    assert "stopped early after epoch 4" in said
    assert "no better validation accuracy for 2 epochs" in said
    assert "validation accuracy 70.00% in epoch 2" in said


def test_patience_that_ends_with_the_last_epoch_has_stopped_nothing_early():
    config = TrainingConfig(patience=2, epochs=4)
    stopping, _, stops = watch(config, [0.5, 0.7, 0.7, 0.6])
    assert stops[-1]
    assert stopping.reason(4, 400).startswith("ran all 4 epochs; best validation accuracy 70.00%")


def test_a_better_epoch_starts_the_count_anew():
    _, _, stops = watch(TrainingConfig(patience=2), [0.5, 0.4, 0.6, 0.5, 0.5])
    assert stops == [False, False, False, False, True]


def test_loss_is_better_when_lower_by_more_than_min_delta():
    config = TrainingConfig(patience=2, min_delta=0.1)
    stopping, _, stops = watch(config, [1.0, 0.95, 0.85, 0.8, 0.79], "loss")
    assert stopping.best_epoch == 3
    assert stops == [False, False, False, False, True]


def test_patience_zero_never_stops_and_the_reason_is_the_end_of_the_epochs():
    stopping, _, stops = watch(TrainingConfig(), [0.5, 0.4, 0.3])
    assert not any(stops)
    assert stopping.reason(3, 30).startswith("ran all 3 epochs; best validation accuracy 50.00%")
    limited = EarlyStopping(TrainingConfig(max_steps=25, restore_best=False), "accuracy")
    limited.update(1, {"accuracy": 0.5}, nn.Linear(1, 1))
    assert limited.reason(2, 25).startswith("ran the 25 steps asked for")
    assert "the last weights are kept" in limited.reason(2, 25)


def test_state_survives_a_checkpoint():
    config = TrainingConfig(patience=2)
    stopping, model, _ = watch(config, [0.5, 0.7, 0.6])
    again = EarlyStopping(config, "accuracy")
    again.load_state_dict(stopping.state_dict())
    again.update(4, {"accuracy": 0.65}, model)
    assert again.should_stop
    again.restore(model)
    assert model.weight.item() == 2


def test_one_epoch_and_one_step_are_counted_as_one():
    single = EarlyStopping(TrainingConfig(), "accuracy")
    single.update(1, {"accuracy": 0.5}, nn.Linear(1, 1))
    assert single.reason(1, 10).startswith("ran the 1 epoch asked for; ")
    limited = EarlyStopping(TrainingConfig(max_steps=1), "accuracy")
    limited.update(1, {"accuracy": 0.5}, nn.Linear(1, 1))
    assert limited.reason(1, 1).startswith("ran the 1 step asked for; ")


def test_every_reason_is_said_in_korean():
    reasons = []
    for changed in ({}, {"max_steps": 25}, {"max_steps": 1}, {"restore_best": False}):
        ended = EarlyStopping(TrainingConfig(**changed), "accuracy")
        ended.update(1, {"accuracy": 0.5}, nn.Linear(1, 1))
        steps = changed.get("max_steps", 25)
        reasons += [ended.reason(epoch, steps) for epoch in (1, 3)]
    for patience in (1, 2):
        stopped, *_ = watch(TrainingConfig(patience=patience), [0.5, *[0.6] * patience], "loss")
        reasons.append(stopped.reason(1 + patience, 40))
    assert len(set(reasons)) == 8
    for reason in reasons:
        korean = in_language(reason, "ko")
        assert not re.search("[A-Za-z(]", korean), korean
        assert re.findall(r"\d[\d.]*", korean), korean
