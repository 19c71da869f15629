"""Training a recipe from start to finish, or from where it was stopped."""

from carousel.training.folds import TrainedFolds, resume_folds, train_folds
from carousel.training.loop import Interrupted
from carousel.training.memory import Fitted, fit
from carousel.training.session import TrainedRun, judge, resume, train
from carousel.training.team import Place, TeamEnded

__all__ = [
    "Fitted",
    "Interrupted",
    "Place",
    "TeamEnded",
    "TrainedFolds",
    "TrainedRun",
    "fit",
    "judge",
    "resume",
    "resume_folds",
    "train",
    "train_folds",
]
