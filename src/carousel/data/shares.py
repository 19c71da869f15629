"""Shares of one's own data that are held out: by a fraction, by a fold, or none, where a part has a
file of its own."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config import (
    AnomalyConfig,
    Config,
    ForecastConfig,
    FramesConfig,
    PicturesConfig,
    TextConfig,
)
from carousel.errors import ConfigError, DataError


@dataclass(frozen=True)
class Fold:
    """Fold `number`, counted from 0, of so many: it judges."""

    number: int
    folds: int

    @property
    def fraction(self) -> float:
        """Share of the examples that it has, about."""
        return 1 / self.folds


Share = float | Fold | None
"""How much of what is split goes to a part: a fraction, a fold, or nothing."""


def shares(
    config: Config,
    section: TextConfig | FramesConfig | PicturesConfig | AnomalyConfig | ForecastConfig,
) -> dict[str, Share]:
    """Shares of the test and the validation part, in that order, as a section has them; None for a
    part that has a file of its own, a fold where there are folds. Raises `ConfigError`.

    >>> config = Config.from_dict({"task": "regress", "data": {"path": "x.csv", "test": "y.csv"}})
    >>> shares(config, config.frames)
    {'test': None, 'validation': 0.2}
    """
    files = config.data.files
    found: dict[str, Share] = {
        part: None if part in files else getattr(section, part) for part in ("test", "validation")
    }
    if fold := fold_of(config):
        found["test"] = fold if fold.number >= 0 else None
    return found


def fold_of(config: Config) -> Fold | None:
    """The fold that judges, with the number -1 if none does; None without folds. Raises
    `ConfigError` for one that there cannot be."""
    split = config.split
    if not split.folds:
        return None
    if "test" in config.data.files:
        raise ConfigError(
            f"split.folds = {split.folds} lets parts of data.path judge, and data.test = "
            f"'{config.data.test}' is to judge as well: leave one of them out"
        )
    if split.by == "column":
        raise ConfigError(
            "split.by = 'column' says which rows judge, so there is nothing to fold: set split.by "
            "= 'sequence', 'group' or 'time'"
        )
    if split.test:
        raise ConfigError("split.test names what judges, so there is nothing to fold: leave it out")
    if split.folds < 2 or split.fold >= split.folds:
        raise ConfigError(
            f"split.folds must be at least 2, and split.fold one of 0 to {split.folds - 1} (or -1, "
            f"none); got {split.folds} and {split.fold}"
        )
    return Fold(split.fold, split.folds)


def is_judged(config: Config) -> bool:
    """True unless all but the validation part is trained on, and there is no test part."""
    return not (config.split.folds and config.split.fold < 0)


def drawn(found: dict[str, Share]) -> int:
    """Number of parts, beside the training part, that are drawn."""
    return sum(share is not None for share in found.values())


def of_rest(found: dict[str, Share]) -> float | None:
    """The validation part's share of what the test part leaves."""
    test, validation = found["test"], found["validation"]
    assert not isinstance(validation, Fold)
    taken = test.fraction if isinstance(test, Fold) else test or 0.0
    return None if validation is None else validation / (1 - taken)


_WORDS = {1: "one", 2: "two", 3: "three"}


@dataclass(frozen=True)
class Fewest:
    """Fewest units that can be split: one to train on, and one for each part that is drawn."""

    count: int

    @classmethod
    def of(cls, config: Config) -> Fewest:
        return cls(1 + drawn(shares(config, config.frames)))

    def __str__(self) -> str:
        """The count as a word."""
        return _WORDS[self.count]


def ends_in_time(count: int, found: dict[str, Share], least: int = 1) -> tuple[int, int, int]:
    """Ends of the training, the validation and the test part of units in order of time.

    Of folds the units are cut into one block more than there are folds: fold n trains on what comes
    before block n + 1, of which the last share validates, and judges that block. So the first
    block judges nothing, and what comes after a judged block is not read. Raises `DataError` if a
    block or the training part is empty.

    >>> ends_in_time(12, {"test": Fold(0, 3), "validation": 0.1})
    (2, 3, 6)
    """
    test, validation = found["test"], found["validation"]
    assert not isinstance(validation, Fold)
    held = 0 if validation is None else max(least, round(validation * count))
    if isinstance(test, Fold):
        block = count / (test.folds + 1)
        first, last = (round(block * (test.number + place)) for place in (1, 2))
        if validation is not None:
            held = min(held, max(least, round(validation * first)))
        if first >= last or first - held < 1:
            raise DataError(
                f"{test.folds} folds in order of time cut {count:,} units into {test.folds + 1} "
                f"blocks, and fold {test.number + 1} has too few to train, to validate and to "
                f"judge: make fewer folds"
            )
        return first - held, first, last
    tests = 0 if test is None else max(least, round(test * count))
    return count - tests - held, count - tests, count
