"""Settings that are worth searching in each task, in which ranges, and who says so.

Ranges are around the recipe's own value: its network and data are of a size that somebody chose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from carousel.config import Config
from carousel.config.readers import settings, value_of
from carousel.errors import ConfigError
from carousel.sweep import space
from carousel.sweep.space import Axis, Choices, Range

_HIGHEST_RATE = 0.1


@dataclass(frozen=True)
class Suggestion:
    """A setting that is worth searching. about: the range in words; source: who found so, and
    what."""

    setting: str
    about: str
    axis: Callable[[int | float], Axis]
    source: str


def _rate(own: int | float) -> Axis:
    return Range(
        float(f"{own / 10:.2g}"), min(float(f"{own * 10:.2g}"), max(own, _HIGHEST_RATE)), log=True
    )


def _sizes(own: int | float) -> Axis:
    return Choices(tuple(dict.fromkeys(max(1, int(own * factor)) for factor in (0.5, 1, 2))))


def _to(high: float) -> Callable[[int | float], Axis]:
    """Range from 0 to `high`, or the recipe's own value where that is higher."""
    return lambda own: Range(0.0, max(high, float(own)))


def _layers(own: int | float) -> Axis:
    return Choices(tuple(sorted({1, 2, int(own)})))


_AROUND = "a tenth to ten times the recipe's, by its logarithm"
_HALVED = "half, as it is, twice"
_GREFF = "Greff et al. 2017 (arXiv 1503.04069)"
_RATE = Suggestion(
    "optimizer.learning_rate",
    _AROUND,
    _rate,
    f"{_GREFF}: of all settings of an LSTM it explains most of the variance, on three tasks",
)
_SIZE = Suggestion(
    "model.hidden_size", _HALVED, _sizes, f"{_GREFF}: the second, larger is mostly better"
)


def _dropout(high: float, source: str) -> Suggestion:
    return Suggestion("regularization.dropout", f"0 to {high:g}", _to(high), source)


_ZAREMBA = "Zaremba et al. 2014 (arXiv 1409.2329): 0 for small networks to 0.65 for large ones"
_HAMMERLA = (
    "Hammerla et al. 2016 (arXiv 1604.08880): thousands of settings, on recordings of motion"
)
_REIMERS = "Reimers and Gurevych 2017 (arXiv 1707.06799): 50,000 runs on five tagging tasks"
_HEWAMALAGE = "Hewamalage et al. 2021 (arXiv 1909.00590): tuned on six sets of series"
_MELIS = "Melis et al. 2018 (arXiv 1707.05589): language models, with Vizier"
_BRITZ = "Britz et al. 2017 (arXiv 1703.03906): 250,000 hours of translation models"

#: By task, the most rewarding first.
SUGGESTED: dict[str, tuple[Suggestion, ...]] = {
    "classify": (_RATE, _SIZE, _dropout(0.5, _ZAREMBA)),
    "classify_recordings": (
        _RATE,
        _SIZE,
        _dropout(0.6, _HAMMERLA),
        Suggestion("frames.noise", "0 to 0.6", _to(0.6), f"{_GREFF}: noise of inputs, 0 to 1"),
    ),
    "classify_text": (
        _RATE,
        _SIZE,
        _dropout(0.6, _ZAREMBA),
        Suggestion("regularization.input_dropout", "0 to 0.6", _to(0.6), _MELIS),
    ),
    "label_frames": (
        _RATE,
        _SIZE,
        _dropout(0.6, _HAMMERLA),
        Suggestion("model.num_layers", "1, 2", _layers, _HAMMERLA),
    ),
    "label_words": (
        _RATE,
        _SIZE,
        _dropout(0.6, f"{_REIMERS}: dropout improves all of them"),
        Suggestion("model.num_layers", "1, 2", _layers, f"{_REIMERS}: two mostly"),
        Suggestion("training.batch_size", _HALVED, _sizes, f"{_REIMERS}: 1 to 32"),
    ),
    "generate": (
        _RATE,
        _dropout(0.7, _MELIS),
        Suggestion("regularization.input_dropout", "0 to 0.7", _to(0.7), _MELIS),
        Suggestion(
            "regularization.weight_dropout",
            "0 to 0.6",
            _to(0.6),
            "Merity et al. 2018 (arXiv 1708.02182): 0.5 on the Penn Treebank",
        ),
    ),
    "translate": (
        _RATE,
        _SIZE,
        _dropout(0.5, _BRITZ),
        Suggestion("model.num_layers", "1, 2", _layers, _BRITZ),
    ),
    "caption": (
        _RATE,
        _SIZE,
        _dropout(0.6, "Vinyals et al. 2015 (arXiv 1411.4555): dropout against overfitting"),
    ),
    "forecast": (
        _RATE,
        _SIZE,
        _dropout(0.5, _HEWAMALAGE),
        Suggestion("model.num_layers", "1, 2", _layers, f"{_HEWAMALAGE}: one or two mostly"),
    ),
    "forecast_many": (
        _RATE,
        _SIZE,
        _dropout(0.5, _HEWAMALAGE),
        Suggestion("model.num_layers", "1, 2", _layers, f"{_HEWAMALAGE}: one or two mostly"),
    ),
    "anomaly": (
        _RATE,
        _SIZE,
        _dropout(0.5, "Hundman et al. 2018 (arXiv 1802.04431): 0.3 on telemetry"),
    ),
    "regress": (
        _RATE,
        _SIZE,
        _dropout(0.6, _HAMMERLA),
        Suggestion("model.num_layers", "1, 2", _layers, _HAMMERLA),
    ),
}


def suggested(config: Config) -> list[tuple[Suggestion, Axis]]:
    """Settings that are worth searching in a recipe's task, of those that it reads.

    >>> [one.setting for one, _ in suggested(Config(task="classify"))]
    ['optimizer.learning_rate', 'model.hidden_size', 'regularization.dropout']
    """
    found = []
    for one in SUGGESTED.get(config.task, ()):
        own = value_of(config, one.setting)
        if not settings(Config)[one.setting].idle(config):
            found.append((one, one.axis(own)))
    return found


def axes(config: Config) -> dict[str, Axis]:
    """The axes of what is suggested. Raises `ConfigError` for a task of which nothing is known."""
    found = {one.setting: axis for one, axis in suggested(config)}
    if not found:
        raise ConfigError(
            f"nothing is suggested for the task '{config.task}': name what is to be searched, as "
            f"model.hidden_size=32,64,128"
        )
    space.check(found, config)
    return found


def table() -> str:
    """The table of docs/sweep.md."""
    rows = ["| task | setting | range | source |", "|---|---|---|---|"]
    for task, some in SUGGESTED.items():
        rows += [f"| {task} | `{one.setting}` | {one.about} | {one.source} |" for one in some]
    return "\n".join(rows) + "\n"
