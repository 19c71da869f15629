"""Unusual steps of series: scores, threshold, forms of series, what is refused, pickles."""

import math
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold

from carousel.estimators import AnomalyDetector

QUICK = {
    "window": 12, "horizon": 1, "hidden_size": 8, "epochs": 5, "batch_size": 16,
    "learning_rate": 0.02, "false_alarms": 50, "random_state": 0,
}  # fmt: skip


def series(count=200, features=2, seed=0):
    t = np.arange(count)
    noise = np.random.default_rng(seed).normal(0, 0.05, (count, features))
    return np.stack([np.sin(t / 4 + k) for k in range(features)], 1) + noise


def detector(**more):
    return AnomalyDetector(**{**QUICK, **more})


@pytest.fixture(scope="module")
def fitted():
    return detector().fit(series())


def test_a_spike_is_unusual_and_the_answers_agree_with_one_another(fitted):
    X = series(seed=1)
    X[120] += 4
    labels, scores = fitted.predict(X), fitted.score_samples(X)
    assert labels[120] == -1
    assert np.nanargmin(scores) in (120, 121)
    np.testing.assert_array_equal(fitted.decision_function(X), scores - fitted.offset_)
    np.testing.assert_array_equal(labels == -1, fitted.decision_function(X) < 0)
    (answer,) = fitted.model_.predict(X)
    np.testing.assert_array_equal(labels == -1, answer.alarms)
    np.testing.assert_allclose(scores / fitted.offset_, answer.scores)
    assert is_outlier_detector(fitted)


