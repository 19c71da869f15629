"""Classification metrics from labels and probabilities, computed by scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from carousel.tasks.task import Table


def report(
    labels: Tensor, probabilities: Tensor, classes: Sequence[str], head: int = 0
) -> dict[str, Any]:
    """Loss, accuracy, macro F1, and per class precision, recall, F1, support and confusions.

    labels (N,); probabilities (N, C). A class that was never predicted has precision 0.
    Row i, column j of `confusion` counts examples of class i that were taken for class j.
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
    result: dict[str, Any] = {
        "accuracy": float((truth == guess).mean()),
        "macro_f1": float(f1.mean()),
        "loss": float(log_loss(truth, chances.numpy(), labels=index)),
    }
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
    return result


def worst_confusions(confusion: list[list[int]], classes: Sequence[str]) -> str:
    """The five most frequent mistakes in a sentence."""
    pairs = sorted(
        ((count, i, j) for i, row in enumerate(confusion) for j, count in enumerate(row) if i != j),
        reverse=True,
    )
    worst = [f"{classes[i]} taken for {classes[j]} {n}x" for n, i, j in pairs[:5] if n]
    return f"most frequent mistakes: {', '.join(worst)}" if worst else "no mistakes"


def class_table(report: dict[str, Any], counted: str) -> Table:
    """Precision, recall and F1 of each class of such a report. counted: what its examples are."""
    rows = []
    for name, row in report["per_class"].items():
        scores = (f"{row[key]:.4f}" for key in ("precision", "recall", "f1"))
        rows.append((name, *scores, f"{row['support']:,}"))
    return Table(("class", "precision", "recall", "F1", counted), rows)
