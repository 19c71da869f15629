"""Samples: the model's answers to a few validation examples, recorded after every epoch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from carousel.run.events import Answers, Samples
from carousel.run.writing import EventStore
from carousel.tasks.shared.task import Task
from carousel.training.display import Display


class Sampler:
    """Records the examples once, and the answers after every epoch.

    Nothing of it touches the training: torch's random state is put back, and what fails is said
    once and not tried again.
    """

    def __init__(self, task: Task, store: EventStore, display: Display) -> None:
        self._task, self._store, self._display = task, store, display
        self._most, self._begun = task.config.training.samples, False

    def end_epoch(self, step: int, epoch: int, model: nn.Module) -> None:
        """Ask the model, in evaluation mode. epoch: the number of those that are complete."""
        if not self._most:
            return
        devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
        try:
            with torch.random.fork_rng(devices=devices):
                if not self._begun:
                    samples = [_without_empty(asdict(s)) for s in self._task.samples(self._most)]
                    if not samples:
                        self._most = 0
                        return
                    self._store.event(step, Samples(samples))
                    self._begun = True
                answers = self._task.answers(model, self._most)
                told = [_without_empty(asdict(answer)) for answer in answers]
                self._store.event(step, Answers(epoch, told))
        except Exception as error:  # a look at examples must not stop a run
            self._most = 0
            self._display.say(f"no more samples are recorded: {type(error).__name__}: {error}")


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", ())}
