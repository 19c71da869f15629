"""Recurrent networks as scikit-learn estimators: sequences of unequal length in, answers out.

They train in memory, and take lists of arrays (T_i, F), arrays (N, T, F), or arrays (N, T) with
one feature per step. They clone, pickle, and work in pipelines, grid searches and calibration.
"""

from carousel.estimators.classifier import SequenceClassifier
from carousel.estimators.detector import AnomalyDetector
from carousel.estimators.forecaster import Forecaster
from carousel.estimators.many import ManySeriesForecaster
from carousel.estimators.regressor import SequenceRegressor
from carousel.estimators.tagger import SequenceTagger

__all__ = [
    "AnomalyDetector",
    "Forecaster",
    "ManySeriesForecaster",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
]
