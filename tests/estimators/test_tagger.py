"""A class for every step: forms, unknown labels, weights, groups, scikit-learn's tools."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from carousel import tasks
from carousel.estimators import SequenceTagger

QUICK = {"hidden_size": 8, "epochs": 10, "batch_size": 8, "learning_rate": 0.05, "random_state": 0,
         "settings": {"frames.passes": 1}}  # fmt: skip


def sequences(count=30, seed=0, steps=None):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(steps or rng.integers(3, 9), 2)) for _ in range(count)]
    return X, [np.where(x[:, 0] > 0, "high", "low") for x in X]


def tagger(**more):
    return SequenceTagger(**{**QUICK, **more})


@pytest.fixture(scope="module")
def fitted():
    return tagger().fit(*sequences())


def test_labels_are_those_of_the_trained_model_and_probabilities_add_up(fitted):
    X, y = sequences(seed=1)
    answers = fitted.model_.predict(X)
    chances = fitted.predict_proba(X)
    for x, row, answer, chance in zip(X, fitted.predict(X), answers, chances, strict=True):
        assert row.tolist() == list(answer.labels)
        assert chance.shape == (len(x), 2)
        np.testing.assert_allclose(chance.sum(1), 1)
    guess, truth = np.concatenate(fitted.predict(X)), np.concatenate(y)
    assert fitted.score(X, y) == pytest.approx((guess == truth).mean())
    assert fitted.score(X, y) > 0.9


def test_an_array_gives_an_array_and_the_same_answers_as_a_list():
    X, y = sequences(steps=5)
    block, labels = np.stack(X), np.stack(y)
    model = tagger().fit(block, labels)
    assert model.predict(block).shape == (30, 5)
    assert model.predict_proba(block).shape == (30, 5, 2)
    other = tagger().fit(X, y)
    np.testing.assert_array_equal(np.stack(other.predict_proba(X)), model.predict_proba(block))
    flat = tagger(epochs=1).fit(block[:, :, 0], labels)
    assert flat.predict(block[:, :, 0]).shape == (30, 5)


def watched(monkeypatch):
    made = []

    def watch(self, parts, given, more=None):
        config = self._config(10, 5, 2).override({"training.batch_size": 64})
        made.append(tasks.find("label_frames")(config, 0, parts))

    monkeypatch.setattr(SequenceTagger, "_fit", watch)
    return made


def test_labels_that_are_not_known_are_in_no_loss_and_no_score(monkeypatch, fitted):
    X, y = sequences()
    partly = [[None, *row[1:].tolist()] for row in y]
    made = watched(monkeypatch)
    tagger(validation=0).fit(X, partly)
    batch = next(made[0].train_batches(0, 0))
    assert made[0].loss(made[0].build_model(), batch).count == sum(map(len, X)) - len(X)
    known = [(a, b) for row, found in zip(partly, fitted.predict(X), strict=True)
             for a, b in zip(row, found, strict=True) if a is not None]  # fmt: skip
    assert fitted.score(X, partly) == pytest.approx(np.mean([a == b for a, b in known]))
    with pytest.raises(ValueError, match="nothing to judge"):
        fitted.score(X[:1], [[None] * len(X[0])])


def test_a_weight_of_two_is_the_sequence_twice_in_the_loss(monkeypatch):
    X, y = sequences(12)
    made = watched(monkeypatch)
    tagger(validation=0).fit(X, y, sample_weight=np.where(np.arange(12) < 3, 2.0, 1.0))
    (task,) = made
    torch.manual_seed(0)
    network = task.build_model().eval()
    weighed = task.loss(network, next(task.train_batches(0, 0)))
    twice = torch.tensor([*range(12), 0, 1, 2])
    values, lengths = task._train.pad(twice)
    labels = type(task._train)(task.data.train.labels, task._train.offsets).pad(twice, fill=-1)[0]
    doubled = task.loss(network, (values, lengths, labels))
    torch.testing.assert_close(weighed.objective, doubled.objective)


def test_groups_never_straddle_the_held_out_share(monkeypatch):
    X, y = sequences()
    groups = np.array([i % 5 for i in range(30)])
    made = watched(monkeypatch)
    tagger().fit(X, y, groups=groups)
    data = made[0].data
    train, held = ({groups[int(name)] for name in p.names} for p in (data.train, data.validation))
    assert held
    assert not train & held


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda X, y: (X, y[:-1]), "X has 30 sequences, y the labels of 29"),
        (lambda X, y: (X, [*y[:-1], y[-1][:-1]]), "sequence 29 has . steps, and y . labels"),
        (lambda X, y: (X, ["low"] * 30), "a row of labels, one for each step"),
        (lambda X, y: (X, [np.full(len(row), "a") for row in y]), "at least 2 classes"),
        (lambda X, y: (X, None), "labels of every step"),
        (lambda X, y: (X, [[0] * len(y[0]), *y[1:]]), "text and numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        tagger().fit(*change(*sequences()))


def test_pickle_clone_and_searches_take_rows_of_labels(fitted):
    X, y = sequences(seed=3)
    again = pickle.loads(pickle.dumps(fitted))
    for one, other in zip(again.predict_proba(X), fitted.predict_proba(X), strict=True):
        np.testing.assert_array_equal(one, other)
    assert clone(fitted).get_params() == fitted.get_params()
    assert cross_val_score(tagger(), X, y, cv=KFold(2)).shape == (2,)
    search = GridSearchCV(tagger(epochs=2), {"cell": ["gru", "rnn"]}, cv=2).fit(X, y)
    assert search.best_params_["cell"] in ("gru", "rnn")
