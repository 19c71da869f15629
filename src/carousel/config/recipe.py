"""The whole of a configuration, and what a recipe says of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from carousel.config import own
from carousel.config.coach import CoachConfig
from carousel.config.data import (
    DataConfig,
    FramesConfig,
    PicturesConfig,
    ScenesConfig,
    SoundConfig,
    TextConfig,
)
from carousel.config.decoder import DecoderConfig
from carousel.config.keys import assign, build, key, kinds_by_key
from carousel.config.model import EncoderConfig, InitializationConfig, LossConfig, ModelConfig
from carousel.config.numbers import ForecastConfig, RegressConfig
from carousel.config.regularization import RegularizationConfig
from carousel.config.training import (
    AveragingConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainingConfig,
)
from carousel.config.translate import TranslateConfig
from carousel.errors import ConfigError


@dataclass(frozen=True)
class RecipeInfo:
    """What a recipe says of itself; nothing here changes a number.

    based_on: the recipe whose network and training are used on other data than its own.
    dropped: what that recipe chose for its own data alone, and that is not used.
    taken_over: what it chose for them and that is used, because something must be chosen.
    """

    name: str = "unnamed"
    summary: str = ""
    mapping: str = ""
    expected: str = ""
    minutes: float = key(0.0, low=0)
    based_on: str = ""
    dropped: str = ""
    taken_over: str = ""


@dataclass(frozen=True)
class Config:
    """Everything that decides a run, but for the seed and the machine."""

    recipe: RecipeInfo = field(default_factory=RecipeInfo)
    task: str = "classify"
    data: DataConfig = field(default_factory=DataConfig)
    text: TextConfig = field(default_factory=TextConfig)
    translate: TranslateConfig = field(default_factory=TranslateConfig)
    frames: FramesConfig = field(default_factory=FramesConfig)
    sound: SoundConfig = field(default_factory=SoundConfig)
    scenes: ScenesConfig = field(default_factory=ScenesConfig)
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
    forecast: ForecastConfig = field(default_factory=ForecastConfig)
    regress: RegressConfig = field(default_factory=RegressConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    initialization: InitializationConfig = field(default_factory=InitializationConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    regularization: RegularizationConfig = field(default_factory=RegularizationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    averaging: AveragingConfig = field(default_factory=AveragingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    coach: CoachConfig = field(default_factory=CoachConfig)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """The configuration that a (TOML) dictionary describes. Raises `ConfigError`.

        Where `data.path` alone is given, `data.name` is the task's word for data of one's own.
        """
        if isinstance(values, Mapping):
            values = own.named(values)
        return cast(Config, build(cls, values, ""))

    def to_dict(self) -> dict[str, Any]:
        """The same as plain dictionaries; `from_dict` of it is equal to this."""
        return dataclasses.asdict(self)

    def override(self, assignments: Iterable[str] | Mapping[str, Any]) -> Config:
        """A copy with each "section.key=value" applied, or with the values of a dictionary by
        their keys. Raises `ConfigError`.

        Other data than those of the recipe: what it chose for its own goes back to the defaults,
        but for what is given here (`recipe.dropped`).
        """
        values, given = self.to_dict(), list[str]()
        for name, value, is_text in _pairs(assignments):
            assign(values, kinds_by_key(Config), name, value, is_text=is_text)
            given.append(name)
        if {"task", "data.name", "data.path"}.intersection(given):
            own.resolve(self.to_dict(), values, given, Config().to_dict())
        return Config.from_dict(values)

    def check_data(self) -> Config:
        """The same, once it names data: a published set, or a path. Raises `ConfigError`."""
        own.check(self.task, self.data.name, self.data.path)
        return self

    def said_of_data(self) -> list[str]:
        """What a person should know of a recipe that is used on other data than its own."""
        info = self.recipe
        lines = []
        if info.dropped:
            lines.append(
                f"not taken over from {info.based_on}, which chose them for its own data: "
                f"{info.dropped} (set what you want again)"
            )
        if info.taken_over:
            lines.append(
                f"taken over from {info.based_on}, though chosen for its own data: "
                f"{info.taken_over} (set what does not suit yours)"
            )
        return lines


def _pairs(
    assignments: Iterable[str] | Mapping[str, Any],
) -> Iterator[tuple[str, Any, bool]]:
    """Key, value, and whether the value is text as somebody typed it."""
    if isinstance(assignments, Mapping):
        yield from ((str(name), value, False) for name, value in assignments.items())
        return
    if isinstance(assignments, str):
        raise ConfigError(f"settings must be a list of 'section.key=value', got '{assignments}'")
    for assignment in assignments:
        name, equals, text = str(assignment).partition("=")
        if not equals:
            raise ConfigError(f"a setting must be section.key=value, got '{assignment}'")
        yield name.strip(), text.strip(), True


def reject_without_effect(config: Config, keys: Iterable[str], where: str) -> None:
    """Raise `ConfigError` for the first of `keys` that is not at its default.

    keys: such as "data.view", or "text" for a whole section. where: in which they do nothing.
    """
    for setting in keys:
        value: Any = config
        default: Any = Config()
        for name in setting.split("."):
            value, default = getattr(value, name), getattr(default, name)
        if value != default:
            raise ConfigError(f"{setting} has no effect in {where}: leave it out")


def settable_keys() -> list[str]:
    """Every key that can be set, in the order of the classes."""
    return list(kinds_by_key(Config))
