"""A run that trains in a second: few images, few units, but every moving part."""

from carousel.config import Config

SETTINGS = (
    "data.train_limit=1500",
    "data.validation=300",
    "data.shift=1",
    "model.hidden_size=12",
    "regularization.dropout=0.3",
    "regularization.l1.input=1e-5",
    "regularization.l2.recurrent=1e-4",
    "optimizer.learning_rate=1e-2",
    "optimizer.clip_norm=1",
    "schedule.name='one-cycle'",
    "training.epochs=4",
    "training.batch_size=64",
    "training.patience=3",
)


def small_config(*more: str) -> Config:
    return Config().override([*SETTINGS, *more])
