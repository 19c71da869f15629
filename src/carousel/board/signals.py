"""Topics of series, read from their names: the board shows what is recorded, not a fixed list."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# The first that is found in a name decides. Names are paths: update_ratio/rnn.weight_hh_l0/f,
# gate/rnn.l0/f/low, epoch/validation_accuracy.
_GROUPS = (
    ("loss", r"^train/loss$"),
    ("rate", r"^learning_rate"),
    ("time", r"seconds|per_second|throughput|(^|[/_.])time|overhead|^coach/"),
    ("ratio", r"^update_ratio|update_to_(weight|parameter)"),
    ("gradient", r"^gradient_norm|grad_norm"),
    ("clipping", r"clip"),
    ("lag", r"(^|[/_.])lag([/_.]|$)"),
    ("radius", r"radius"),
    ("gate", r"^gate/"),
    ("state", r"^(state|candidate|activation)|saturat|dead"),
    ("spread", r"(^|[/_.])(std|mean|largest|norm)"),
)
_EPOCH = re.compile(r"^epoch/(train|validation)_(.+)$")


@dataclass(frozen=True)
class Epochwise:
    """A metric that is recorded once an epoch, on one part of the data."""

    part: str
    metric: str


def epochwise(name: str) -> Epochwise | None:
    """The metric of an epoch that a series is, or None.

    >>> epochwise("epoch/validation_macro_f1")
    Epochwise(part='validation', metric='macro_f1')
    """
    found = _EPOCH.match(name)
    return Epochwise(found[1], found[2]) if found else None


def group(name: str) -> str:
    """Topic of a series: "metric", one of the groups above, or "other".

    >>> group("gradient_norm"), group("epoch/train_loss"), group("update_ratio/weight_hh_l0/f")
    ('gradient', 'metric', 'ratio')
    """
    if epochwise(name):
        return "metric"
    return next((about for about, words in _GROUPS if re.search(words, name)), "other")


def metrics(names: Iterable[str]) -> list[str]:
    """The metrics of the epochs, the loss first, the others in order of their names.

    >>> metrics(["epoch/train_loss", "epoch/validation_accuracy", "train/loss"])
    ['loss', 'accuracy']
    """
    found = {entry.metric for name in names if (entry := epochwise(name))}
    return sorted(found, key=lambda name: (name != "loss", name))


def of(about: str, names: Iterable[str]) -> list[str]:
    """The series of one group, in order of their names."""
    return sorted(name for name in names if group(name) == about)


def panels(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Series that belong into one chart: {title: {label of the line: series}}.

    Those of one parameter are told apart by their gate, those of one kind by their layer.

    >>> found = panels(["gate/rnn.l0/f/low", "gate/rnn.l0/i/low", "update_ratio/head.weight"])
    >>> {title: list(lines) for title, lines in found.items()}
    {'gate rnn.l0 low': ['f', 'i'], 'update_ratio': ['head.weight']}
    """
    found: dict[str, dict[str, str]] = {}
    for name in sorted(names):
        title, label = _place(name.split("/"))
        found.setdefault(title, {})[label] = name
    return found


def _place(parts: list[str]) -> tuple[str, str]:
    if len(parts) == 4:  # gate/<layer>/<gate>/<number>
        return f"{parts[0]} {parts[1]} {parts[3]}", parts[2]
    if len(parts) == 3 and len(parts[2]) == 1:  # update_ratio/<parameter>/<gate>
        return f"{parts[0]} {parts[1]}", parts[2]
    if len(parts) == 3:  # state/<layer>/<number>
        return f"{parts[0]} {parts[2]}", parts[1]
    return (parts[0], "/".join(parts[1:])) if len(parts) > 1 else (parts[0], parts[0])
