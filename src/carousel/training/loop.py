"""The training loop: batches in, checkpoints and events out, resumable at any step.

Everything that decides the next weights is in a checkpoint: model, best weights, optimiser,
schedule, early stopping, torch's random state, what the task carries from batch to batch, and the
place in the data (epoch and batch, from which the order of the data follows). So a run that was
killed and resumed ends with the same bits as one that was not, with the same number of threads.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from carousel import bundle
from carousel.config import Config
from carousel.errors import TrainingDiverged, command
from carousel.run.events import Diverged, Epoch, Model, Resumed
from carousel.run.layout import RunFolder
from carousel.run.writing import EventStore
from carousel.tasks.shared.task import Batch, Carry, StepLoss, Task, monitored
from carousel.training import checkpoint
from carousel.training.averaging import Average
from carousel.training.clipping import Clipper
from carousel.training.coaching import RunCoach
from carousel.training.display import Display
from carousel.training.optim import Penalties, RowLimits, make_optimizer, make_schedule
from carousel.training.samples import Sampler
from carousel.training.stopping import EarlyStopping
from carousel.training.unsaved import Unsaved

_PARTS = ("forward", "backward", "optimiser")
_A_MOMENT = 1.0  # seconds


@dataclass
class Progress:
    """Where training stands. epoch and batch: those completed; sums: over the current epoch."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    finished: bool = False
    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def add(self, result: StepLoss) -> None:
        """Take in a step that has been done."""
        self.step += 1
        self.batch += 1
        self.count += result.count
        for name, total in result.sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + total.item()

    def means(self) -> dict[str, float]:
        return {name: total / self.count for name, total in self.sums.items()}

    def start_next_epoch(self) -> None:
        self.epoch += 1
        self.batch = 0
        self.sums, self.count = {}, 0


class Interrupted(Exception):  # noqa: N818  # not an error: somebody asked for it
    """Training was asked to stop (Ctrl-C or SIGTERM); the run folder can be resumed."""

    def __init__(self, run: Path) -> None:
        super().__init__(f"interrupted; continue with {command('train', '--resume', run)}")
        self.run = run


