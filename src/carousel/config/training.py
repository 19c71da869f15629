"""Sections on the training: optimiser, schedule, averages, epochs."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config.durations import revisions_of, seconds_of
from carousel.config.keys import KEPT, key
from carousel.errors import ConfigError


@dataclass(frozen=True)
class OptimizerConfig:
    """torch's optimisers.

    name: "adam", "adamw", "sgd", "nesterov", "rmsprop" or "adagrad".
    learning_rate: the highest that the schedule reaches.
    momentum: of "nesterov" alone; "sgd" is plain.
    weight_decay: torch's own (decoupled from the gradient in adamw).
    clip_norm: rescale the gradient to this norm when it is longer (0: never).
    clip_value: cut each element of the gradient off at this size (0: never).
    clip_percentile: rescale the gradient to this percentile of the norms seen so far when it is
        longer (0: never; Seetharaman et al. 2020). One of the three at most.
    """

    name: str = key("adam", choices=("adam", "adamw", "sgd", "nesterov", "rmsprop", "adagrad"))
    learning_rate: float = key(1e-3, above=0, of_set=KEPT)
    momentum: float = key(0.9, above=0, high=0.9999, when=("optimizer.name=nesterov",))
    weight_decay: float = key(0.0, low=0)
    clip_norm: float = key(0.0, low=0)
    clip_value: float = key(0.0, low=0)
    clip_percentile: float = key(0.0, low=0, high=100)

    def __post_init__(self) -> None:
        clips = ("clip_norm", "clip_value", "clip_percentile")
        given = [f"optimizer.{name}" for name in clips if getattr(self, name)]
        if len(given) > 1:
            raise ConfigError(f"set one of {' and '.join(given)}, the others to 0")


@dataclass(frozen=True)
class ScheduleConfig:
    """Learning rate over the run.

    name: "constant"; "one-cycle" rises to the rate and falls to nothing (Smith and Topin 2018);
        "cosine" falls along a half wave; "plateau" falls where the validation metric stands still;
        "zaremba" is constant for some epochs, then falls at each (Zaremba et al. 2014).
    warmup: share of the run in which "one-cycle" rises.
    factor: by which "plateau" and "zaremba" multiply the rate.
    patience: "plateau" does so after more than so many epochs in a row without improvement on
        validation data; with 0, after each such epoch.
    hold: "zaremba" keeps the rate for so many epochs, then multiplies it at the start of each.
    """

    name: str = key("constant", choices=("constant", "one-cycle", "cosine", "plateau", "zaremba"))
    warmup: float = key(0.3, above=0, high=0.99, when=("schedule.name=one-cycle",))
    factor: float = key(0.5, above=0, high=0.999, when=("schedule.name=plateau|zaremba",))
    patience: int = key(2, low=0, when=("schedule.name=plateau",))
    hold: int = key(4, low=0, when=("schedule.name=zaremba",))


@dataclass(frozen=True)
class AveragingConfig:
    """Averages of the weights over steps, which are validated and kept in place of the last ones.

    name: "mean" of the weights after every step from the start of epoch `start` + 1 on (Polyak and
        Juditsky 1992), or "ema": decay * average + (1 - decay) * weights after every step.
    start: epochs before the "mean" begins.
    decay: of "ema".
    patience: start the "mean" as soon as so many epochs in a row brought no improvement, if that
        comes before `start` (0: at `start` alone; Merity et al. 2017).
    """

    name: str = key("none", choices=("none", "mean", "ema"))
    start: int = key(1, low=0, when=("averaging.name=mean",))
    patience: int = key(0, low=0, when=("averaging.name=mean",))
    decay: float = key(0.999, above=0, high=0.999999, when=("averaging.name=ema",))


@dataclass(frozen=True)
class TrainingConfig:
    """Length of training, batches, and early stopping.

    epochs: passes through the training part, at most. Under a `budget`, the epochs that the other
        settings in epochs (`schedule.hold`, `averaging.start`) were chosen for.
    budget: time to train in, such as "10 min" (units s, min, h), in place of `epochs`: as many
        steps as fit, with the schedule stretched or shortened to end with the time; empty: none.
        Reading the data, baselines and the test part come on top.
    revised: "step:steps …": after that step, the run is so many steps long in all, and its schedule
        ends there. A run under a `budget` says it, to be repeated exactly; empty: never.
    batch_size: sequences of a batch; of a running text, streams that are read side by side.
    seeds: so many networks, trained one after the other with as many seeds, are one model whose
        answers are the average of theirs; a `budget` is shared out among them.
    max_steps: stop after so many optimiser steps (0: no such limit).
    patience: stop after so many epochs without improvement of `monitor` (0: never).
    min_delta: an improvement must be larger than this.
    monitor: the validation metric that chooses the best epoch, such as "loss"; empty for the
        task's own (accuracy where classes are told apart).
    restore_best: end with the weights of the best epoch instead of the last.
    samples: so many validation examples are recorded after every epoch with what the model says of
        them, for `carousel board` (0: none); changes nothing that is trained.
    keep_epochs: the model as it is after every so many epochs is kept in the run's epochs/, to be
        looked into, judged or asked as the final one (0: none).
    checkpoint_seconds: a resumable checkpoint at least this often (and after an epoch, if a
        second has passed since the last).
    """

    epochs: int = key(10, low=1, of_set=KEPT)
    budget: str = ""
    revised: str = ""
    seeds: int = key(1, low=1, high=32)
    max_steps: int = key(0, low=0)
    batch_size: int = key(128, low=1, of_set=KEPT)
    patience: int = key(0, low=0)
    monitor: str = ""
    min_delta: float = key(0.0, low=0)
    restore_best: bool = True
    samples: int = key(12, low=0, high=100)
    keep_epochs: int = key(0, low=0)
    checkpoint_seconds: float = key(30.0, above=0)

    def __post_init__(self) -> None:
        revisions_of(self.revised, "training.revised")
        if not self.budget:
            return
        seconds_of(self.budget, "training.budget")
        if self.max_steps:
            raise ConfigError(
                "training.budget and training.max_steps both end the training: set max_steps to 0, "
                "or the budget to ''"
            )
        if self.revised:
            raise ConfigError(
                "training.revised repeats a run under a budget, without the clock: set "
                "training.budget to '', or training.revised"
            )
