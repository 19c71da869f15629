"""Trained models as subjects: scaling and embedding before the network, answers after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from carousel.errors import ConfigError
from carousel.export.detectors import detector
from carousel.export.forecasts import forecaster
from carousel.export.images import classifier
from carousel.export.recordings import (
    frame_labeller,
    recording_classifier,
    regressor,
    whole_regressor,
)
from carousel.export.subject import Subject
from carousel.export.texts import language_model, text_classifier, word_labeller
from carousel.tasks.anomaly.trained import TrainedDetector
from carousel.tasks.classify.trained import TrainedClassifier
from carousel.tasks.classify_recordings.trained import TrainedRecordingClassifier
from carousel.tasks.classify_text.trained import TrainedTextClassifier
from carousel.tasks.forecast.trained import TrainedForecaster
from carousel.tasks.generate.trained import TrainedLanguageModel
from carousel.tasks.label_frames.trained import TrainedFrameLabeller
from carousel.tasks.label_words.trained import TrainedWordLabeller
from carousel.tasks.regress.trained import TrainedRegressor
from carousel.tasks.regress.whole_trained import TrainedWholeRegressor
from carousel.tasks.shared.task import TrainedModel

_MAKERS: dict[type[TrainedModel], Callable[[Any], Subject]] = {
    TrainedClassifier: classifier,
    TrainedTextClassifier: text_classifier,
    TrainedWordLabeller: word_labeller,
    TrainedLanguageModel: language_model,
    TrainedRecordingClassifier: recording_classifier,
    TrainedFrameLabeller: frame_labeller,
    TrainedRegressor: regressor,
    TrainedWholeRegressor: whole_regressor,
    TrainedForecaster: forecaster,
    TrainedDetector: detector,
}
_TWO_FILES = "which goes into two .onnx files (carousel.export)"
_WITHOUT = {
    "translate": f"an encoder and a decoder that attends to its outputs, {_TWO_FILES}",
    "caption": f"an encoder of pictures and a decoder that attends to its map, {_TWO_FILES}",
}


def trained_subject(trained: TrainedModel) -> Subject:
    """A trained model and its description. Raises `ConfigError` for a task without one."""
    maker = _MAKERS.get(type(trained))
    if maker is None:
        task = trained.config.task
        why = (
            f"a model of the task '{task}' has no description: it is {_WITHOUT[task]}"
            if task in _WITHOUT
            else f"a model of the task '{task}' cannot be exported yet: it has no description"
        )
        raise ConfigError(
            f"{why}; its recurrent layers can be described by themselves, such as "
            "carousel.load(run).model.recurrent"
        )
    return maker(trained)