class Trainer:
    """Fits one task's model within one run folder, or in memory: nothing is saved then."""

    def __init__(
        self,
        task: Task,
        run: RunFolder | Unsaved,
        store: EventStore,
        display: Display,
        fabric: Fabric,
    ) -> None:
        self.task, self.run, self.store = task, run, store
        self.display, self.fabric = display, fabric
        self.config: Config = run.config
        self.progress = Progress()
        self.carry: Carry = ()
        self.stopping = EarlyStopping(run.config.training, monitored(task))
        torch.manual_seed(run.seed)
        self.net = task.build_model()
        optimizer = make_optimizer(self.config.optimizer, self.net.parameters())
        self.schedule = make_schedule(
            self.config.schedule,
            optimizer,
            self.total_steps,
            self.stopping.monitor,
            self.task.batches_per_epoch,
        )
        self.penalties = Penalties(self.config.regularization, self.net)
        self.limits = RowLimits(self.config.regularization, self.net)
        self.clip = Clipper(self.config.optimizer, self.net.parameters())
        self.average = Average(self.config.averaging, self.net)
        self.model, self.optimizer = fabric.setup(self.net, optimizer)
        if hasattr(self.net, "score"):  # networks of tokens are trained by it, not by `forward`
            self.model.mark_forward_method("score")
        self.coach = RunCoach(
            task, run, store, display, self.net, fabric.to_device, self.total_steps
        )
        self.sampler = Sampler(task, store, display)
        self._rate = self.learning_rate  # of the last step
        self._interrupted = False
        self._saved_at = time.monotonic()

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run, unless it stops early."""
        training = self.config.training
        steps = training.epochs * self.task.batches_per_epoch
        return min(steps, training.max_steps) if training.max_steps else steps

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
            self.store.event(0, Model(_modules(self.net)))
            self._save()
        self.display.start(
            self.config.training.epochs,
            self.total_steps,
            done=(self.progress.epoch, self.progress.step),
            unit=self.task.unit,
        )
        self.coach.start(self.progress.step)
        with self._signals_noted():
            while not self.progress.finished:
                self._train_epoch()
                self._end_epoch()
                if self._interrupted and not self.progress.finished:
                    raise self._interruption()
        if self.config.training.restore_best:
            self.stopping.restore(self.net)
        else:
            self.net.load_state_dict(self.average.model.state_dict())
        return self.stopping.reason(self.progress.epoch, self.progress.step)

    def _train_epoch(self) -> None:
        progress, store = self.progress, self.store
        self.model.train()
        if progress.batch == 0:
            self.carry = ()
        last_batch = self.task.batches_per_epoch
        batches = self.task.train_batches(progress.epoch, progress.batch)
        for batch in self._timed(batches):
            result, values = self._step(self.fabric.to_device(batch))
            store.record(progress.step, values)
            self.display.step(progress.step, values, result.count)
            if progress.step >= self.total_steps:
                return
            if progress.batch == last_batch:
                continue  # the end of the epoch saves
            due = time.monotonic() - self._saved_at >= self.config.training.checkpoint_seconds
            if due or self._interrupted:
                self._save()
            if self._interrupted:
                raise self._interruption()

    def _step(self, batch: Batch) -> tuple[StepLoss, dict[str, float]]:
        """One optimiser step; returns what the task said of it, and the numbers to record."""
        self.coach.before_step(self.progress.step + 1)
        clock = [time.perf_counter()]
        self.optimizer.zero_grad()
        result = self.task.loss(self.model, batch, self.carry)
        loss = result.sums["loss"].item() / result.count
        if not math.isfinite(loss):
            self._diverged(f"the loss is {loss}", batch)
        clock.append(time.perf_counter())
        self.fabric.backward(result.objective)
        self.penalties.add_gradients()
        gradient_norm = self.clip()
        if not math.isfinite(gradient_norm):
            self._diverged(f"the gradient's norm is {gradient_norm}", batch)
        clock.append(time.perf_counter())
        self._rate = rate = self.learning_rate
        self.optimizer.step()
        self.limits.apply()
        self.average.step()
        if self.schedule is not None and self.config.schedule.name != "plateau":
            self.schedule.step()
        self.progress.add(result)
        self.carry = result.carry
        values = {"train/loss": loss, "learning_rate": rate, "gradient_norm": gradient_norm}
        if self.clip.is_limited:
            values["gradient_norm_after"] = self.clip.after
        clock.append(time.perf_counter())
        for part, (start, end) in zip(_PARTS, pairwise(clock), strict=True):
            self.coach.mark(part, end - start)
        scale = self.clip.after / gradient_norm if gradient_norm else 1.0
        self.coach.after_step(self.progress.step, values, scale)
        return result, values

    def _end_epoch(self) -> None:
        progress, training = self.progress, self.config.training
        started = time.monotonic()
        validation = self.task.validate(self.average.model)
        progress.seconds += time.monotonic() - started
        self.coach.mark("validation", time.monotonic() - started)
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
            or progress.epoch >= training.epochs
            or progress.step >= self.total_steps
        )
        values = {
            **{f"epoch/train_{name}": value for name, value in summary.train.items()},
            **{f"epoch/validation_{name}": value for name, value in validation.items()},
        }
        self.store.record(progress.step, values)
        self.store.event(progress.step, summary)
        kept = training.keep_epochs and progress.epoch % training.keep_epochs == 0
        if kept and isinstance(self.run, RunFolder):
            trained = self.task.finish(self.average.model)
            bundle.save_epoch(trained, self.run.path, progress.epoch)
        self.sampler.end_epoch(progress.step, progress.epoch, self.average.model)
        # Epochs of milliseconds would be spent on files: a second of work can be done again.
        recent = time.monotonic() - self._saved_at < _A_MOMENT
        if progress.finished or self._interrupted or not recent:
            self._save()
        self.display.epoch(summary)
        self.coach.end_epoch(progress.step, summary, values)

    def _timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches, with the time each took, gather and step, added to the progress."""
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
        if isinstance(self.run, Unsaved):
            return
        state = self.optimizer.state_dict()["state"]
        tensors = {f"model/{name}": tensor for name, tensor in self.net.state_dict().items()}
        tensors |= {f"best/{name}": t for name, t in self.stopping.best_weights.items()}
        tensors |= {
            f"optimizer/{index}/{key}": value
            for index, entries in state.items()
            for key, value in entries.items()
            if isinstance(value, Tensor)
        }
        tensors |= {f"carry/{index}": part for index, part in enumerate(self.carry)}
        tensors |= {f"clip/{name}": tensor for name, tensor in self.clip.tensors().items()}
        tensors |= {f"average/{name}": tensor for name, tensor in self.average.tensors().items()}
        tensors["random/cpu"] = torch.get_rng_state()
        if self.fabric.device.type == "cuda":
            tensors["random/cuda"] = torch.cuda.get_rng_state(self.fabric.device)
        facts = {
            "progress": asdict(self.progress),
            "stopping": self.stopping.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "averaging": self.average.started,
            "optimizer": [
                {key: value for key, value in group.items() if key != "params"}
                for group in self.optimizer.state_dict()["param_groups"]
            ],
        }
        checkpoint.save(self.run.checkpoints, self.progress.step, tensors, facts)
        self._saved_at = time.monotonic()

    def _load(self) -> bool:
        if isinstance(self.run, Unsaved):
            return False
        found = checkpoint.load_latest(self.run.checkpoints)
        if found is None:
            return False
        tensors, facts = found
        self.progress = Progress(**facts["progress"])
        self.net.load_state_dict(_under(tensors, "model/"))
        self.stopping.load_state_dict(facts["stopping"], _under(tensors, "best/"))
        self.clip.load(_under(tensors, "clip/"))
        self.average.load(_under(tensors, "average/"))
        self.average.started = facts["averaging"]
        carry = _under(tensors, "carry/")
        self.carry = tuple(carry[str(index)].to(self.fabric.device) for index in range(len(carry)))
        state: dict[int, dict[str, Any]] = {}
        for name, tensor in _under(tensors, "optimizer/").items():
            index, key = name.split("/", 1)
            state.setdefault(int(index), {})[key] = tensor
        fresh = self.optimizer.state_dict()["param_groups"]
        groups = [{**new, **old} for new, old in zip(fresh, facts["optimizer"], strict=True)]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        if self.schedule is not None:
            self.schedule.load_state_dict(facts["schedule"])
        torch.set_rng_state(tensors["random/cpu"])
        if "random/cuda" in tensors and self.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random/cuda"], self.fabric.device)
        self.store.forget_after(self.progress.step)
        return True

    # ---- trouble

    def _interruption(self) -> Interrupted:
        assert isinstance(self.run, RunFolder)  # signals are noted for what can be resumed
        return Interrupted(self.run.path)

    @contextmanager
    def _signals_noted(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end training after the current step; a second one ends it at once."""

        def note(number: int, frame: FrameType | None) -> None:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True

        if isinstance(self.run, Unsaved):
            yield
            return
        try:
            previous = {n: signal.signal(n, note) for n in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: signals go elsewhere
            yield
            return
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _diverged(self, what: str, batch: Batch | None) -> None:
        """Stop at once and name the first tensor that is not finite."""
        culprit = self._first_nonfinite(batch)
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

    @torch.no_grad()
    def _first_nonfinite(self, batch: Batch | None) -> str:
        gradients = [(f"the gradient of {n}", p.grad) for n, p in self.net.named_parameters()]
        weights = [(f"the weight {n}", p) for n, p in self.net.named_parameters()]
        for name, tensor in [*weights, *gradients]:
            if tensor is not None and not torch.isfinite(tensor).all():
                return name
        if batch is None:
            return "an output of the model"
        found: list[str] = []

        def look(name: str) -> Any:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                first = output[0] if isinstance(output, tuple) else output
                if not torch.isfinite(first).all():
                    found.append(f"the output of {name}")

            return hook

        hooks = [m.register_forward_hook(look(n)) for n, m in self.net.named_modules() if n]
        try:
            self.task.loss(self.net, batch, self.carry)
        finally:
            for hook in hooks:
                hook.remove()
        return found[0] if found else "the loss itself"


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _modules(net: nn.Module) -> list[dict[str, Any]]:
    """The modules of a network in order: name, class, what they say of themselves, parameters."""
    return [
        {
            "name": name,
            "kind": type(module).__name__,
            "about": module.extra_repr(),
            "parameters": sum(p.numel() for p in module.parameters(recurse=False)),
        }
        for name, module in net.named_modules()
    ]
