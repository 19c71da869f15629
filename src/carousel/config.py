"""The configuration of a run: one small frozen dataclass per noun, checked when it is made.

A recipe (TOML) and every `--set section.key=value` end here. A wrong key or value raises
`ConfigError` naming the key, what it may be, and what came.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carousel.errors import ConfigError


def _key(
    default: Any,
    *,
    choices: tuple[str, ...] | None = None,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
) -> Any:
    """A field with its limits: one of `choices`, or low <= value <= high and value > above."""
    return field(
        default=default, metadata={"choices": choices, "low": low, "high": high, "above": above}
    )


@dataclass(frozen=True)
class RecipeInfo:
    """What a recipe says of itself; nothing here changes a number."""

    name: str = "unnamed"
    summary: str = ""
    mapping: str = ""
    expected: str = ""
    minutes: float = _key(0.0, low=0)


@dataclass(frozen=True)
class DataConfig:
    """Which data, how an image becomes a sequence, what is held out for validation.

    name: "mnist" to classify; a text's name to generate (carousel data list), or "text" for a
        file and "lines" for a folder of your own, which `path` names; for other tasks see the
        task's page in docs/tasks.
    view: how a 28 x 28 image is read: "rows" (28 steps of 28), "pixels" (784 steps of 1),
        "image" (1 step of 784).
    permutation: read the pixels of every image in one shuffled order, that of NumPy's
        RandomState(permutation).permutation(784) (0: in their own order).
    scaling: "standard" (zero mean, unit deviation over the training part) or "unit" ([0, 1]).
    validation: how many training images are held out to choose the best epoch.
    train_limit: use only so many training images, or tokens of a text (0: all).
    shift: move each training image by up to so many pixels in x and y, drawn anew each epoch.
    fold: which tenth judges, of a set that has no split of its own and is cross-validated.
    test_head: also report the accuracy on the first so many test images (0: do not).
    """

    name: str = "mnist"
    path: str = ""
    view: str = _key("rows", choices=("rows", "pixels", "image"))
    permutation: int = _key(0, low=0, high=2**32 - 1)
    scaling: str = _key("standard", choices=("standard", "unit"))
    validation: int = _key(5000, low=1)
    split_seed: int = _key(0, low=0)
    train_limit: int = _key(0, low=0)
    shift: int = _key(0, low=0, high=8)
    fold: int = _key(0, low=0, high=9)
    test_head: int = _key(0, low=0)


@dataclass(frozen=True)
class TextConfig:
    """How a text becomes tokens, what is held out of it, and how far gradients go back in it.

    level: a token is a "word" (of a running text: what stands between white space, and a line
        break is the word <eos>; of sentences: a word or a punctuation mark), a "character", or, of
        sentences, a "jamo" (a letter of Hangul) or a "subword" (byte-pair encoding).
    lowercase: read sentences in lower case.
    features: what is known of each word that is to be labelled, with commas between: "word",
        "shape" (capitals, digits, signs), "prefix" and "suffix" (its first or last 3 letters).
    min_count, max_vocabulary: rarer words of the training part, and all but the most frequent
        ones (0: no limit), become <unk>; so does, later, whatever the training part lacks.
    validation, test: shares held out, of a set that has no split of its own: the end of a text,
        first validation, then test; for labelled lines a random draw by `data.split_seed`.
    bptt: steps that gradients go back: the text is cut into windows of so many tokens, and the
        state is carried from each to the next (truncated backpropagation through time).
    loss_scale: what is differentiated: the "mean" loss of a window's tokens, or, in "steps", the
        sum over its steps of the mean over the batch: Zaremba's scale, bptt times as large.
    """

    level: str = _key("word", choices=("word", "character", "jamo", "subword"))
    lowercase: bool = False
    features: str = "word"
    min_count: int = _key(1, low=1)
    max_vocabulary: int = _key(0, low=0)
    validation: float = _key(0.05, above=0, high=0.5)
    test: float = _key(0.05, above=0, high=0.5)
    bptt: int = _key(35, low=1)
    loss_scale: str = _key("mean", choices=("mean", "steps"))


@dataclass(frozen=True)
class FramesConfig:
    """How recordings with a label, or a number to be found, per frame are read.

    window: frames of a training window, drawn anew each epoch (0: whole recordings). Recordings
        are always judged whole.
    passes: how many times an epoch draws the windows of each recording: more where recordings are
        few, so that not every few steps are followed by a validation.
    differences: give the network x_t - x_{t-1} beside x_t.
    noise: standard deviation of Gaussian noise on the scaled values, in training.
    validation, test: shares of the recordings of a folder of your own, at least one of each.
    """

    window: int = _key(0, low=0)
    passes: int = _key(1, low=1)
    differences: bool = False
    noise: float = _key(0.0, low=0)
    validation: float = _key(0.2, above=0, high=0.5)
    test: float = _key(0.2, above=0, high=0.5)


@dataclass(frozen=True)
class RegressConfig:
    """How a number is read off each step of a recording.

    cap: targets above it count as it, in training (0: none). An engine that is far from failing
        does not show how far.
    output: "identity" with squared error on the standardised target, "sigmoid" with binary
        cross-entropy for targets in [0, 1], or "auto": sigmoid where all training targets are.
    """

    cap: float = _key(0.0, low=0)
    output: str = _key("auto", choices=("auto", "identity", "sigmoid"))


@dataclass(frozen=True)
class ForecastConfig:
    """How a series is cut into windows, and what is said of the steps after each.

    context, horizon: steps that are read, and steps that are forecast from them, all at once.
    targets: the columns to forecast, with commas between (empty: all of them); the others are
        read only.
    calendar: tell the network the hour, the day of the week and the month of every step, those to
        come included, as far as the time stamps have them.
    season: steps after which the series resembles itself: of the seasonal baseline and of MASE
        (1: none).
    relative: take the last value of each context from its window and add it to the forecast, so
        that the level need not be learnt.
    linear: add a linear map of each target's own window, so that the network need only say what
        a line does not (Lai et al. 2018).
    independent: forecast each target from its own past alone, by one network for all of them: far
        less is learnt by heart (Nie et al. 2023).
    output: "identity" (forecasts on the scale of the standardised series), "sigmoid" (with binary
        cross-entropy, for targets in [0, 1]), or "auto": sigmoid where all training targets are.
    distribution: "none" (one number), "gaussian" (mean and deviation), "quantile" (10, 50, 90 %).
    validation, test: shares of the series, at its end, of a set that has no split of its own.
    gap: steps left out between the parts.
    """

    context: int = _key(48, low=1)
    horizon: int = _key(12, low=1)
    targets: str = ""
    calendar: bool = False
    season: int = _key(1, low=1)
    relative: bool = True
    linear: bool = False
    independent: bool = False
    output: str = _key("auto", choices=("auto", "identity", "sigmoid"))
    distribution: str = _key("none", choices=("none", "gaussian", "quantile"))
    validation: float = _key(0.15, above=0, high=0.5)
    test: float = _key(0.15, above=0, high=0.5)
    gap: int = _key(0, low=0)


@dataclass(frozen=True)
class ModelConfig:
    """The recurrent network and how its outputs are read.

    embedding_size: of each token of a text (0: hidden_size).
    feature_size: of each feature of a word but the word itself (see `text.features`).
    tied: the embedding is the output layer's weight too (Press and Wolf 2017); it needs
        embedding_size = hidden_size.
    pooling: what the head sees: the "last" state, the "mean" or "max" over time, or a mean whose
        weights are learnt ("attention", see carousel.layers.attention).
    cell: "lstm", "gru", "rnn", or without a recurrent product "mingru", "minlstm", "indrnn".
    nonlinearity: of the vanilla RNN and IndRNN; the other cells ignore it.
    forget_bias: where the forget gate of LSTM and minLSTM starts (Jozefowicz et al. 2015).
    activation, gate_activation: in place of tanh and σ; empty for the cell's own.
    layer_norm: normalise inside the cell (Ba et al. 2016), of LSTM, GRU and vanilla RNN.
    peephole, coupled, variant: of the LSTM: gates that see the cell, f = 1 - i, and one part left
        out (Greff et al. 2015): see docs/options.md.
    """

    cell: str = _key("lstm", choices=("lstm", "gru", "rnn", "mingru", "minlstm", "indrnn"))
    hidden_size: int = _key(128, low=1)
    num_layers: int = _key(1, low=1)
    embedding_size: int = _key(0, low=0)
    feature_size: int = _key(32, low=1)
    tied: bool = False
    bidirectional: bool = False
    pooling: str = _key("last", choices=("last", "mean", "max", "attention"))
    nonlinearity: str = _key("tanh", choices=("tanh", "relu"))
    forget_bias: float = 1.0
    activation: str = _key("", choices=("", "tanh", "softsign", "relu", "hard_tanh"))
    gate_activation: str = _key("", choices=("", "sigmoid", "hard_sigmoid"))
    layer_norm: bool = False
    peephole: bool = False
    coupled: bool = False
    variant: str = _key("", choices=("", "NIG", "NFG", "NOG", "NIAF", "NOAF"))


@dataclass(frozen=True)
class InitializationConfig:
    """Where the weights start (see carousel.layers.initialization).

    name: "torch" (its defaults), "uniform" (every weight and bias from U(-range, range)),
        "orthogonal" (Keras's: Glorot inputs, orthogonal recurrence), "identity" (IRNN), "chrono".
    steps: the longest dependence that "chrono" expects.
    """

    name: str = _key("torch", choices=("torch", "uniform", "orthogonal", "identity", "chrono"))
    range: float = _key(0.1, above=0)
    steps: int = _key(100, low=3)


@dataclass(frozen=True)
class LossConfig:
    """What is differentiated where classes are told apart; reported losses are never changed.

    label_smoothing: share of the target that is spread over all classes (Szegedy et al. 2016).
    class_weights: "balanced" counts an example of class c n / (C n_c) times, so that rare classes
        weigh as much as frequent ones.
    """

    label_smoothing: float = _key(0.0, low=0, high=0.9)
    class_weights: str = _key("none", choices=("none", "balanced"))


@dataclass(frozen=True)
class Penalty:
    """Strength of a weight penalty per group of weights: W_ih, W_hh, biases, embedding, head."""

    input: float = _key(0.0, low=0)
    recurrent: float = _key(0.0, low=0)
    bias: float = _key(0.0, low=0)
    embedding: float = _key(0.0, low=0)
    head: float = _key(0.0, low=0)


@dataclass(frozen=True)
class MaxNorm:
    """The longest that a row of each group's matrices may be (0: any): W_ih, W_hh, head."""

    input: float = _key(0.0, low=0)
    recurrent: float = _key(0.0, low=0)
    head: float = _key(0.0, low=0)


@dataclass(frozen=True)
class RegularizationConfig:
    """Dropout on vertical connections, penalties l1 * sum|w| + l2 / 2 * sum w^2, and limits.

    dropout: on the embedding where there is one, between layers and before the head; never on
        the recurrent path (Zaremba et al. 2014).
    input_dropout: on the input of the first layer; of a text, it drops whole words, each wherever
        it stands in a window (Gal and Ghahramani 2016).
    activation, temporal_activation: alpha and beta of Merity et al. 2017: alpha times the mean
        square of the outputs after dropout, beta times that of their change from step to step.
    max_norm: after each step, rows longer than this are shortened to it (Srebro et al. 2005).
    zoneout: probability of each unit to keep its old state at a step (Krueger et al. 2017), of h,
        and of the LSTM's cell; zoneout_cell: of the cell, where it is another one (-1: the same).
    weight_dropout: share of W_hh that is zero, drawn for each batch (Merity et al. 2018).
    recurrent_dropout: of the LSTM's and the GRU's candidate (Semeniuta et al. 2016).
    variational: of each layer's input, of h before the recurrent product and of the top output,
        one mask for all steps of a window (Gal and Ghahramani 2016).
    naive_recurrent_dropout: of h before the product, a new mask at each step; for comparison.
    """

    dropout: float = _key(0.0, low=0, high=0.95)
    input_dropout: float = _key(0.0, low=0, high=0.95)
    activation: float = _key(0.0, low=0)
    temporal_activation: float = _key(0.0, low=0)
    zoneout: float = _key(0.0, low=0, high=0.95)
    zoneout_cell: float = _key(-1.0, low=-1, high=0.95)
    weight_dropout: float = _key(0.0, low=0, high=0.95)
    recurrent_dropout: float = _key(0.0, low=0, high=0.95)
    variational: float = _key(0.0, low=0, high=0.95)
    naive_recurrent_dropout: float = _key(0.0, low=0, high=0.95)
    l1: Penalty = field(default_factory=Penalty)
    l2: Penalty = field(default_factory=Penalty)
    max_norm: MaxNorm = field(default_factory=MaxNorm)


@dataclass(frozen=True)
class OptimizerConfig:
    """torch's optimisers by name.

    momentum: of "nesterov" alone; "sgd" is plain.
    weight_decay: torch's own (decoupled from the gradient in adamw).
    clip_norm: rescale the gradient to this norm when it is longer (0: never).
    clip_value: cut each element of the gradient off at this size (0: never).
    clip_percentile: rescale the gradient to this percentile of the norms seen so far when it is
        longer (0: never; Seetharaman et al. 2020). One of the three at most.
    """

    name: str = _key("adam", choices=("adam", "adamw", "sgd", "nesterov", "rmsprop", "adagrad"))
    learning_rate: float = _key(1e-3, above=0)
    momentum: float = _key(0.9, above=0, high=0.9999)
    weight_decay: float = _key(0.0, low=0)
    clip_norm: float = _key(0.0, low=0)
    clip_value: float = _key(0.0, low=0)
    clip_percentile: float = _key(0.0, low=0, high=100)

    def __post_init__(self) -> None:
        clips = ("clip_norm", "clip_value", "clip_percentile")
        given = [f"optimizer.{name}" for name in clips if getattr(self, name)]
        if len(given) > 1:
            raise ConfigError(f"set one of {' and '.join(given)}, the others to 0")


@dataclass(frozen=True)
class ScheduleConfig:
    """How the learning rate moves over the run.

    warmup: share of the run in which "one-cycle" rises.
    factor, patience: "plateau" multiplies the rate by `factor` after more than `patience` epochs
        in a row without improvement on validation data; with patience 0, after each such epoch.
    factor, hold: "zaremba" keeps the rate for `hold` epochs, then multiplies it by `factor` at
        the start of every epoch.
    """

    name: str = _key("constant", choices=("constant", "one-cycle", "cosine", "plateau", "zaremba"))
    warmup: float = _key(0.3, above=0, high=0.99)
    factor: float = _key(0.5, above=0, high=0.999)
    patience: int = _key(2, low=0)
    hold: int = _key(4, low=0)


@dataclass(frozen=True)
class AveragingConfig:
    """Averages of the weights over steps, which are validated and kept in place of the last ones.

    name: "mean" of the weights after every step from the start of epoch `start` + 1 on (Polyak and
        Juditsky 1992), or "ema": decay * average + (1 - decay) * weights after every step.
    patience: start the "mean" as soon as so many epochs in a row brought no improvement, if that
        comes before `start` (0: at `start` alone; Merity et al. 2017).
    """

    name: str = _key("none", choices=("none", "mean", "ema"))
    start: int = _key(1, low=0)
    patience: int = _key(0, low=0)
    decay: float = _key(0.999, above=0, high=0.999999)


@dataclass(frozen=True)
class TrainingConfig:
    """How long, in what batches, and when to stop.

    max_steps: stop after so many optimiser steps (0: no such limit).
    patience: stop after so many epochs without improvement of `monitor` (0: never).
    monitor: the validation metric that chooses the best epoch, such as "loss"; empty for the
        task's own (accuracy where classes are told apart).
    restore_best: end with the weights of the best epoch instead of the last.
    checkpoint_seconds: a resumable checkpoint at least this often (and after every epoch).
    """

    epochs: int = _key(10, low=1)
    max_steps: int = _key(0, low=0)
    batch_size: int = _key(128, low=1)
    patience: int = _key(0, low=0)
    monitor: str = ""
    min_delta: float = _key(0.0, low=0)
    restore_best: bool = True
    checkpoint_seconds: float = _key(30.0, above=0)


@dataclass(frozen=True)
class Config:
    """Everything that decides a run, but for the seed and the machine."""

    recipe: RecipeInfo = field(default_factory=RecipeInfo)
    task: str = "classify"
    data: DataConfig = field(default_factory=DataConfig)
    text: TextConfig = field(default_factory=TextConfig)
    frames: FramesConfig = field(default_factory=FramesConfig)
    forecast: ForecastConfig = field(default_factory=ForecastConfig)
    regress: RegressConfig = field(default_factory=RegressConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    initialization: InitializationConfig = field(default_factory=InitializationConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    regularization: RegularizationConfig = field(default_factory=RegularizationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    averaging: AveragingConfig = field(default_factory=AveragingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """The configuration that a (TOML) dictionary describes. Raises `ConfigError`."""
        return typing.cast(Config, _build(cls, values, ""))

    def to_dict(self) -> dict[str, Any]:
        """The same as plain dictionaries; `from_dict` of it is equal to this."""
        return dataclasses.asdict(self)

    def override(self, assignments: typing.Iterable[str]) -> Config:
        """A copy with each "section.key=value" applied. Raises `ConfigError`."""
        values = self.to_dict()
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigError(f"--set wants section.key=value, got '{assignment}'")
            _assign(values, name.strip(), text.strip())
        return Config.from_dict(values)


def closest(name: str, known: typing.Iterable[str]) -> str:
    """' Did you mean …?' for a misspelt name, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else ""


def reject_without_effect(config: Config, keys: typing.Iterable[str], where: str) -> None:
    """Raise `ConfigError` for the first of `keys` that is not at its default.

    keys: such as "data.view", or "text" for a whole section. where: in which they do nothing.
    """
    for key in keys:
        value: Any = config
        default: Any = Config()
        for name in key.split("."):
            value, default = getattr(value, name), getattr(default, name)
        if value != default:
            raise ConfigError(f"{key} has no effect in {where}: leave it out")


def settable_keys(cls: type = Config, prefix: str = "") -> list[str]:
    """Every key that --set takes, in the order of the classes."""
    keys: list[str] = []
    for name, kind in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(kind):
            keys += settable_keys(typing.cast(type, kind), f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def _assign(values: dict[str, Any], name: str, text: str) -> None:
    keys = settable_keys()
    if name not in keys:
        section = name.split(".")[0]
        valid = [key for key in keys if key.startswith(section + ".")] or keys
        raise ConfigError(
            f"unknown key '{name}' in --set.{closest(name, keys)} Valid: {', '.join(valid)}"
        )
    *sections, last = name.split(".")
    for section in sections:
        values = values[section]
    try:
        values[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[last] = text  # a bare word such as model.cell=gru


def _build(cls: type, values: Mapping[str, Any], prefix: str) -> Any:
    if not isinstance(values, Mapping):
        raise ConfigError(f"'{prefix.rstrip('.')}' must be a table of keys, got {values!r}")
    hints = typing.get_type_hints(cls)
    for name in values:
        if name not in hints:
            raise ConfigError(
                f"unknown key '{prefix}{name}'.{closest(name, hints)} "
                f"Valid: {', '.join(prefix + hint for hint in hints)}"
            )
    made = {}
    for part in dataclasses.fields(cls):
        if part.name in values:
            made[part.name] = _value(hints[part.name], part, values[part.name], prefix + part.name)
    return cls(**made)


def _value(kind: Any, part: dataclasses.Field[Any], value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _build(typing.cast(type, kind), value, name + ".")
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        raise ConfigError(f"{name} must be {words[kind]}, got {value!r}")
    limits = part.metadata
    if limits.get("choices") and value not in limits["choices"]:
        raise ConfigError(
            f"{name} must be one of {', '.join(limits['choices'])}; got '{value}'."
            f"{closest(str(value), limits['choices'])}"
        )
    _check_range(name, value, limits)
    return value


def _check_range(name: str, value: Any, limits: Mapping[str, Any]) -> None:
    low, high, above = limits.get("low"), limits.get("high"), limits.get("above")
    wanted = [
        text
        for limit, text in (
            (above, f"above {above}"),
            (low, f"at least {low}"),
            (high, f"at most {high}"),
        )
        if limit is not None
    ]
    if not wanted:
        inside = type(value) is not float or value - value == 0
        wanted = ["a finite number"]
    else:  # written so that a NaN is outside, whatever the limits
        inside = (
            (low is None or value >= low)
            and (high is None or value <= high)
            and (above is None or value > above)
            and value - value == 0
        )
    if not inside:
        raise ConfigError(f"{name} must be {' and '.join(wanted)}, got {value}")
