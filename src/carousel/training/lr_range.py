"""The learning rate range test: which rates make the loss fall, and where it begins to rise.

Source: Smith 2017, "Cyclical learning rates for training neural networks" (arXiv:1506.01186),
section 3.3; the exponential sweep, its smoothing and its stop at four times the best loss as in
Smith 2018 (arXiv:1803.09820) and common practice since.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from carousel import bundle
from carousel.data.record import UNVERIFIED, DataChangedError, DataRecord
from carousel.errors import ConfigError, RunError
from carousel.optim.step import OptimizerStep, Taken
from carousel.run.events import RangeTested
from carousel.run.layout import MEMBERS, MODEL_FACTS, RunFolder
from carousel.run.writing import note
from carousel.tasks.shared.losses import Batch, StepLoss
from carousel.tasks.shared.task import Task
from carousel.training import checkpoint
from carousel.training.preparation import Preparation, Settings
from carousel.training.state import under

_SMOOTHING = 0.9  # of the running mean, whose weights add up to one from the first step on
_TIMES_BEST = 4.0
_SETTLED = 10  # steps before a sweep may stop
_FALL = 0.05  # of the first loss: less is no fall


@dataclass(frozen=True)
class RangeTest:
    """A sweep over learning rates.

    rates, losses, smoothed: of each step. stopped: why it ended, in words. steepest: the rate
    where the smoothed loss falls fastest per decade; half_way: where it has come half of the way
    down; lowest: where it is lowest. suggestion: the rate to take; rule: why, in words.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    stopped: str
    steepest: float
    half_way: float
    lowest: float
    suggestion: float
    rule: str

    @property
    def setting(self) -> str:
        """The suggestion as the command line takes it."""
        return f"--set optimizer.learning_rate={self.suggestion:.1e}"


def range_test(
    task: Task,
    model: nn.Module,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 150,
) -> RangeTest:
    """Train a model, which is changed, while the rate rises from `low` to `high` exponentially.

    The optimiser, the clipping and the penalties are those of the task's configuration; its
    schedule is not. The sweep stops when the smoothed loss is four times its best or not finite.

    Raises `ConfigError` for a range that is none.
    """
    if not 0 < low < high or steps < 2 * _SETTLED:
        raise ConfigError(
            f"a range test needs 0 < low < high and steps of at least {2 * _SETTLED}; got "
            f"low {low:g}, high {high:g}, steps {steps}"
        )
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    stopped = f"the highest rate, {high:g}, was reached"
    for rate, taken in _sweep(task, model, low, high, steps):
        if math.isfinite(taken.loss):
            rates.append(rate)
            losses.append(taken.loss)
            smoothed.append(_smooth(losses))
            best = min(smoothed)
            if len(rates) > _SETTLED and smoothed[-1] > best + (_TIMES_BEST - 1) * abs(best):
                stopped = f"the loss was four times its best at {rate:.2g}"
                break
        if taken.trouble:
            stopped = f"at {rate:.2g} {taken.trouble}"
            break
    if len(rates) <= _SETTLED:
        raise RunError(
            f"the range test ended after {len(rates)} steps, {stopped}: look at the data and the "
            f"loss with carousel check, or begin lower, with low {low / 100:g}"
        )
    return RangeTest(rates, losses, smoothed, stopped, *_read(rates, smoothed))


def _sweep(
    task: Task, model: nn.Module, low: float, high: float, steps: int
) -> Iterator[tuple[float, Taken[StepLoss]]]:
    update = OptimizerStep(task.config.optimizer, task.config.regularization, model)
    model.train()
    for step, (batch, carry) in zip(range(steps), _batches(task), strict=False):
        rate = low * (high / low) ** (step / (steps - 1))
        for group in update.optimizer.param_groups:
            group["lr"] = rate
        taken = update.take(partial(task.loss, model, batch, tuple(carry)))
        yield rate, taken
        carry[:] = taken.result.carry


def _batches(task: Task) -> Iterator[tuple[Batch, list[Tensor]]]:
    """The training batches, epoch after epoch, with what carries over from one to the next."""
    for epoch in count():
        carry: list[Tensor] = []
        for batch in task.train_batches(epoch, 0):
            yield batch, carry


def _smooth(losses: list[float]) -> float:
    """The exponential mean of the last losses, corrected for its start (Kingma and Ba 2015)."""
    weights = [_SMOOTHING**age for age in range(len(losses))]
    return sum(w * v for w, v in zip(weights, reversed(losses), strict=True)) / sum(weights)


