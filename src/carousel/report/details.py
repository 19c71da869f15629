"""Details of a model's quality: tables by class, span, step or recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from carousel.html import Child, Html, table, tag
from carousel.report.facts import Facts
from carousel.report.words import Words

_ROWS = 30
_WORST = 15


def detail(facts: Facts, words: Words) -> Html | None:
    """Scores of each class, kind of span, column and step ahead, as far as the task has them."""
    found = facts.evaluation
    tables = [
        _shares(found.get("per_class"), words("class"), words("examples"), words),
        _shares(found.get("per_kind"), words("span"), words("examples"), words),
        _confused(found, words),
        _errors(found.get("mae_per_column"), words("target")),
        _steps(found.get("mae_per_step"), words),
    ]
    kept = [one for one in tables if one is not None]
    return tag("section", tag("h2", words("detail")), *kept) if kept else None


def _shares(found: Any, what: str, counted: str, words: Words) -> Html | None:
    if not isinstance(found, dict) or not found:
        return None
    ordered = sorted(found.items(), key=lambda item: -item[1].get("support", 0))[:_ROWS]
    rows: list[list[Child]] = [
        [name, *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")), f"{row['support']:,}"]
        for name, row in ordered
    ]
    return table([what, words("precision"), words("recall"), "F1", counted], rows)


def _confused(found: dict[str, Any], words: Words) -> Html | None:
    confusion, names = found.get("confusion"), [*found.get("per_class", {})]
    if not confusion or len(confusion) != len(names):
        return None
    pairs = sorted(
        ((n, i, j) for i, row in enumerate(confusion) for j, n in enumerate(row) if i != j and n),
        key=lambda pair: -pair[0],
    )[:8]
    if not pairs:
        return None
    rows: list[list[Child]] = [[names[i], names[j], f"{n:,}"] for n, i, j in pairs]
    head = [words("truth"), words("guess"), words("count")]
    return tag("div", tag("h3", words("confused")), table(head, rows, 2))


def _errors(found: Any, what: str) -> Html | None:
    if not isinstance(found, dict) or len(found) < 2:
        return None
    rows: list[list[Child]] = [
        [name, "–" if error is None else f"{error:.4g}"] for name, error in [*found.items()][:_ROWS]
    ]
    return table([what, "MAE"], rows)


def _steps(found: Any, words: Words) -> Html | None:
    if not isinstance(found, list) or not found:
        return None
    every = max(1, len(found) // 12)
    rows: list[list[Child]] = [
        [f"{step}", "–" if error is None else f"{error:.4g}"]
        for step, error in enumerate(found, 1)
        if step == 1 or step % every == 0
    ]
    return table([words("step_ahead"), "MAE"], rows)


def worst(facts: Facts, words: Words) -> Html:
    """The examples that the model got most wrong."""
    found = facts.evaluation
    shown = (
        _mistakes(found.get("mistakes"), words)
        or _recordings(found.get("per_recording"), words)
        or _numbers(found.get("numbers"), words)
        or _sentences(found.get("translations") or found.get("captions"))
    )
    return tag(
        "section",
        tag("h2", words("worst")),
        tag("p", words("worst_about" if shown is not None else "worst_none"), class_="soft"),
        shown,
    )


def _mistakes(found: Any, words: Words) -> Html | None:
    if not isinstance(found, list) or not found:
        return None
    ordered = sorted(found, key=lambda row: -row["probability"])[:_WORST]
    what = "sentence" if "sentence" in ordered[0] else "recording"
    rows: list[list[Child]] = [
        [row[what], row["class"], row["guess"], f"{row['probability']:.3f}"] for row in ordered
    ]
    return table([words(what), words("truth"), words("guess"), words("probability")], rows, 3)


def _recordings(found: Any, words: Words) -> Html | None:
    if not isinstance(found, dict) or not found:
        return None
    first = next(iter(found.values()))
    if "mae" in first:
        ordered = sorted(found.items(), key=lambda item: -item[1]["mae"])[:_WORST]
        metrics = [name for name in first if isinstance(first[name], float)]
        rows: list[list[Child]] = [
            [name, *(f"{row[m]:.4g}" if m in row else "–" for m in metrics)]
            for name, row in ordered
        ]
        return table([words("recording"), *map(words.metric, metrics)], rows)
    if "labels" not in first:
        return None
    shares = {
        name: share
        for name, row in found.items()
        if (share := _share(row["labels"], row["guess"])) is not None
    }
    ordered_ = sorted(shares.items(), key=lambda item: item[1])[:_WORST]
    rows = [[name, f"{share:.2%}"] for name, share in ordered_]
    return table([words("recording"), words("accuracy")], rows) if rows else None


def _share(labels: Sequence[int], guess: Sequence[int]) -> float | None:
    inside = [(a, b) for a, b in zip(labels, guess, strict=True) if a >= 0]
    return sum(a == b for a, b in inside) / len(inside) if inside else None


def _numbers(found: Any, words: Words) -> Html | None:
    if not isinstance(found, list) or not found or "found" not in found[0]:
        return None

    def error(row: dict[str, Any]) -> float:
        pairs = zip(row["true"], row["found"], strict=True)
        return max((abs(a - b) for a, b in pairs if a is not None), default=-1.0)

    rows: list[list[Child]] = [
        [row["recording"], *(_told(row[key]) for key in ("true", "found"))]
        for row in sorted(found, key=error, reverse=True)[:_WORST]
    ]
    return table([words("recording"), words("truth"), words("guess")], rows)


def _told(numbers: Sequence[float | None]) -> str:
    return ", ".join("–" if number is None else f"{number:.5g}" for number in numbers)


def _sentences(found: Any) -> Html | None:
    """Examples of sentences that were written, each with its reference, as they come."""
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        return None
    keys = [key for key, value in found[0].items() if isinstance(value, str)]
    if not keys:
        return None
    rows: list[list[Child]] = [[str(row.get(key, "")) for key in keys] for row in found[:_WORST]]
    return table(keys, rows, len(keys))
