"""The metrics by name: which way is better, and how a person reads one."""

from __future__ import annotations

import re
from collections.abc import Collection

HIGHER_IS_BETTER = {
    "loss": False,
    "accuracy": True,
    "macro_f1": True,
    "macro_f1_all_classes": True,
    "micro_f1": True,
    "subset_accuracy": True,
    "quadratic_kappa": True,
    "rank_mae": False,
    "perplexity": False,
    "bits_per_character": False,
    "bleu": True,
    "bleu_cased": True,
    "bleu_1": True,
    "bleu_2": True,
    "bleu_3": True,
    "bleu_4": True,
    "chrf": True,
    "span_f1": True,
    "span_precision": True,
    "span_recall": True,
    "segment_f1_10": True,
    "segment_f1_25": True,
    "segment_f1_50": True,
    "edit_score": True,
    "exact_match": True,
    "exact_match_greedy": True,
    "mae": False,
    "rmse": False,
    "mse": False,
    "r2": True,
    "mase": False,
    "smape": False,
    "phm_score": False,
    "rmse_capped": False,
    "mse_standardised": False,
    "mae_standardised": False,
    "coverage": True,
    "pinball": False,
    "crps": False,
    "scaled_quantile_loss": False,
    "mase_weighted": False,
    "smape_weighted": False,
    "mae_weighted": False,
    "coverage_weighted": True,
    "scaled_quantile_loss_weighted": False,
    "precision": True,
    "recall": True,
    "window_f1": True,
    "pr_auc": True,
    "nab_standard": True,
    "nab_low_fp": True,
    "nab_low_fn": True,
    "false_alarms_per_1000": False,
}

_TITLES = {
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "quadratic_kappa": "quadratic kappa",
    "rank_mae": "MAE of ranks",
    "macro_f1_all_classes": "macro F1 of all classes",
    "bleu": "BLEU",
    "bleu_cased": "BLEU, cased",
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "chrf": "chrF",
    "exact_match_greedy": "exact match, greedy",
    "mae": "MAE",
    "rmse": "RMSE",
    "mse": "MSE",
    "r2": "R²",
    "mase": "MASE",
    "smape": "sMAPE",
    "crps": "CRPS",
    "mase_weighted": "MASE, weighted",
    "smape_weighted": "sMAPE, weighted",
    "mae_weighted": "MAE, weighted",
    "coverage_weighted": "coverage, weighted",
    "scaled_quantile_loss_weighted": "scaled quantile loss, weighted",
    "rmse_capped": "RMSE capped",
    "phm_score": "PHM score",
    "mse_standardised": "MSE standardised",
    "mae_standardised": "MAE standardised",
    "span_f1": "span F1",
    "window_f1": "window F1",
    "pr_auc": "PR-AUC",
    "nab_standard": "NAB score",
    "nab_low_fp": "NAB score, low FP",
    "nab_low_fn": "NAB score, low FN",
    "false_alarms_per_1000": "false alarms per 1,000 steps",
    "segment_f1_10": "segment F1@10",
    "segment_f1_25": "segment F1@25",
    "segment_f1_50": "segment F1@50",
}


def title(name: str) -> str:
    """A metric's name in words.

    >>> title("bits_per_character"), title("macro_f1"), title("accuracy_first_128")
    ('bits per character', 'macro F1', 'accuracy on the first 128')
    """
    if name in _TITLES:
        return _TITLES[name]
    return re.sub(r" first (\d+)$", r" on the first \1", name.replace("_", " "))


_BASELINES = {
    "theta": "Theta",
    "ets": "ETS",
    "nlinear": "NLinear",
    "dlinear": "DLinear",
    "boosting": "gradient boosting",
}


def baseline(name: str) -> str:
    """A baseline's name in words.

    >>> baseline("seasonal_naive"), baseline("theta")
    ('seasonal naive', 'Theta')
    """
    return _BASELINES.get(name, name.replace("_", " "))


def show(name: str, value: float) -> str:
    """A metric's value with the digits that mean something.

    >>> show("accuracy", 0.98765), show("perplexity", 114.5123), show("loss", 1.23456)
    ('98.77%', '114.51', '1.2346')
    """
    if name.startswith("accuracy") or name == "subset_accuracy":
        return f"{value:.2%}"
    if name == "seconds":
        return f"{value:.1f}"
    if name.startswith(("perplexity", "bleu", "chrf", "nab")):
        return f"{value:.2f}"
    return f"{value:.4f}"


def sentence(values: dict[str, float]) -> str:
    """Several metrics in a row, as in "loss 0.0423, accuracy 98.77%"."""
    return ", ".join(f"{title(name)} {show(name, value)}" for name, value in values.items())


def line(values: dict[str, float], *, unnamed: Collection[str] = ()) -> str:
    """Metrics in one line of a log: only what the others do not follow from, in few words.

    unnamed: metrics whose value is enough, because they were named before.

    >>> line({"loss": 0.0423, "accuracy": 0.9877}), line({"perplexity": 99.5, "loss": 4.6})
    ('loss 0.0423, 98.77%', 'perplexity 99.50')
    """
    follows = "perplexity" in values or "bits_per_character" in values
    shown = {name: show(name, v) for name, v in values.items() if name != "loss" or not follows}
    bare = {name for name, v in shown.items() if name in unnamed or v.endswith("%")}
    return ", ".join(v if name in bare else f"{title(name)} {v}" for name, v in shown.items())
