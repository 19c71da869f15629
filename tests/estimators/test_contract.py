"""scikit-learn's own checks of the estimators, and what is expected to fail, with the reason."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from carousel.estimators import AnomalyDetector, SequenceClassifier, SequenceRegressor

QUICK = {
    "hidden_size": 16,
    "dropout": 0.0,
    "epochs": 25,
    "batch_size": 16,
    "learning_rate": 0.03,
    "random_state": 0,
    "settings": {"frames.noise": 0.0},  # some checks ask for a fit by heart in few epochs
}
FAILS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a sequence that is doubled gives other batches and another held-out share than one that "
        "counts twice: the losses are the same, the weights after many steps are not"
    ),
}


@pytest.mark.slow
@parametrize_with_checks(
    [SequenceClassifier(**QUICK), SequenceRegressor(**QUICK)],
    expected_failed_checks=lambda estimator: FAILS,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_finds_what_it_expects(estimator, check):
    check(estimator)


WATCHED = {"window": 2, "horizon": 1, "hidden_size": 4, "epochs": 1, "false_alarms": 400}
ORDER = "a step is judged by those before it"
WATCHED_FAILS = {
    "check_methods_sample_order_invariance": ORDER,
    "check_methods_subset_invariance": ORDER,
    "check_outliers_train": "the first steps have no score: NaN is not at least 0, and no alarm",
    "check_fit1d": "a series of one column may be flat",
    "check_fit2d_predict1d": "a flat series is one of one column: another number of features",
    "check_estimators_empty_data_messages": "the shape is said in other words",
}


@pytest.mark.slow
@parametrize_with_checks(
    [AnomalyDetector(**WATCHED, random_state=0)],
    expected_failed_checks=lambda estimator: WATCHED_FAILS,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_finds_what_it_expects_of_a_detector(estimator, check):
    check(estimator)