def test_scores_and_threshold_are_what_torch_and_numpy_compute():
    X = series(features=1)
    model = detector(settings={"anomaly.score": "worst"}).fit(X)
    learnt, network = X[:160], model.model_.model
    scaled = torch.tensor((X - learnt.mean()) / learnt.std()).float()
    gru = torch.nn.GRU(1, 8, batch_first=True)
    gru.load_state_dict(network.recurrent.state_dict())
    with torch.no_grad():
        ahead = network.head(gru(scaled[None])[0])[0] + scaled
    errors = np.full(len(X), np.nan)
    errors[1:] = (scaled[1:] - ahead[:-1]).numpy()[:, 0]
    errors[: 1 + 12 // 4] = np.nan
    usual = errors[:160][~np.isnan(errors[:160])]
    scores = np.abs(errors - usual.mean()) / usual.std()
    np.testing.assert_allclose(-model.score_samples(X), scores, rtol=1e-3, atol=1e-3)
    held = np.sort(-model.score_samples(X)[160:])
    assert -model.offset_ == held[math.ceil(0.95 * 41) - 1]
    assert np.isnan(model.score_samples(X)[:4]).all()
    assert (model.predict(X)[:4] == 1).all()


def test_on_the_steps_that_set_the_threshold_alarms_keep_to_the_rate():
    X = series(1000)
    few, many = (detector(epochs=2, false_alarms=rate).fit(X) for rate in (5, 100))
    assert (few.predict(X)[800:] == -1).sum() <= 1
    assert 10 <= (many.predict(X)[800:] == -1).sum() <= 20
    np.testing.assert_array_equal(few.score_samples(X), many.score_samples(X))
    assert few.offset_ < many.offset_


def test_answers_have_the_form_of_the_series():
    block = np.stack([series(seed=k) for k in range(3)])
    model = detector(epochs=1).fit(block)
    wanted = model.score_samples(block)
    assert wanted.shape == model.predict(block).shape == (3, 200)
    listed = model.score_samples(list(block))
    assert isinstance(listed, list)
    for one, other, x in zip(listed, wanted, block, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(model.score_samples(x), other)
        np.testing.assert_array_equal(model.score_samples(x.tolist()), other)
    unequal = model.decision_function([block[0][:50], block[1]])
    assert [len(one) for one in unequal] == [50, 200]
    np.testing.assert_array_equal(detector(epochs=1).fit(list(block)).score_samples(block), wanted)


def test_one_column_may_be_flat_and_a_list_may_hold_series_of_it():
    X = series(features=1)[:, 0]
    model = detector(epochs=1).fit(X)
    assert model.n_features_in_ == 1
    np.testing.assert_array_equal(model.score_samples(X[:, None]), model.score_samples(X))
    np.testing.assert_array_equal(model.score_samples(X.tolist()), model.score_samples(X))
    assert [len(one) for one in model.predict([X, X[:70]])] == [200, 70]


def test_data_frames_are_compared_by_the_names_of_their_columns(fitted):
    X = series()
    frame = pd.DataFrame(X, columns=["load", "wind"])
    model = detector().fit(frame)
    assert model.feature_names_in_.tolist() == ["load", "wind"]
    assert model.model_.columns == ("load", "wind")
    np.testing.assert_array_equal(model.score_samples(frame), fitted.score_samples(X))
    other = pl.DataFrame({"load": X[:, 0], "wind": X[:, 1]})
    np.testing.assert_array_equal(model.score_samples(other), fitted.score_samples(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["wind", "load"]])


def test_what_was_not_measured_has_no_score_and_is_no_alarm(fitted):
    X = series(seed=2)
    X[100] = np.nan
    assert np.isnan(fitted.score_samples(X)[100])
    assert fitted.predict(X)[100] == 1
    assert np.isfinite(fitted.score_samples(X)[102:]).all()
    gaps = series()
    gaps[[30, 170], 0] = np.nan
    assert np.isfinite(detector(epochs=1).fit(gaps).offset_)


def test_a_reconstruction_has_no_score_before_its_first_window():
    model = detector(error="reconstruction", epochs=1).fit(series())
    assert np.isnan(model.score_samples(series())).sum() == 11
    assert np.isnan(model.score_samples(series(5))).all()


@pytest.mark.parametrize(
    ("X", "change", "says"),
    [
        (series(), {"false_alarms": 1}, "999 validation steps with a score, there are 40"),
        (series(), {"validation": 0}, r"a share in \(0, 1\)"),
        (series(), {"window": 500}, "a window takes 501"),
        (series(), {"error": "rebuild"}, r"anomaly\.error must be one of"),
        (series(), {"cell": "lstmm"}, r"model\.cell must be one of"),
        (np.full((200, 1), np.inf), {}, "infinity"),
        (np.ones((0, 2)), {}, r"\(0, 2\)"),
        ([], {}, r"\(0, 1\)"),
        ([np.ones((90, 2)), np.ones((90, 3))], {}, "some have 2 columns, others 3"),
        ([["a", "b"]], {}, "must hold numbers"),
        (np.ones((90, 2)) * 1j, {}, "Complex data not supported"),
    ],
)
def test_what_cannot_be_fitted_is_refused(X, change, says):
    with pytest.raises(ValueError, match=says):
        detector(**change).fit(X)


def test_other_columns_and_a_detector_that_was_not_fitted_are_refused(fitted):
    with pytest.raises(ValueError, match="X has 3 features, but AnomalyDetector is expecting 2"):
        fitted.predict(series(features=3))
    with pytest.raises(NotFittedError):
        detector().predict(series())


def test_pickle_clone_seeds_and_searches(fitted):
    X = series(seed=3)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.score_samples(X), fitted.score_samples(X))
    assert again.offset_ == fitted.offset_
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "offset_")
    np.testing.assert_array_equal(copy.fit_predict(series()), fitted.predict(series()))
    other = detector(random_state=1).fit(series())
    assert not np.array_equal(other.score_samples(X), fitted.score_samples(X), equal_nan=True)

    def quiet(estimator, X, y=None):
        return float(np.mean([(labels == 1).mean() for labels in estimator.predict(X)]))

    lists = [series(seed=k) for k in range(4)]
    cells = {"cell": ["gru", "rnn"]}
    search = GridSearchCV(detector(epochs=1), cells, cv=KFold(2), scoring=quiet).fit(lists)
    assert search.best_params_["cell"] in ("gru", "rnn")


def test_a_series_too_short_to_learn_from_is_told_in_words_of_the_estimator():
    with pytest.raises(
        ValueError, match=r"at most 10 steps in a row.*a window takes 13: .*9 or less"
    ) as e:
        detector().fit(series(12))
    assert "anomaly." not in str(e.value)


def test_a_new_series_too_short_for_a_score_has_no_alarm(fitted):
    assert fitted.predict(series(1)).tolist() == [1]
    assert np.isnan(fitted.score_samples(series(1))).all()
