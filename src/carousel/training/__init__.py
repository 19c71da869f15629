"""Training a recipe from start to finish, or from where it was stopped."""

from carousel.training.loop import Interrupted
from carousel.training.memory import Fitted, fit
from carousel.training.session import TrainedRun, resume, train

__all__ = ["Fitted", "Interrupted", "TrainedRun", "fit", "resume", "train"]