def _read(rates: list[float], smoothed: list[float]) -> tuple[float, float, float, float, str]:
    """(steepest, half-way down, lowest, suggestion, rule) of a curve.

    >>> rates = [10**(-5 + k / 10) for k in range(41)]
    >>> curve = [2.0] * 10 + [2 - k / 8 for k in range(16)] + [0.1 + k for k in range(15)]
    >>> [f"{rate:.1e}" for rate in _read(rates, curve)[1:4]]
    ['6.3e-04', '4.0e-03', '4.0e-04']
    """
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__)
    first = max(smoothed[: lowest + 1])
    fall = first - smoothed[lowest]
    falls = [smoothed[k] - smoothed[k + 1] for k in range(lowest)]
    steepest = rates[max(range(lowest), key=falls.__getitem__)] if lowest else rates[0]
    if fall < _FALL * abs(first):
        # From the first losses to where the sweep would stop, a quarter of the way up.
        level = statistics.median(smoothed[: max(_SETTLED, lowest)])
        rise = level + (_TIMES_BEST - 1) / 4 * abs(level)
        calm = max((r for r, v in zip(rates, smoothed, strict=True) if v <= rise), default=rates[0])
        return (
            *(steepest, rates[lowest], rates[lowest], calm / 10),
            "the loss hardly falls at any rate, as with weights that are trained already: a tenth "
            f"of {calm:.2g}, beyond which it rises",
        )
    middle = smoothed[lowest] + fall / 2
    half_way = next(r for r, v in zip(rates, smoothed, strict=True) if v <= middle)
    past = [k for k in range(lowest + 1) if smoothed[k] > middle]
    half_way = rates[past[-1] + 1] if past else half_way
    tenth = rates[lowest] / 10
    if half_way < tenth:
        rule = "half-way down the fall, which comes before a tenth of the rate of the lowest loss"
    else:
        rule = (
            "a tenth of the rate of the lowest loss: at the lowest itself the loss is about to "
            "rise, and a whole run at that rate would diverge"
        )
    return steepest, half_way, rates[lowest], min(half_way, tenth), rule


@dataclass(frozen=True)
class Start:
    """Start of a test: the task, a model to change, and where it came from, in words.

    run: the folder of the run that it is of, if it is of one. fresh: whether the weights are.
    notice: how the data differ from those on record, or that this cannot be told.
    """

    task: Task
    model: nn.Module
    origin: str
    name: str
    run: Path | None
    fresh: bool
    notice: str


def start(
    source: str,
    settings: Settings = (),
    *,
    seed: int | None = None,
    fresh: bool = False,
) -> Start:
    """A recipe with fresh weights, or a run with a copy of its best ones; or fresh ones too.

    source: a recipe's name, a TOML file, or a run folder, whose weights stay as they are. Raises
    `ConfigError`, `RunError`, or `DataError`, as where a run's data are not what they were.
    """
    run = RunFolder.open(Path(source)) if Path(source).is_dir() else None
    ready = Preparation.of(run or source, settings, seed)
    weights, origin = None, "fresh weights"
    if run is not None and not fresh and run.config.training.seeds > 1:
        raise ConfigError(
            f"{source} is the average of {run.config.training.seeds} networks, and the test is of "
            f"one: name the run of a member, such as {run.path / MEMBERS}/seed-{run.seed}, "
            "or test fresh weights (--fresh)"
        )
    if run is not None and not fresh:
        origin, weights = best_weights(run)
    task = ready.task()
    notice = ready.changes(task)
    if run is not None and notice:
        raise DataChangedError(notice)
    if run is not None and DataRecord.read(run.path) is None:
        notice = UNVERIFIED.format(run=run.path)
    model = ready.model(task)
    if weights is not None:
        try:
            model.load_state_dict(weights)
        except RuntimeError:
            raise ConfigError(
                f"the weights of {source} do not fit these settings, which may change anything "
                "but the model and the data of a run"
            ) from None
    name = Path(source).name.removesuffix(".toml")
    folder = run.path if run is not None else None
    return Start(task, model, origin, name, folder, weights is None, notice)


def remember(test: RangeTest, begin: Start, settings: Iterable[str] = ()) -> None:
    """Put the suggestion on record in the run that the test was of. Raises `RunError`.

    settings: those that were not the run's own.
    """
    if begin.run is not None:
        now = begin.task.config.optimizer.learning_rate
        numbers = (test.suggestion, test.steepest, test.half_way, test.lowest, now)
        note(begin.run, RangeTested(*numbers, begin.fresh, test.rule, tuple(settings)))


def best_weights(run: RunFolder) -> tuple[str, dict[str, Tensor]]:
    """The best weights of a run so far, and which they are in words; nothing is written.

    Raises `RunError` if it has none yet.
    """
    if (run.model / MODEL_FACTS).is_file():
        return f"the best weights of {run.path}", bundle.load(run.path).model.state_dict()
    found = checkpoint.load_latest(run.checkpoints) if run.checkpoints.is_dir() else None
    if found is None:
        raise RunError(f"the run {run.path} has no weights yet: wait for its first checkpoint")
    tensors, facts = found
    for prefix, which in (("stopping/best_weights/", "best"), ("model/", "last")):
        weights = under(tensors, prefix)
        if weights:
            step = facts["progress"]["step"]
            return f"the {which} weights of {run.path}, which stands at step {step}", weights
    raise RunError(f"the checkpoint of {run.path} holds no weights")


def draw(test: RangeTest, title: str, path: Path) -> None:
    """A PNG of the curve with the rates that were read off it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots()
    axes.plot(test.rates, test.losses, color="#bbb", lw=0.8, label="loss of each batch")
    axes.plot(test.rates, test.smoothed, color="#2b6cb0", lw=2, label="smoothed")
    marks = (
        (test.suggestion, "-", "#dd7a12", "suggested"),
        (test.half_way, "--", "#555", "half-way down"),
        (test.lowest, ":", "#555", "lowest"),
    )
    for rate, style, color, name in marks:
        axes.axvline(rate, ls=style, color=color, lw=1.6, label=f"{name}: {rate:.1e}")
    axes.set_xscale("log")
    first, best = max(test.smoothed[:_SETTLED]), min(test.smoothed)
    axes.set_ylim(best - 0.1 * abs(first - best) - 1e-9, first + 0.6 * abs(first - best) + 1e-9)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss")
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8, loc="upper left")
    figure.savefig(path)
