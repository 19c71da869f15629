"""Classification metrics from labels and probabilities, computed by scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from carousel.tasks.shared import bootstrap
from carousel.tasks.shared.task import Shown, Table

_NAMED = 10


def report(
    labels: Tensor, probabilities: Tensor, classes: Sequence[str], head: int = 0
) -> dict[str, Any]:
    """Loss, accuracy, macro F1, and per class precision, recall, F1, support and confusions.

    labels (N,); probabilities (N, C). A class that was never predicted has precision 0.
    macro_f1 is that of scikit-learn's `f1_score(average="macro")`: the mean over the classes that
    have an example here or were predicted; one without an example that was predicted counts as 0.
    Where classes have no example, they are listed as `classes_without_examples`, and
    `macro_f1_all_classes` is the mean over all the model's classes, with 0 for each of those.
    Row i, column j of `confusion` counts examples of class i that were taken for class j.
    interval: of accuracy and macro F1, over examples drawn anew (see `bootstrap`).
    head: also the accuracy on the first so many examples, as "accuracy_first_<head>".
    """
    # Here, because scikit-learn takes a second to import and predicting does not need it.
    from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

    truth = labels.numpy()
    guess = probabilities.argmax(1).numpy()
    index = np.arange(len(classes))
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, guess, labels=index, zero_division=0.0
    )
    chances = probabilities.double()
    chances /= chances.sum(1, keepdim=True)  # float32 rows miss 1 by more than log_loss allows
    counted = np.union1d(truth, guess)
    result: dict[str, Any] = {
        "accuracy": float((truth == guess).mean()),
        "macro_f1": float(f1[counted].mean()),
        "loss": float(log_loss(truth, chances.numpy(), labels=index)),
    }
    if missing := [name for name, count in zip(classes, support, strict=True) if not count]:
        result["macro_f1_all_classes"] = float(f1.mean())
        result["classes_without_examples"] = missing
    if head:
        result[f"accuracy_first_{head}"] = float((truth[:head] == guess[:head]).mean())
    result["per_class"] = {
        name: {
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "support": int(support[i]),
        }
        for i, name in enumerate(classes)
    }
    result["confusion"] = confusion_matrix(truth, guess, labels=index).tolist()
    return {**result, **bootstrap.known({**bootstrap.of_confusion(result["confusion"])})}


def of_classes(truth: NDArray[np.int64], guess: NDArray[np.int64]) -> dict[str, float]:
    """Accuracy and macro F1 of classes (n,) that were said without probabilities."""
    from sklearn.metrics import f1_score  # takes a second to import

    f1 = f1_score(truth, guess, average="macro", zero_division=0.0)
    return {"accuracy": float((truth == guess).mean()), "macro_f1": float(f1)}


def of_ranks(truth: NDArray[np.int64], guess: NDArray[np.int64], ranks: int) -> dict[str, float]:
    """Metrics of ranks (n,): the mean distance between the rank that was said and the true one, and
    Cohen's kappa with quadratic weights (Cohen 1968), 0 where it is undefined.

    >>> of_ranks(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1]), 3)["rank_mae"]
    0.25
    """
    apart = np.abs(truth - guess).astype(np.float64)
    counts = [np.bincount(each, minlength=ranks) / len(truth) for each in (truth, guess)]
    index = np.arange(ranks)
    by_chance = float(counts[0] @ np.square(index[:, None] - index) @ counts[1])
    kappa = 1 - float(np.square(apart).mean()) / by_chance if by_chance else 0.0
    return {"rank_mae": float(apart.mean()), "quadratic_kappa": kappa}


def worst_confusions(confusion: list[list[int]], classes: Sequence[str]) -> str:
    """The five most frequent mistakes in a sentence."""
    pairs = sorted(
        ((count, i, j) for i, row in enumerate(confusion) for j, count in enumerate(row) if i != j),
        reverse=True,
    )
    worst = [f"{classes[i]} taken for {classes[j]} ({n}x)" for n, i, j in pairs[:5] if n]
    return f"most frequent mistakes: {', '.join(worst)}" if worst else "no mistakes"


def show_classes(report: dict[str, Any], counted: str) -> Iterator[Shown]:
    """Precision, recall and F1 of each class of such a report, and a word on classes that have no
    example. counted: what its examples are."""
    yield _class_table(report, counted)
    missing = report.get("classes_without_examples", [])
    if not missing:
        return
    some = ", ".join(missing[:_NAMED]) + (" …" if len(missing) > _NAMED else "")
    classes = len(report["per_class"])
    yield (
        f"no {counted} of {some} in this part ({len(missing)} of {classes} classes): macro F1 "
        f"{report['macro_f1']:.4f} is the mean over the classes that occur or were predicted, as "
        f"scikit-learn has it; over all {classes}, with 0 for those, it would be "
        f"{report['macro_f1_all_classes']:.4f}\n"
    )


def _class_table(report: dict[str, Any], counted: str) -> Table:
    rows = []
    for name, row in report["per_class"].items():
        scores = (f"{row[key]:.4f}" for key in ("precision", "recall", "f1"))
        rows.append((name, *scores, f"{row['support']:,}"))
    return Table(("class", "precision", "recall", "F1", counted), rows)
