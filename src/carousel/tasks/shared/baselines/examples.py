"""Models that are not recurrent: what the recurrence has to beat."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.data.labelled_images import Images
from carousel.data.ragged import Ragged
from carousel.tasks.shared import metrics

Scores = dict[str, dict[str, float]]
Score = Callable[[NDArray[np.int64], NDArray[np.int64]], dict[str, float]]


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


def fit_sentences(
    train: Sequence[str],
    train_labels: NDArray[np.int64],
    test: Sequence[str],
    test_labels: NDArray[np.int64],
    cut: Callable[[str], list[str]] | None,
    score: Score = metrics.of_classes,
) -> Scores:
    """Test scores of the most frequent class, and of logistic regression on TF-IDF; of several
    labels (n, K), each by itself.

    Features: single tokens and pairs as `cut` gives them, or, where it is None, runs of 1 to 3
    characters within words; those in at least two training sentences, log(1 + count) · idf.
    """
    # Here, because scikit-learn takes a second to import and predicting does not need it.
    from sklearn.dummy import DummyClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    how: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (1, 3)}
    if cut is not None:
        # token_pattern=None: scikit-learn would warn of a pattern that is not used.
        how = {"tokenizer": cut, "token_pattern": None, "ngram_range": (1, 2)}
    lowest = 2 if len(train) > 100 else 1
    vectorizer = TfidfVectorizer(lowercase=False, min_df=lowest, sublinear_tf=True, **how)
    x = vectorizer.fit_transform(train)
    test_x = vectorizer.transform(test)
    models = {"most_frequent": DummyClassifier(strategy="most_frequent")}
    regression = LogisticRegression(C=4.0, max_iter=100)
    models["tfidf_logistic_regression"] = _of_each(regression, train_labels)
    scores = {}
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name, model in models.items():
            guess = model.fit(x, train_labels).predict(test_x)
            scores[name] = score(test_labels, guess)
    return scores


def fit_frames(
    x: NDArray[np.float32], labels: NDArray[np.int64], test: NDArray[np.float32]
) -> dict[str, NDArray[np.int64]]:
    """Classes of the frames `test` (N, F) by the most frequent class, and by multinomial logistic
    regression of each frame by itself, with classes weighted alike; 300 iterations of L-BFGS."""
    # Here, because scikit-learn takes a second to import and predicting does not need it.
    from sklearn.dummy import DummyClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    models = {
        "most_frequent": DummyClassifier(strategy="most_frequent"),
        "logistic_regression": LogisticRegression(max_iter=300, class_weight="balanced"),
    }
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {name: model.fit(x, labels).predict(test) for name, model in models.items()}


def summaries(values: Ragged) -> NDArray[np.float32]:
    """Mean, deviation, least, greatest, first and last value of each recording and feature, and the
    logarithm of its length: (n, 6 F + 1).

    >>> summaries(Ragged.of([torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0]])]))[1].tolist()
    [5.0, 0.0, 5.0, 5.0, 5.0, 5.0, 0.0]
    """
    rows = []
    for number in range(len(values)):
        x = values[number]
        parts = (x.mean(0), x.std(0, correction=0), x.amin(0), x.amax(0), x[0], x[-1])
        rows.append(torch.cat((*parts, torch.tensor([len(x)]).log())))
    return torch.stack(rows).numpy()


def standardised_summaries(
    train: Ragged, test: Ragged
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The `summaries` of both, standardised by those of `train`."""
    from sklearn.preprocessing import StandardScaler  # takes a second to import

    known = summaries(train)
    scaler = StandardScaler().fit(known)
    return scaler.transform(known), scaler.transform(summaries(test))


def fit_recordings(
    train: Ragged,
    labels: NDArray[np.int64],
    test: Ragged,
    truth: NDArray[np.int64],
    score: Score = metrics.of_classes,
) -> Scores:
    """Test scores of the most frequent class, and of logistic regression (1,000 iterations of
    L-BFGS) and the nearest neighbour (Euclidean) on standardised `summaries`; of several labels
    (n, K), each by itself."""
    from sklearn.dummy import DummyClassifier  # takes a second to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from threadpoolctl import threadpool_limits

    x, test_x = standardised_summaries(train, test)
    models = {
        "most_frequent": DummyClassifier(strategy="most_frequent"),
        "logistic_regression": _of_each(LogisticRegression(max_iter=1000), labels),
        "nearest_neighbour": KNeighborsClassifier(n_neighbors=1),
    }
    with threadpool_limits(1):
        return {
            name: score(truth, model.fit(x, labels).predict(test_x))
            for name, model in models.items()
        }


def fit_numbers(
    x: NDArray[np.float32], numbers: NDArray[np.float32], test: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Numbers of the rows `test` (N, F) by ridge regression, with a penalty of 1."""
    from threadpoolctl import threadpool_limits

    from carousel.tasks.shared.ridge import Ridge  # takes a second to import

    with threadpool_limits(1):
        return Ridge.fit(x, numbers).predict(test).astype(np.float32)


def most_frequent_labels(train: Iterable[tuple[str, int]], words: Iterable[str]) -> list[int]:
    """For each word the label that it had most often in training; for a new word, that of all.

    >>> most_frequent_labels([("a", 0), ("b", 1), ("b", 1), ("b", 0)], ["a", "b", "c"])
    [0, 1, 0]
    """
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    everything: Counter[int] = Counter()
    for word, label in train:
        counts[word][label] += 1
        everything[label] += 1
    best = {word: labels.most_common(1)[0][0] for word, labels in counts.items()}
    fallback = everything.most_common(1)[0][0]
    return [best.get(word, fallback) for word in words]


def _of_each(model: Any, labels: NDArray[np.int64]) -> Any:
    """The model; of several labels (n, K), one for each."""
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(model) if labels.ndim == 2 else model


def _flat(part: Images) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return part.images.flatten(1).float().div_(255).numpy()
