"""Code as people write it with Carousel; `make check` reads it with mypy and pyright, both strict.

Nothing here is run. Each `assert_type` is what an editor shows: a name that lost its type, or
`py.typed` left out of the package, fails both checkers.
"""

from pathlib import Path
from typing import assert_type

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import carousel
from carousel.estimators import SequenceClassifier
from carousel.layers import Acceleration
from carousel.tasks.shared.task import TrainedModel
from carousel.training import TrainedRun


class Tagger(nn.Module):
    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.rnn = carousel.LSTM(features, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        output, (h, c) = self.rnn(x, lengths=lengths)
        assert_type(self.rnn, carousel.LSTM)
        print(h.shape, c.shape)
        labels: Tensor = self.head(output)  # torch says of no module's call what it returns
        return labels


def faster(model: Tagger) -> Tagger:
    assert_type(carousel.accelerate(model), Tagger)
    assert_type(carousel.restore(model), Tagger)
    assert_type(carousel.accelerated(model), Acceleration)
    print(carousel.accelerated(model))
    return model


def options() -> list[nn.Module]:
    gru = carousel.GRU(3, 4, num_layers=2, dropout=0.1)
    assert_type(carousel.explain(gru, torch.zeros(5, 2, 3)), str)
    return [gru, carousel.RNN(3, 4), carousel.MinGRU(3, 4), carousel.LSTM(3, 4, peephole=True)]


def own_data(path: Path) -> None:
    model = carousel.fit(path, target="label", epochs=3, quiet=True)
    assert_type(model, TrainedModel)
    answers = model.predict(np.zeros((2, 10, 3), dtype=np.float32))
    print(len(answers))


def recipe(folder: Path) -> None:
    run = carousel.train("mnist-rows", {"training.epochs": 1}, seed=1, run_dir=folder)
    assert_type(run, TrainedRun)
    assert_type(run.load(), TrainedModel)
    assert_type(carousel.load(folder), TrainedModel)


def scikit(x: list[NDArray[np.float32]], y: list[str]) -> float:
    classifier = SequenceClassifier(hidden_size=16, epochs=2).fit(x, y)
    assert_type(classifier, SequenceClassifier)
    print(classifier.predict(x).shape)
    return float(np.mean(classifier.predict_proba(x)[:, 0]))


def mistakes(error: carousel.CarouselError) -> str:
    return str(error)
