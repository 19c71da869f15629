"""An epoch that displays of a training show in tests."""

from carousel.run.events import Epoch

SUMMARY = Epoch(
    epoch=2,
    train={"loss": 0.25, "accuracy": 0.5},
    validation={"loss": 0.125, "accuracy": 0.75},
    monitor="accuracy",
    learning_rate=0.003,
    best=True,
    seconds=12.0,
)
