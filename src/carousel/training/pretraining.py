"""Pre-training of an encoder: a training of its own before the first step of a run.

It has checkpoints and events in the run's folder `pretraining`, so that it goes on, after whatever
ended it, to the same bits. What it learnt is in the run's first checkpoint; its losses and its cost
are one event of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from functools import partial
from typing import Any

from lightning_fabric import Fabric
from torch import nn

from carousel import scores
from carousel.errors import RunError, TrainingDiverged, command
from carousel.run import events
from carousel.run.layout import PRETRAINING, RunFolder
from carousel.run.reading import events as recorded
from carousel.run.writing import EventStore
from carousel.tasks.shared.pretraining import Pretrainable, Pretraining
from carousel.tasks.shared.task import Task
from carousel.training import checkpoint
from carousel.training.display import Display
from carousel.training.loop import Trainer
from carousel.training.team import Team
from carousel.training.unsaved import Following, Nowhere, Unsaved

Begin = Callable[[nn.Module], object]


def pretrained(
    task: Task,
    run: RunFolder | Unsaved,
    store: EventStore,
    display: Display,
    fabric: Fabric,
    team: Team,
) -> Begin | None:
    """Pre-train where the task asks for it, or go on with that; returns what gives a new network
    the weights that came of it. None where there is nothing to do, as once a run has begun.

    Raises `TrainingDiverged`, or what ends a training (`Trainer.fit`).
    """
    if not (isinstance(task, Pretrainable) and task.config.pretraining.epochs):
        return None
    if team.led(lambda: _has_begun(run)):
        return None
    first = task.pretraining(run.seed)
    inner = _inside(run, first)
    display.phase = "pre-training"
    with _store(inner) as own:
        trainer = Trainer(first, inner, own, display, fabric, team)
        display.say(first.describe(trainer.net))
        try:
            trainer.fit()
        except TrainingDiverged as error:
            _record_trouble(own, inner, store)
            raise TrainingDiverged(_of_the_run(str(error), inner, run)) from None
        except RunError as error:
            raise RunError(_of_the_run(str(error), inner, run)) from None
        finally:
            display.stop()
            display.phase = ""
        own.flush()
    if team.leads:
        _conclude(trainer, inner, run, store, display)
    weights = {name: tensor.detach().cpu() for name, tensor in trainer.net.state_dict().items()}
    return partial(first.hand_over, weights)


def account_of(run: RunFolder) -> dict[str, Any]:
    """Account for result.json of the pre-training of a run; empty if there was none."""
    for found in recorded(run.events, events.Pretrained):
        last = found["epochs"][found["kept"] - 1]
        return {
            "epochs": len(found["epochs"]),
            "kept_epoch": found["kept"],
            "steps": found["steps"],
            "seconds": round(found["seconds"], 3),
            "train": last["train"],
            "validation": last["validation"],
        }
    return {}


def _has_begun(run: RunFolder | Unsaved) -> bool:
    return isinstance(run, RunFolder) and checkpoint.exists(run.checkpoints)


def _inside(run: RunFolder | Unsaved, first: Pretraining) -> RunFolder | Unsaved:
    """The run of the pre-training, within the one that it is for."""
    if isinstance(run, Unsaved) and not isinstance(run, Following):
        return replace(run, config=first.config)
    path = run.path / PRETRAINING
    if isinstance(run, RunFolder):
        path.mkdir(exist_ok=True)
    return replace(run, path=path, config=first.config)


def _store(inner: RunFolder | Unsaved) -> AbstractContextManager[EventStore]:
    return EventStore(inner.events) if isinstance(inner, RunFolder) else nullcontext(Nowhere())


def _conclude(
    trainer: Trainer,
    inner: RunFolder | Unsaved,
    run: RunFolder | Unsaved,
    store: EventStore,
    display: Display,
) -> None:
    kept, progress = trainer.stopping.best_epoch, trainer.progress
    values = scores.line(trainer.stopping.best_metrics)
    display.say(
        f"pre-training took {progress.seconds:.1f} s: validation {values} in epoch {kept}, whose "
        f"embeddings and recurrent weights are taken over"
    )
    if not isinstance(run, RunFolder) or not isinstance(inner, RunFolder):
        return
    store.flush()
    if any(True for _ in recorded(run.events, events.Pretrained)):
        return
    epochs = [_body(found) for found in recorded(inner.events, events.Epoch)]
    store.event(0, events.Pretrained(epochs, kept, progress.step, progress.seconds))
    store.flush()


def _body(found: dict[str, Any]) -> dict[str, Any]:
    return {field.name: found[field.name] for field in fields(events.Epoch)}


def _record_trouble(own: EventStore, inner: RunFolder | Unsaved, store: EventStore) -> None:
    own.flush()
    if isinstance(inner, RunFolder):
        for found in recorded(inner.events, events.Diverged):
            store.event(0, events.Diverged(f"pre-training: {found['what']}", found["tensor"]))
        store.flush()


def _of_the_run(text: str, inner: RunFolder | Unsaved, run: RunFolder | Unsaved) -> str:
    """An error of the pre-training in words that name the run and its settings."""
    text = text.replace("optimizer.learning_rate", "pretraining.learning_rate")
    if isinstance(inner, RunFolder) and isinstance(run, RunFolder):
        inner_one = command("train", "--resume", inner.path)
        text = text.replace(inner_one, command("train", "--resume", run.path))
    return text.replace("training stopped", "pre-training stopped", 1)
