"""Models that are not recurrent: what the recurrence has to beat."""

from __future__ import annotations

import warnings

import numpy as np

from carousel.data.mnist import Images


def fit_and_score(train: Images, test: Images) -> dict[str, dict[str, float]]:
    """Test accuracy of the most frequent class, and of multinomial logistic regression.

    The regression reads the whole sequence at once, flattened, scaled to [0, 1]; it runs 100
    iterations of L-BFGS with scikit-learn's default penalty, on one thread.
    """
    # Here, because scikit-learn takes a second to import and predicting does not need it.
    from sklearn.dummy import DummyClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    x, y = _flat(train), train.labels.numpy()
    test_x, test_y = _flat(test), test.labels.numpy()
    scores = {}
    most_frequent = DummyClassifier(strategy="most_frequent").fit(x, y)
    scores["most_frequent"] = {"accuracy": float(most_frequent.score(test_x, test_y))}
    if len(np.unique(y)) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            with threadpool_limits(1):  # threads of BLAS stall each other on a busy machine
                regression = LogisticRegression(max_iter=100).fit(x, y)
        scores["logistic_regression"] = {"accuracy": float(regression.score(test_x, test_y))}
    return scores


def _flat(part: Images) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return part.images.flatten(1).float().div_(255).numpy()
