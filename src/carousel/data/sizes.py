"""Settings of network and training that follow from the size of the data, with the rules.

They were chosen so that the recipes of published sets of that size would be about what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from carousel.config.columns import STEPS

Sections = dict[str, dict[str, Any]]
_UPDATES = 2000
"""Steps of the optimiser that a small set is trained for."""
_MOST, _MOST_OF_STEPS = 60, 120
"""Epochs at the most: of 30 sequences, an epoch has 4 steps of the optimiser."""
_NOISE = 0.1
_MANY_FEATURES = 8
_LONG = 300
_WINDOW = 100
_WINDOWS = 400
_DRAWN = 16_000  # windows of many series in an epoch
_SEASONS = {"minute": 60, "hour": 24, "day": 7, "week": 52, "month": 12, "minutes": 0, "hours": 0}


@dataclass(frozen=True)
class Size:
    """Size of the data to train on. examples: sequences, texts or rows of a series; steps: of all
    sequences together, or words; features: numbers of a step; whole: whether numbers are to be
    found of whole sequences."""

    examples: int
    steps: int
    features: int = 1
    classes: int = 0
    whole: bool = False

    @property
    def length(self) -> float:
        """Steps of a sequence on average."""
        return self.steps / max(1, self.examples)


def by_size(limits: tuple[tuple[int, Any], ...], size: int, most: Any) -> Any:
    """The value of the first limit that is not below a size.

    >>> by_size(((10, "small"), (100, "middle")), 50, "large")
    'middle'
    """
    return next((value for limit, value in limits if size <= limit), most)


def has_rules(task: str) -> bool:
    """True if settings of a task's network follow from the size of a table."""
    return task in STEPS or task in _OTHERS


def settings(task: str, size: Size, *, korean: bool = False) -> Sections:
    """The sections `model`, `regularization`, `optimizer`, `schedule` and `training` of a recipe,
    and those of the task that depend on size. korean: texts are in Hangul."""
    made = _of_steps(task, size) if task in STEPS else _OTHERS[task](size, korean)
    return {
        **made,
        "optimizer": {"name": "adam", "clip_norm": 1.0, **made.pop("optimizer", {})},
        "schedule": {"name": "one-cycle", "warmup": 0.2},
    }


def by_name(task: str, size: Size) -> dict[str, Any]:
    """Settings by their full names, for a program that makes a configuration.

    >>> by_name("classify_recordings", Size(216, 3_400, 12))["training.batch_size"]
    16
    """
    sections = settings(task, size)
    return {f"{name}.{key}": value for name in sections for key, value in sections[name].items()}


def rules(task: str, size: Size) -> Iterator[tuple[str, str]]:
    """(key, the rule behind it in words), for the comments of a recipe."""
    if task == "anomaly":
        yield from _WATCHED_RULES.items()
        return
    if task == "classify":
        yield from _IMAGE_RULES.items()
        return
    if task == "forecast_many":
        yield from _MANY_RULES.items()
        return
    yield "model.hidden_size", _HIDDEN_RULE if task in STEPS else "by task and amount of text"
    if task in STEPS:
        yield "model.cell", "remembers longest"
        yield (
            "regularization.dropout",
            "more of it for fewer sequences: 0.4, 0.3 from 1,000 on, 0.2",
        )
        yield "frames.noise", "of numbers of unit variance, in training: against overfitting"
        yield "frames.differences", "x_t - x_{t-1} beside x_t: of 8 and more columns"
        yield "frames.window", f"windows of {_WINDOW} steps where sequences are longer than {_LONG}"
        yield "frames.passes", f"so that an epoch has about {_WINDOWS} windows"
    yield "training.batch_size", "8 of up to 200 sequences, 16 to 1,000, 32 to 5,000, then 64"
    most = _MOST_OF_STEPS if task in STEPS else _MOST
    yield "training.epochs", f"about {_UPDATES:,} steps of the optimiser, 10 to {most} epochs"
    yield "training.patience", "a third of the epochs"


_WATCHED_RULES = {
    "anomaly.window": "48 steps of series of 200 and more, else 24",
    "anomaly.false_alarms": "in 1,000 steps",
    "anomaly.follow": "0: a threshold that stays, for series that do not drift",
    "model.hidden_size": "32 of up to 8 columns, else 64",
    "training.batch_size": "32 of up to 20,000 rows, else 128",
}
_IMAGE_RULES = {
    "data.view": "or pixels, patches (data.patch), image: what a step reads",
    "data.shift": "pixels that training images are moved by: 2 of up to 1,000 images, else 1",
    "pictures.size": "that most have, at most 64; or such as 28, 32x100 (up x across)",
    "pictures.channels": "grey, if none has colors; or grey, color",
    "pictures.fit": "or crop, stretch: images of another size",
    "model.hidden_size": "128 for images of any number",
    "regularization.dropout": "more of it for fewer images: 0.4, 0.3 from 1,000 on, 0.2",
    "training.batch_size": "16 of up to 1,000 images, 32 to 10,000, then 128",
    "training.epochs": f"about {_UPDATES:,} steps of the optimiser, 10 to 60 epochs",
    "training.patience": "a third of the epochs",
}
_MANY_RULES = {
    "forecast.context": "two seasons and two horizons, of hours a week; shorter series are padded",
    "forecast.horizon": "a season, 6 to 48 steps, and at most a sixth of the usual series",
    "forecast.distribution": "intervals of 80 % beside each forecast; none, gaussian or student-t",
    "many.seasons": "beside forecast.season: a week",
    "model.hidden_size": "32 of up to 5,000 rows, else 64",
    "training.batch_size": "32 of up to 5,000 rows, else 128",
    "training.epochs": f"about {_UPDATES:,} steps of the optimiser, 10 to 60 epochs",
    "training.patience": "a third of the epochs",
}
_HIDDEN_RULE = "32 of up to 5,000 steps, 64 to 200,000, 128 to 2 million, then 256"


