"""Classification metrics from labels and probabilities, computed by scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
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


def worst_confusions(confusion: list[list[int]], classes: Sequence[str]) -> str:
    """The five most frequent mistakes in a sentence."""
    pairs = sorted(
        ((count, i, j) for i, row in enumerate(confusion) for j, count in enumerate(row) if i != j),
        reverse=True,
    )
    worst = [f"{classes[i]} taken for {classes[j]} {n}x" for n, i, j in pairs[:5] if n]
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
