"""The configuration of a run: one small frozen dataclass per noun, checked when it is made.

A recipe (TOML) and every setting, section.key=value, end here. A wrong key or value raises
`ConfigError` naming the key, what it may be, and what came. A section is a class in one of the
modules here and a field of `Config`.
"""

from carousel.config.anomaly import AnomalyConfig
from carousel.config.coach import CoachConfig, Thresholds
from carousel.config.columns import ColumnsConfig
from carousel.config.data import (
    DataConfig,
    FramesConfig,
    PicturesConfig,
    ScenesConfig,
    SoundConfig,
    TextConfig,
)
from carousel.config.decoder import DecoderConfig
from carousel.config.keys import closest
from carousel.config.model import EncoderConfig, InitializationConfig, LossConfig, ModelConfig
from carousel.config.numbers import ForecastConfig, RegressConfig
from carousel.config.pretraining import PretrainingConfig
from carousel.config.readers import refuse_idle
from carousel.config.recipe import Config, RecipeInfo, settable_keys
from carousel.config.regularization import MaxNorm, Penalty, RegularizationConfig
from carousel.config.split import SplitConfig
from carousel.config.training import (
    AveragingConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainingConfig,
)
from carousel.config.translate import TranslateConfig

__all__ = [
    "AnomalyConfig",
    "AveragingConfig",
    "CoachConfig",
    "ColumnsConfig",
    "Config",
    "DataConfig",
    "DecoderConfig",
    "EncoderConfig",
    "ForecastConfig",
    "FramesConfig",
    "InitializationConfig",
    "LossConfig",
    "MaxNorm",
    "ModelConfig",
    "OptimizerConfig",
    "Penalty",
    "PicturesConfig",
    "PretrainingConfig",
    "RecipeInfo",
    "RegressConfig",
    "RegularizationConfig",
    "ScenesConfig",
    "ScheduleConfig",
    "SoundConfig",
    "SplitConfig",
    "TextConfig",
    "Thresholds",
    "TrainingConfig",
    "TranslateConfig",
    "closest",
    "refuse_idle",
    "settable_keys",
]