def _epochs(examples: int, batch: int, most: int = _MOST) -> int:
    return int(min(most, max(10, round(_UPDATES * batch / max(1, examples)))))


def _of_steps(task: str, size: Size) -> Sections:
    hidden = by_size(((5_000, 32), (200_000, 64), (2_000_000, 128)), size.steps, 256)
    whole = task == "classify_recordings" or size.whole
    long = not whole and size.length > _LONG
    windows = max(1, size.steps // _WINDOW) if long else size.examples
    passes = min(20, max(1, round(_WINDOWS / windows))) if not whole else 1
    per_epoch = windows * passes
    batch = by_size(((200, 8), (1_000, 16), (5_000, 32)), per_epoch, 64)
    epochs = _epochs(per_epoch, batch, _MOST_OF_STEPS)
    dropout = by_size(((1_000, 0.4), (10_000, 0.3)), size.examples, 0.2)
    made: Sections = {
        "model": {"cell": "lstm", "hidden_size": hidden},
        "regularization": {"dropout": dropout},
        "optimizer": {"learning_rate": 3e-3},
        "training": {"epochs": epochs, "batch_size": batch, "patience": max(5, epochs // 3)},
    }
    if task != "regress" or whole:
        made["model"]["bidirectional"] = True
    if whole:
        made["model"]["pooling"] = "max" if task == "classify_recordings" else "mean"
    many = size.features >= _MANY_FEATURES
    if task == "classify_recordings":
        made["training"]["monitor"] = "loss"
        made["regularization"]["input_dropout"] = 0.2 if many else 0.0
    frames: dict[str, Any] = {"window": _WINDOW} if long else {}
    if passes > 1:
        frames["passes"] = passes
    frames["noise"] = _NOISE
    if many and task != "regress":
        frames["differences"] = True
    return {**made, "frames": frames}


def _sentences(size: Size, korean: bool) -> Sections:
    large = size.examples > 50_000
    epochs = by_size(((20_000, 12), (100_000, 8)), size.examples, 5)
    batch = by_size(((20_000, 32), (50_000, 64)), size.examples, 128)
    level = {"level": "subword", "max_vocabulary": 12_000 if large else 4_000}
    text = level if korean else {"level": "word", "lowercase": True, "min_count": 2}
    dropout = 0.4 if large else 0.5
    return {
        "text": text,
        "model": {
            **{"cell": "lstm", "hidden_size": 128, "embedding_size": 128},
            **{"bidirectional": True, "pooling": "max"},
        },
        "regularization": {"dropout": dropout, "input_dropout": 0.2 if large else 0.5},
        "optimizer": {"learning_rate": 2e-3},
        "training": {"epochs": epochs, "batch_size": batch, "patience": 5},
    }


def _words(size: Size, korean: bool) -> Sections:
    return {
        "text": {"features": "word,shape,prefix,suffix", "lowercase": True, "min_count": 2},
        "model": {
            **{"cell": "lstm", "hidden_size": 128, "embedding_size": 100, "bidirectional": True},
        },
        "regularization": {"dropout": 0.4, "input_dropout": 0.2},
        "optimizer": {"learning_rate": 3e-3},
        "training": {"epochs": 10, "batch_size": by_size(((2_000, 16),), size.examples, 32)},
    }


def _pairs(size: Size, korean: bool) -> Sections:
    return {
        "text": {"level": "subword", "lowercase": True, "max_vocabulary": 4_000},
        "model": {
            **{"cell": "gru", "hidden_size": 256, "embedding_size": 256, "bidirectional": True},
        },
        "loss": {"label_smoothing": 0.1},
        "regularization": {"dropout": 0.4},
        "optimizer": {"learning_rate": 2e-3},
        "training": {"epochs": by_size(((10_000, 30),), size.examples, 12), "batch_size": 64},
    }


def _series(size: Size, korean: bool) -> Sections:
    alone = size.features == size.classes  # every column is to be forecast
    batch = 32 if size.steps < 5_000 else 64
    epochs = _epochs(size.steps, batch) if size.steps < 5_000 else 10
    return {
        "model": {"cell": "gru", "hidden_size": 32 if alone else 64},
        "regularization": {"dropout": 0.3},
        "optimizer": {"learning_rate": 1e-3},
        "training": {"epochs": epochs, "batch_size": batch, "patience": max(5, epochs // 3)},
    }


def season_of(step: str, rows: int) -> tuple[int, int, int]:
    """Season, context and horizon of a series with this step, in steps.

    A day of hours or minutes, a week of days, a year of months; the context is two seasons, of
    hours a week, and no more than a tenth of the rows.

    >>> season_of("1 hour", 20_000), season_of("1 month", 144)
    ((24, 168, 24), (12, 14, 12))
    """
    seconds = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
    count, _, unit = step.partition(" ")
    unit = unit.removesuffix("s")
    season, week = 1, 0
    if unit in seconds:
        length = float(count) * seconds[unit]
        whole = 604_800 if unit == "day" else 86_400 if length >= 300 else 3600
        season = round(whole / length) if whole >= length else 1
        # Days of work and rest differ; a week of minutes is more than a network should read.
        week = round(604_800 / length) if 3600 <= length < 86_400 else 0
    elif unit == "month":
        season = max(1, round(12 / float(count)))
    horizon = min(max(season, 6), 48, max(1, rows // 12))
    context = max(season, min(max(2 * season, 24, week), 200, max(2, rows // 10)))
    return season, context, horizon


def seasons_of_many(step: str, usual: int) -> tuple[int, int, int]:
    """Season, context and horizon of many series with this step, of `usual` rows each.

    The season is that of one such series. The horizon is a season, 6 to 48 steps, and at most a
    sixth of the usual series, as two of them are held out. The context is two seasons and two
    horizons, of hours a week, and at most two thirds of the usual series, but never below a season:
    windows of series that are shorter are padded.

    >>> seasons_of_many("1 day", 365), seasons_of_many("1 hour", 800), seasons_of_many("1 day", 20)
    ((7, 28, 7), (24, 168, 24), (7, 13, 3))
    """
    season = season_of(step, 12 * usual)[0]
    week = longest_season(step)
    horizon = max(1, min(max(season, 6), 48, usual // 6))
    wanted = max(2 * season + 2 * horizon, 24, week)
    return season, max(season, min(wanted, 200, 2 * usual // 3)), horizon


def longest_season(step: str) -> int:
    """Steps of a week of hours, 0 for other steps.

    >>> longest_season("1 hour"), longest_season("2 hours"), longest_season("1 day")
    (168, 84, 0)
    """
    count, _, unit = step.partition(" ")
    return round(168 / float(count)) if unit.removesuffix("s") == "hour" else 0


def longer_season(step: str, season: int, context: int) -> int:
    """A week of hours, where a context holds one and the season is shorter, else 0."""
    week = longest_season(step)
    return week if season < week <= context else 0


def _many(size: Size, korean: bool) -> Sections:
    few = size.steps <= 5_000
    batch = 32 if few else 128
    epochs = _epochs(min(size.steps, _DRAWN), batch)
    return {
        "model": {"cell": "gru", "hidden_size": 32 if few else 64},
        "regularization": {"dropout": 0.1},
        "optimizer": {"learning_rate": 3e-3},
        "training": {"epochs": epochs, "batch_size": batch, "patience": max(5, epochs // 3)},
    }


def _watched(size: Size, korean: bool) -> Sections:
    return {
        "anomaly": {
            "window": 48 if size.length >= 200 else 24,
            "horizon": 3,
            "false_alarms": 1.0,
            "follow": 0.2,
            "validation": 0.2,
            "test": 0.4,
        },
        "model": {"cell": "gru", "hidden_size": 32 if size.features <= 8 else 64},
        "regularization": {"dropout": 0.2},
        "optimizer": {"learning_rate": 2e-3},
        "training": {"epochs": 20, "batch_size": 32 if size.steps < 20_000 else 128, "patience": 5},
    }


def _images(size: Size, korean: bool) -> Sections:
    """Settings for images; of 60,000 about those of the recipe for the published digits."""
    batch = by_size(((1_000, 16), (10_000, 32)), size.examples, 128)
    epochs = _epochs(size.examples, batch) if size.examples < 10_000 else 16
    dropout = by_size(((1_000, 0.4), (10_000, 0.3)), size.examples, 0.2)
    return {
        "data": {"view": "rows", "shift": by_size(((1_000, 2),), size.examples, 1)},
        "pictures": {"size": "auto", "channels": "auto", "fit": "pad"},
        "model": {
            **{"cell": "lstm", "hidden_size": 128, "forget_bias": 1.0},
            **{"bidirectional": True, "pooling": "max"},
        },
        "regularization": {"dropout": dropout},
        "optimizer": {"learning_rate": 3e-3},
        "training": {
            **{"epochs": epochs, "batch_size": batch, "patience": max(5, epochs // 3)},
            "monitor": "loss",
        },
    }


_OTHERS = {
    "classify": _images,
    "classify_text": _sentences,
    "label_words": _words,
    "translate": _pairs,
    "forecast": _series,
    "forecast_many": _many,
    "anomaly": _watched,
}
