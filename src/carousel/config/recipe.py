"""The whole of a configuration, and what a recipe says of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from typing import Any, cast

from carousel.config import groups, own
from carousel.config.anomaly import AnomalyConfig
from carousel.config.coach import CoachConfig
from carousel.config.columns import FORECASTS, TABLES, ColumnsConfig
from carousel.config.data import (
    CAPTIONED,
    OWN_IMAGES,
    DataConfig,
    FramesConfig,
    PicturesConfig,
    ScenesConfig,
    SoundConfig,
    TextConfig,
)
from carousel.config.decoder import DecoderConfig
from carousel.config.keys import assign, build, key, kinds_by_key, section
from carousel.config.many import ManyConfig
from carousel.config.model import EncoderConfig, InitializationConfig, LossConfig, ModelConfig
from carousel.config.numbers import ForecastConfig, RegressConfig
from carousel.config.pretraining import PretrainingConfig
from carousel.config.readers import Setting, idle_settings, value_of
from carousel.config.regularization import RegularizationConfig
from carousel.config.split import SplitConfig
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
    """Name, summary and expectations of a recipe; nothing here changes a number.

    name: in lists, and of the folders of its runs.
    summary: one line.
    mapping: what is mapped to what, such as many-to-one.
    expected: the result that was measured.
    minutes: that it takes on two cores.
    based_on: the recipe whose network and training are used on other data than its own.
    dropped: what that recipe chose for its own data alone, and that is not used.
    taken_over: what it chose for them and that is used, because something must be chosen.
    left_out: what was set and lost its effect by what was set beside it.
    """

    name: str = "unnamed"
    summary: str = ""
    mapping: str = ""
    expected: str = ""
    minutes: float = key(0.0, low=0)
    based_on: str = ""
    dropped: str = ""
    taken_over: str = ""
    left_out: str = ""


@dataclass(frozen=True)
class Config:
    """Everything that decides a run, but for the seed and the machine.

    task: the mapping, such as "classify" or "forecast"; see docs/tasks.
    """

    recipe: RecipeInfo = field(default_factory=RecipeInfo)
    task: str = "classify"
    data: DataConfig = field(default_factory=DataConfig)
    columns: ColumnsConfig = section(ColumnsConfig, tasks=TABLES, when=("data.name=table",))
    split: SplitConfig = field(default_factory=SplitConfig)
    text: TextConfig = field(default_factory=TextConfig)
    translate: TranslateConfig = section(TranslateConfig, tasks=("translate",))
    frames: FramesConfig = section(FramesConfig, tasks=groups.RECORDINGS)
    sound: SoundConfig = section(SoundConfig, tasks=("classify_recordings",))
    scenes: ScenesConfig = section(ScenesConfig, tasks=groups.MADE_SCENES)
    pictures: PicturesConfig = section(PicturesConfig, tasks=CAPTIONED | OWN_IMAGES)
    forecast: ForecastConfig = section(ForecastConfig, tasks=FORECASTS)
    many: ManyConfig = section(ManyConfig, tasks=("forecast_many",))
    regress: RegressConfig = section(RegressConfig, tasks=("regress",))
    anomaly: AnomalyConfig = section(AnomalyConfig, tasks=("anomaly",))
    model: ModelConfig = field(default_factory=ModelConfig)
    encoder: EncoderConfig = section(EncoderConfig, tasks=groups.SEEN)
    decoder: DecoderConfig = section(DecoderConfig, tasks=groups.WRITERS)
    initialization: InitializationConfig = field(default_factory=InitializationConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    regularization: RegularizationConfig = field(default_factory=RegularizationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    averaging: AveragingConfig = field(default_factory=AveragingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    pretraining: PretrainingConfig = section(PretrainingConfig, tasks=groups.PRETRAINED)
    coach: CoachConfig = field(default_factory=CoachConfig)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """The configuration that a (TOML) dictionary describes. Raises `ConfigError`.

        Where `data.path` alone is given, `data.name` is the task's word for custom data.
        """
        if isinstance(values, Mapping):
            values = own.named(values)
        return cast(Config, build(cls, values, ""))

    @classmethod
    def from_stored(cls, values: Mapping[str, Any]) -> Config:
        """The configuration that a run or a bundle was written with, which names every setting that
        there was. Raises `ConfigError`."""
        columns = values.get("columns")
        if isinstance(columns, Mapping) and "embed" not in columns and columns.get("category"):
            values = {**values, "columns": {**columns, "embed": False}}  # as it was read then
        return cls.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """Configuration as plain dictionaries; `from_dict` of it is equal to this."""
        return dataclasses.asdict(self)

    def override(self, assignments: Iterable[str] | Mapping[str, Any]) -> Config:
        """A copy with each "section.key=value" applied, or with the values of a dictionary by
        their keys. Raises `ConfigError`.

        Other data than those of the recipe: what it chose for its own goes back to the defaults,
        but for what is given here (`recipe.dropped`). So does a setting that something read and
        that nothing reads any more, such as the warm-up of a schedule that is changed
        (`recipe.left_out`).
        """
        values, given = self.to_dict(), list[str]()
        for name, value, is_text in _pairs(assignments):
            assign(values, kinds_by_key(Config), name, value, is_text=is_text)
            given.append(name)
        decisive = {"task", "data.name", "data.path"}
        if decisive.intersection(given) or any(name.startswith("columns.") for name in given):
            own.resolve(self.to_dict(), values, given, Config().to_dict(), Config)
        changed = Config.from_dict(values)
        return changed._without(
            [s for s, _ in idle_settings(changed) if s.name not in given and not s.idle(self)]
        )

    def settled(self) -> Config:
        """A copy with what nothing reads at its default (`recipe.left_out`): of a run of an earlier
        version, which did not refuse it."""
        return self._without([setting for setting, _ in idle_settings(self)])

    def _without(self, fallen: list[Setting]) -> Config:
        if not fallen:
            return self
        values = self.to_dict()
        for setting in fallen:
            *sections, last = setting.name.split(".")
            reduce(getitem, sections, values)[last] = setting.default
        words = [f"{s.name}={value_of(self, s.name)} {s.idle(self)}" for s in fallen]
        values["recipe"]["left_out"] = "; ".join([self.recipe.left_out, *words]).removeprefix("; ")
        return Config.from_dict(values)

    def check_data(self) -> Config:
        """Return this configuration if it names data: a published set, or a path. Raises
        `ConfigError`."""
        own.check(self.task, self.data.name, self.data.path, self.data.files)
        return self

    def notices(self) -> list[str]:
        """Notices about a recipe that is used on other data than its own, or with other
        settings."""
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
        if info.left_out:
            lines.append(f"left out, because it would have no effect: {info.left_out}")
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


def settable_keys() -> list[str]:
    """Every key that can be set, in the order of the classes."""
    return list(kinds_by_key(Config))
