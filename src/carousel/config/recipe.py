"""The whole of a configuration, and what a recipe says of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

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
from carousel.config.keys import assign, build, key, keys_of
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
    """What a recipe says of itself; nothing here changes a number."""

    name: str = "unnamed"
    summary: str = ""
    mapping: str = ""
    expected: str = ""
    minutes: float = key(0.0, low=0)


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
        """The configuration that a (TOML) dictionary describes. Raises `ConfigError`."""
        return cast(Config, build(cls, values, ""))

    def to_dict(self) -> dict[str, Any]:
        """The same as plain dictionaries; `from_dict` of it is equal to this."""
        return dataclasses.asdict(self)

    def override(self, assignments: Iterable[str]) -> Config:
        """A copy with each "section.key=value" applied. Raises `ConfigError`."""
        values = self.to_dict()
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigError(f"--set wants section.key=value, got '{assignment}'")
            assign(values, settable_keys(), name.strip(), text.strip())
        return Config.from_dict(values)


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
    """Every key that --set takes, in the order of the classes."""
    return keys_of(Config)
