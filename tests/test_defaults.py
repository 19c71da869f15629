"""Settings by the size of the data: what follows from what, and that every one can be set."""

import pytest

from carousel.config import Config, refuse_idle
from carousel.config.defaults import defaults

SIZES = [(1, 1, 1), (20, 5, 2), (99, 1000, 3), (216, 16, 12), (5000, 80, 400), (10**6, 30, 1)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("task", ["classify_recordings", "label_frames", "regress", "forecast"])
def test_they_are_settings_that_the_tasks_of_sequences_read(size, task):
    config = Config.from_dict({"task": task, "data": {"name": "recordings"}})
    refuse_idle(config.override(defaults(*size)))


def test_more_data_get_more_units_less_dropout_and_fewer_epochs():
    found = [defaults(count, 20, 4) for count in (20, 200, 20_000)]
    for name, falls in (
        ("model.hidden_size", False),
        ("regularization.dropout", True),
        ("training.batch_size", False),
        ("training.epochs", True),
    ):
        values = [each[name] for each in found]
        assert values == sorted(values, reverse=falls), name
    assert defaults(10, 3, 1)["model.hidden_size"] == 16
    assert defaults(500, 20, 400)["model.hidden_size"] == 128
    assert defaults(500, 900, 4)["model.cell"] == "gru"


def test_an_epoch_has_at_least_twelve_steps_where_there_are_enough():
    for count in range(96, 3000, 17):
        found = defaults(count, 20, 4)
        assert count / found["training.batch_size"] >= 12
        steps = found["training.epochs"] * -(-count // found["training.batch_size"])
        assert 900 <= steps <= 1100 or found["training.epochs"] in (10, 80)
