"""The training loop: batches in, checkpoints and events out, resumable at any step.

Everything that decides the next weights is in a checkpoint: model, best weights, optimiser,
schedule, early stopping, torch's random state, what the task carries from batch to batch, and the
place in the data (epoch and batch, from which the order of the data follows). So a run that was
killed and resumed ends with the same bits as one that was not, with the same number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from carousel import bundle
from carousel.coach.autopsy import first_nonfinite
from carousel.config import Config
from carousel.errors import TrainingDiverged, command
from carousel.optim.optimizers import make_schedule
from carousel.optim.step import OptimizerStep
from carousel.run.events import Diverged, Epoch, Model, Resumed
from carousel.run.layout import RunFolder
from carousel.run.writing import EventStore
from carousel.tasks.shared.losses import Batch, StepLoss
from carousel.tasks.shared.pretraining import Pretrainable
from carousel.tasks.shared.task import Task, monitored
from carousel.training import checkpoint
from carousel.training.averaging import Average
from carousel.training.coaching import RunCoach
from carousel.training.display import Display
from carousel.training.pace import Pace
from carousel.training.progress import Progress, modules_of
from carousel.training.samples import Sampler
from carousel.training.signals import StopRequest
from carousel.training.state import Carried, OptimizerState, RandomState, Stateful, gather, restore
from carousel.training.stopping import EarlyStopping
from carousel.training.team import Team, Wish
from carousel.training.unsaved import Following, Unsaved

_PARTS = ("forward", "backward", "optimiser")
_A_MOMENT = 1.0  # seconds


class Interrupted(Exception):  # noqa: N818  # not an error: somebody asked for it
    """Training was asked to stop (Ctrl-C or SIGTERM); the run folder can be resumed."""

    def __init__(self, run: Path) -> None:
        super().__init__(f"interrupted; continue with {command('train', '--resume', run)}")
        self.run = run


class Trainer:
    """Fits one task's model within one run folder, or in memory: nothing is saved then.

    team: the processes that train it together; the first one of them saves and records.
    """

    def __init__(
        self,
        task: Task,
        run: RunFolder | Unsaved,
        store: EventStore,
        display: Display,
        fabric: Fabric,
        team: Team | None = None,
        goes_on: Callable[[Epoch], bool] | None = None,
        pace: Pace | None = None,
        begin: Callable[[nn.Module], object] | None = None,
    ) -> None:
        """goes_on: asked after every epoch; where it says no, the run is interrupted. pace: how
        long the training is; as its settings say if None. begin: gives the new network the weights
        that it begins with, in place of some of its own."""
        self.task, self.run, self.store = task, run, store
        self.team, self._goes_on = team or Team(), goes_on
        self.display, self.fabric = display, fabric
        self.config: Config = run.config
        self.progress = Progress()
        self.pace = pace or Pace.of(self.config.training, task.batches_per_epoch)
        self.stopping = EarlyStopping(run.config.training, monitored(task))
        torch.manual_seed(run.seed)
        self.net = task.build_model()
        if begin is not None:
            begin(self.net)
        self.update = OptimizerStep(
            self.config.optimizer,
            self.config.regularization,
            self.net,
            task.layers(self.net) if isinstance(task, Pretrainable) else [],
        )
        self.schedule = make_schedule(
            self.config.schedule,
            self.update.optimizer,
            self.pace.planned,
            self.stopping.monitor,
            self.task.batches_per_epoch,
        )
        self.average = Average(self.config.averaging, self.net)
        self.model, self.optimizer = fabric.setup(self.net, self.update.optimizer)
        self.update.optimizer, self.update.backward = self.optimizer, self._backward
        self.update.add_gradients = self._add_gradients
        self.team.share_weights(self.net)
        self.team.seed(run.seed)
        if hasattr(self.net, "score"):  # networks of tokens are trained by it, not by `forward`
            self.model.mark_forward_method("score")
        self.carried = Carried(fabric.device, self.team)
        #: What a checkpoint holds: a part that is added here is saved and comes back.
        self.stateful: dict[str, Stateful] = {
            "progress": self.progress,
            "model": self.net,
            "stopping": self.stopping,
            "optimizer": OptimizerState(self.optimizer),
            "carry": self.carried,
            "clip": self.update.clip,
            "average": self.average,
            "random": RandomState(fabric.device, self.team),
            "pace": self.pace,
        }
        if self.schedule is not None:
            self.stateful["schedule"] = self.schedule
        self.coach = RunCoach(
            task, run, store, display, self.net, fabric.to_device, self.total_steps
        )
        self.sampler = Sampler(task, store, display)
        self._rate = self.learning_rate  # of the last step
        self._stop, self._stopped = StopRequest(), False
        self._saved_at = time.monotonic()

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run, unless it stops early."""
        return self.pace.total

    @property
    def learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def fit(self) -> str:
        """Train to the end, from wherever the checkpoint stands; returns why it ended, in words.

        The model then has the weights the configuration asks for. Raises `Interrupted`, with the
        run ready to be resumed, or `TrainingDiverged`.
        """
        if self._load():
            self.store.event(self.progress.step, Resumed())
        else:
            self.store.event(0, Model(modules_of(self.net)))
            self._save()
        self.display.start(
            self.config.training.epochs,
            self.total_steps,
            done=(self.progress.epoch, self.progress.step),
            unit=self.task.unit,
        )
        self.pace.begin(self.progress.step)
        self.coach.start(self.progress.step)
        listening = self._stop.awaited() if self._can_resume else nullcontext()
        with listening:
            while not self.progress.finished:
                self._train_epoch()
                self._end_epoch()
                if self._stopped and not self.progress.finished:
                    raise self._interruption()
        self.pace.end()
        self.update.end()
        if self.config.training.restore_best:
            self.stopping.restore(self.net)
        else:
            self.net.load_state_dict(self.average.model.state_dict())
        epochs, steps = self.progress.epoch, self.progress.step
        return self.stopping.reason(epochs, steps, self.pace.said(epochs, steps))

    def _train_epoch(self) -> None:
        progress, store = self.progress, self.store
        self.model.train()
        self.update.begin_epoch(progress.epoch)
        if progress.batch == 0:
            self.carried.tensors = ()
        last_batch = self.task.batches_per_epoch
        batches = self.task.train_batches(progress.epoch, progress.batch)
        for whole in self._timed(batches):
            batch, self.carried.idle = self.team.share(self.task.subject, whole)
            result, values = self._step(self.fabric.to_device(batch))
            store.record(progress.step, values)
            self.display.step(progress.step, values, result.count)
            if progress.batch != last_batch:
                self.pace.keep(progress.step, progress.batch, self.team, store)
            if progress.step >= self.total_steps:
                return
            if progress.batch == last_batch:
                continue  # the end of the epoch saves
            due = time.monotonic() - self._saved_at >= self.config.training.checkpoint_seconds
            wish = self.team.agreed(Wish(due and self.team.leads, self._stop.made))
            if wish.save or wish.stop:
                self._save()
            if wish.stop:
                raise self._interruption()

    def _step(self, batch: Batch) -> tuple[StepLoss, dict[str, float]]:
        """One optimiser step; returns what the task said of it, and the numbers to record."""
        self.coach.before_step(self.progress.step + 1)
        started, rate = time.perf_counter(), self.learning_rate
        step = self.update.take(partial(self._loss, batch))
        if step.trouble:
            self._diverged(step.trouble, batch)
        self._rate = rate
        self.average.step()
        if self.schedule is not None and self.config.schedule.name != "plateau":
            self.pace.advance(self.schedule, self.progress.step)
        self.progress.add(step.result)
        self.carried.tensors = step.result.carry
        values = {
            "train/loss": step.loss,
            "learning_rate": rate,
            "gradient_norm": step.gradient_norm,
        }
        clip = self.update.clip
        if clip.is_limited:
            values["gradient_norm_after"] = clip.after
        rest = time.perf_counter() - started - sum(step.seconds)
        for part, seconds in zip(_PARTS, (*step.seconds, rest), strict=True):
            self.coach.mark(part, seconds)
        scale = clip.after / step.gradient_norm if step.gradient_norm else 1.0
        self.coach.after_step(self.progress.step, values, scale)
        return step.result, values

    def _loss(self, batch: Batch) -> StepLoss:
        result = self.task.loss(self.model, batch, self.carried.tensors)
        return self.team.combine(result, idle=self.carried.idle)

    def _backward(self, objective: Tensor) -> None:
        if objective.requires_grad:  # a process that has nothing of a batch has nothing to go back
            self.fabric.backward(objective)

    def _add_gradients(self) -> None:
        self.team.add_gradients([p for p in self.net.parameters() if p.requires_grad])

    def _validation(self) -> dict[str, float]:
        with self.team.all_threads():
            return self.task.validate(self.average.model)

    def _end_epoch(self) -> None:
        progress, training = self.progress, self.config.training
        started = time.monotonic()
        self.pace.end_epoch(progress.step)
        validation = self.team.led(self._validation)
        progress.seconds += time.monotonic() - started
        self.coach.mark("validation", time.monotonic() - started)
        self.pace.validated(progress.step)
        self.pace.keep(progress.step, progress.batch, self.team, self.store)
        for name, value in validation.items():
            if not math.isfinite(value):
                self._diverged(f"the validation {name} is {value}", None)
        summary = Epoch(
            epoch=progress.epoch + 1,
            train=self.task.metrics(progress.means()),
            validation=validation,
            monitor=self.stopping.monitor,
            learning_rate=self._rate,
            best=self.stopping.update(progress.epoch + 1, validation, self.average.model),
            seconds=progress.seconds,
        )
        if self.schedule is not None and self.config.schedule.name == "plateau":
            self.schedule.step(validation[self.stopping.monitor])  # type: ignore[arg-type]
        progress.start_next_epoch()
        self.average.end_epoch(progress.epoch, self.stopping.epochs_without)
        progress.finished = (
            self.stopping.should_stop
            or progress.epoch >= self.pace.epochs
            or progress.step >= self.total_steps
        )
        values = {
            **{f"epoch/train_{name}": value for name, value in summary.train.items()},
            **{f"epoch/validation_{name}": value for name, value in validation.items()},
        }
        self.store.record(progress.step, values)
        self.store.event(progress.step, summary)
        if self._goes_on is not None and not self._goes_on(summary):
            self._stop.made = True
        kept = training.keep_epochs and progress.epoch % training.keep_epochs == 0
        if kept and isinstance(self.run, RunFolder):
            trained = self.task.finish(self.average.model)
            bundle.save_epoch(trained, self.run.path, progress.epoch)
        self.sampler.end_epoch(progress.step, progress.epoch, self.average.model)
        # Epochs of milliseconds would be spent on files: a second of work can be done again.
        late = time.monotonic() - self._saved_at >= _A_MOMENT
        wish = self.team.met(Wish(late and self.team.leads, self._stop.made))
        self._stopped = wish.stop
        self.team.share_weights(self.net)
        if progress.finished or wish.stop or wish.save:
            self._save()
        self.display.epoch(summary)
        self.coach.end_epoch(progress.step, summary, values)
        self.pace.begin_epoch(progress.step)

    def _timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Pass the batches on, and add the time each took, gather and step, to the progress."""
        started = time.monotonic()
        for batch in batches:
            self.coach.mark("data", time.monotonic() - started)
            yield batch
            now = time.monotonic()
            self.progress.seconds += now - started
            started = now

    # ---- checkpoints

    def _save(self) -> None:
        self.store.flush()
        if not self._can_resume:
            return
        tensors, facts = gather(self.stateful)
        if isinstance(self.run, RunFolder):
            checkpoint.save(self.run.checkpoints, self.progress.step, tensors, facts)
        self._saved_at = time.monotonic()

    def _load(self) -> bool:
        run = self.run
        if not self._can_resume:
            return False
        found = self.team.led(lambda: checkpoint.load_latest(cast(RunFolder, run).checkpoints))
        if found is None:
            return False
        restore(self.stateful, *found)
        self.store.forget_after(self.progress.step)
        return True

    @property
    def _can_resume(self) -> bool:
        return isinstance(self.run, RunFolder | Following)

    # ---- trouble

    def _interruption(self) -> Interrupted:
        assert isinstance(self.run, RunFolder | Following)  # signals are noted for those alone
        return Interrupted(self.run.path)

    def _diverged(self, what: str, batch: Batch | None) -> None:
        """Stop at once and name the first tensor that is not finite."""
        loss = partial(self.task.loss, self.net, batch, self.carried.tensors) if batch else None
        culprit = first_nonfinite(self.net, loss)
        step, epoch = self.progress.step + 1, self.progress.epoch + 1
        event = Diverged(what, culprit)
        self.store.event(self.progress.step, event)
        self.coach.diverged(self.progress.step, event)
        self.store.flush()
        rate = self.learning_rate
        raise TrainingDiverged(
            f"training stopped at step {step} (epoch {epoch}): {what}; the first tensor that is "
            f"not finite is {culprit}. Try optimizer.learning_rate={rate / 3:.2g} (it was "
            f"{rate:.2g}) or optimizer.clip_norm=1"
        )
