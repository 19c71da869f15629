"""Classifiers and regressors of sequences: input, weights, groups, and scikit-learn's tools."""

import pickle
import pickletools

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from carousel import bundle, tasks
from carousel.estimators import SequenceClassifier, SequenceRegressor
from carousel.estimators.inputs import BLOCK, FLAT, RAGGED, read

QUICK = {"hidden_size": 8, "epochs": 8, "batch_size": 8, "learning_rate": 0.03, "random_state": 0}


def sequences(count=30, features=2, seed=0):
    """Sequences of unequal length; the class, and the number, follow from the first feature."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(rng.integers(3, 9), features)) for _ in range(count)]
    means = np.array([x[:, 0].mean() for x in X])
    return X, np.where(means > 0, "up", "down"), 10 + 5 * means


def classifier(**more):
    return SequenceClassifier(**{**QUICK, **more})


def regressor(**more):
    return SequenceRegressor(**{**QUICK, **more})


@pytest.fixture(scope="module")
def fitted():
    X, y, _ = sequences()
    return classifier().fit(X, y)


# ---- input


def test_lists_blocks_and_flat_arrays_of_the_same_numbers_give_the_same():
    block = np.random.default_rng(0).normal(size=(20, 5, 1))
    y = (block[:, :, 0].mean(1) > 0).astype(int)
    forms = [block, list(block), block[:, :, 0], [x.tolist() for x in block]]
    chances = [classifier().fit(X, y).predict_proba(X) for X in forms]
    for other in chances[1:]:
        np.testing.assert_array_equal(other, chances[0])


def test_the_form_of_the_input_is_told_apart():
    flat, rows = np.ones((3, 4)), [np.ones((2, 1)), np.ones((4, 1))]
    known = {FLAT: [flat, flat.tolist(), pd.DataFrame(flat)], BLOCK: [np.ones((3, 4, 1))]}
    known[RAGGED] = [rows, [row[:, 0] for row in rows], [row.tolist() for row in rows]]
    known[RAGGED].append(np.array([*rows, rows[0]], dtype=object)[:2])
    for form, examples in known.items():
        for X in examples:
            assert read(classifier(), X, reset=True).form == form


def test_data_frames_are_compared_by_the_names_of_their_columns():
    X, y, _ = sequences()
    frames = [pd.DataFrame(x, columns=["speed", "force"]) for x in X]
    model = classifier().fit(frames, y)
    assert model.feature_names_in_.tolist() == ["speed", "force"]
    np.testing.assert_array_equal(model.predict_proba(frames), model.predict_proba(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict([frame[["force", "speed"]] for frame in frames])
    with pytest.raises(ValueError, match="same columns in the same order"):
        classifier().fit([frames[0], frames[1].rename(columns={"force": "x"}), *frames[2:]], y)
    flat = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=list("abc"))
    wide = classifier().fit(flat, [0, 1] * 10)
    assert wide.feature_names_in_.tolist() == ["a", "b", "c"]
    assert not hasattr(wide.fit(X, y), "feature_names_in_")


@pytest.mark.parametrize(
    ("X", "says"),
    [
        ([np.ones((3, 3))], "X has 3 features, but SequenceClassifier is expecting 2 features"),
        (np.ones((3, 2)), r"list of sequences \(steps, 2\).* of a single sequence x, \[x\]"),
        ([np.ones((3, 2)), np.full((2, 2), np.nan)], "contains NaN, in sequence 1"),
        ([np.ones((3, 2)), np.full((2, 2), np.inf)], "contains infinity, in sequence 1"),
        ([np.ones((3, 2)), np.ones((0, 2))], "sequence 1 has 0 steps"),
        ([np.ones((3, 2)), np.ones((3, 1))], "must have the same features"),
        ([np.array([["a", "b"]])], "sequence 0 must hold numbers"),
    ],
)
def test_what_does_not_fit_is_refused(fitted, X, says):
    with pytest.raises(ValueError, match=says):
        fitted.predict(X)


def test_a_flat_array_of_sequences_with_one_feature_is_read_as_such():
    X, y, _ = sequences(features=1)
    model = classifier().fit(X, y)
    block = np.random.default_rng(1).normal(size=(4, 6))
    np.testing.assert_array_equal(
        model.predict_proba(block), model.predict_proba(block[:, :, None])
    )
    flat = classifier().fit(block, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="was fitted on a 2-D array of 6 steps"):
        flat.predict(X)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"validation": 1.5}, "validation must be a share"),
        ({"cell": "lstmm"}, r"model\.cell must be one of"),
        ({"epochs": 0}, r"training\.epochs must be at least 1"),
        ({"settings": {"text.bptt": 3}}, r"text\.bptt has no effect"),
        ({"random_state": -1}, "seed must lie between"),
    ],
)
def test_parameters_that_cannot_be_are_refused_in_fit(change, says):
    X, y, _ = sequences(10)
    with pytest.raises(ValueError, match=says):
        classifier(**change).fit(X, y)


def test_one_class_one_sequence_and_other_counts_are_refused():
    X, y, numbers = sequences(10)
    with pytest.raises(ValueError, match="y has 1 class"):
        classifier().fit(X, ["a"] * 10)
    with pytest.raises(ValueError, match="n_samples = 1"):
        regressor().fit(X[:1], numbers[:1])
    with pytest.raises(ValueError, match="X has 10 sequences, y 9"):
        classifier().fit(X, y[:9])
    with pytest.raises(NotFittedError):
        classifier().predict(X)


# ---- what is trained


def test_chances_are_those_of_the_trained_model_and_add_up(fitted):
    X, _, _ = sequences(seed=1)
    chances = fitted.predict_proba(X)
    np.testing.assert_allclose(chances, fitted.model_.predict_proba(X), rtol=1e-6)
    np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-12)
    assert (fitted.predict(X) == fitted.classes_[chances.argmax(1)]).all()
    assert [a.label for a in fitted.model_.predict(X)] == fitted.predict(X).tolist()


def test_the_network_is_what_torch_computes_from_the_standardised_sequences(fitted):
    X, _, _ = sequences(seed=1)
    network, x = fitted.model_.model, X[0]
    lstm = torch.nn.LSTM(2, 8, bidirectional=True, batch_first=True)
    lstm.load_state_dict(network.recurrent.state_dict())
    scaler = fitted.model_.scaler
    scaled = (torch.tensor(x) - scaler.mean) / scaler.std
    with torch.no_grad():
        logits = network.head(lstm(scaled.float()[None])[0].amax(1))
    np.testing.assert_allclose(
        fitted.predict_proba([x])[0], logits.softmax(1)[0].numpy(), rtol=1e-4
    )


@pytest.mark.parametrize("make", [classifier, regressor])
def test_equal_seeds_give_equal_results_and_others_do_not(make):
    X, y, numbers = sequences()
    target = y if make is classifier else numbers

    def answers(seed):
        model = make(random_state=seed).fit(X, target)
        return model.predict_proba(X) if make is classifier else model.predict(X)

    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(answers(3), answers(3))
    assert (np.random.get_state()[1] == before).all()
    assert not np.array_equal(answers(3), answers(4))
    one, other = (answers(np.random.RandomState(5)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_the_held_out_share_is_of_each_class_and_groups_never_straddle_it(monkeypatch):
    X, y, numbers = sequences(40)
    groups = np.array([f"g{i % 7}" for i in range(40)])
    seen = []
    real = SequenceClassifier._fit

    def watch(self, parts, given, more=None):
        seen.append(parts)
        return real(self, parts, given, more)

    monkeypatch.setattr(SequenceClassifier, "_fit", watch)
    monkeypatch.setattr(SequenceRegressor, "_fit", watch)
    for model, target in ((classifier(), y), (regressor(), numbers)):
        for state in range(3):
            model.set_params(random_state=state, epochs=1).fit(X, target, groups=groups)
            train, held = (
                groups[list(map(int, p.names))] for p in (seen[-1].train, seen[-1].validation)
            )
            assert len(train) + len(held) == 40
            assert not set(train) & set(held)
            assert set(held)
    classifier(epochs=1, validation=0.25).fit(X, y)
    held = seen[-1].validation.labels
    wanted = np.round(0.25 * np.unique(y, return_counts=True)[1])
    np.testing.assert_array_equal(torch.bincount(held).numpy(), wanted)
    with pytest.raises(ValueError, match="at least 2 groups"):
        classifier().fit(X, y, groups=["a"] * 40)
    with pytest.raises(ValueError, match="groups must name the group of each of 40"):
        classifier().fit(X, y, groups=["a"] * 39)


def test_a_weight_of_two_is_the_sequence_twice_in_the_loss(monkeypatch):
    X, y, _ = sequences(12)
    weights = np.where(np.arange(12) < 3, 2.0, 1.0)
    tasks_made = []

    def watch(self, parts, given, more=None):
        config = self._config(100, 5, 2).override({"training.batch_size": 64})
        tasks_made.append(tasks.find("classify_recordings")(config, 0, parts))

    monkeypatch.setattr(SequenceClassifier, "_fit", watch)
    classifier(validation=0).fit(X, y, sample_weight=weights)
    (task,) = tasks_made
    torch.manual_seed(0)
    network = task.build_model().eval()
    weighed = task.loss(network, next(task.train_batches(0, 0)))
    twice = torch.tensor([*range(12), 0, 1, 2])
    labels = task.data.train.labels[twice]
    doubled = task.loss(network, (*task._train.pad(twice), labels))
    torch.testing.assert_close(weighed.objective, doubled.objective)
    for name in ("loss", "accuracy"):
        one, other = (step.sums[name] / step.count for step in (weighed, doubled))
        torch.testing.assert_close(one, other, check_dtype=False)
        assert task.validate(network)[name] == pytest.approx(float(other), rel=1e-5)


def test_a_weight_of_zero_leaves_a_sequence_out_to_the_last_bit():
    X, y, _ = sequences(20)
    weights = np.ones(20)
    weights[[2, 5, 11]] = 0
    kept = weights > 0
    without = classifier().fit([x for x, k in zip(X, kept, strict=True) if k], y[kept])
    np.testing.assert_array_equal(
        classifier().fit(X, y, sample_weight=weights).predict_proba(X), without.predict_proba(X)
    )
    np.testing.assert_array_equal(
        classifier().fit(X, y, sample_weight=np.full(20, 7.0)).predict_proba(X),
        classifier().fit(X, y).predict_proba(X),
    )
    with pytest.raises(ValueError, match="zero"):
        classifier().fit(X, y, sample_weight=np.zeros(20))


def test_weights_move_what_is_learnt():
    X, _, _ = sequences(40)
    labels = np.array([0, 1] * 20)  # which nothing in X tells
    plain = classifier(validation=0).fit(X, labels)
    heavy = classifier(validation=0).fit(X, labels, sample_weight=np.where(labels, 9.0, 1.0))
    shares = [model.predict_proba(X)[:, 1].mean() for model in (plain, heavy)]
    assert shares[0] < 0.6 < 0.7 < shares[1]


def test_without_a_held_out_share_all_train_and_the_last_weights_are_kept():
    X, y, _ = sequences(12)
    model = classifier(validation=0, patience=1).fit(X, y)
    assert model.epochs_ == model.best_epoch_ == QUICK["epochs"]


def test_several_numbers_are_found_of_a_sequence():
    X, _, numbers = sequences(40)
    both = np.stack((numbers, -100 * numbers), 1)
    model = regressor(epochs=40).fit(X, both)
    assert model.predict(X).shape == (40, 2)
    assert model.score(X, both) > 0.5
    np.testing.assert_allclose(model.predict(X), model.model_.numbers(X))
    assert list(model.model_.targets) == ["y0", "y1"]


def test_labels_of_any_kind_come_back_as_they_were():
    X, y, _ = sequences(20)
    for labels in ((y == "up"), (y == "up").astype(int) - 1, y.astype(object)):
        model = classifier(epochs=1).fit(X, labels)
        assert model.classes_.dtype == np.asarray(labels).dtype
        assert set(model.predict(X)) <= set(labels)


# ---- scikit-learn's tools


def test_a_pickle_holds_the_files_of_a_bundle_and_gives_the_same_answers(fitted):
    X, _, _ = sequences(seed=2)
    content = pickle.dumps(fitted)
    np.testing.assert_array_equal(pickle.loads(content).predict_proba(X), fitted.predict_proba(X))
    modules = {
        str(argument).split()[0]
        for code, argument, _ in pickletools.genops(content)
        if code.name in ("GLOBAL", "SHORT_BINUNICODE") and "." in str(argument)
    }
    assert not [name for name in modules if name.startswith("torch")]
    files = bundle.to_bytes(fitted.model_)
    assert set(files) == {"model.json", "weights.safetensors"}
    assert files["weights.safetensors"] in content


def test_a_clone_has_the_parameters_and_nothing_that_was_learnt(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "model_")
    assert copy.set_params(hidden_size=5).hidden_size == 5


def test_grid_search_cross_validation_and_pipelines_take_lists_of_sequences():
    X, y, numbers = sequences(24)
    steps = [("scale", FunctionTransformer(lambda X: [x * 2 for x in X])), ("net", classifier())]
    search = GridSearchCV(Pipeline(steps), {"net__hidden_size": [4, 8]}, cv=2).fit(X, y)
    assert search.best_params_["net__hidden_size"] in (4, 8)
    assert search.predict(X).shape == (24,)
    chances = cross_val_predict(classifier(), X, y, cv=2, method="predict_proba")
    assert chances.shape == (24, 2)
    groups = [i % 4 for i in range(24)]
    scores = cross_val_score(regressor(), X, numbers, cv=GroupKFold(2), groups=groups)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
def test_chances_can_be_calibrated(method):
    X, y, _ = sequences(40)
    model = CalibratedClassifierCV(classifier(), method=method, cv=2).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1)


def test_verbose_shows_the_training_and_silence_is_the_default(capsys):
    X, y, _ = sequences(10)
    classifier(epochs=2).fit(X, y)
    assert capsys.readouterr() == ("", "")
    classifier(epochs=2, verbose=True).fit(X, y)
    assert "epoch" in "".join(capsys.readouterr())
