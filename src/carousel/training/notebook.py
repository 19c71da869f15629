"""Display of a training in a notebook: one output that is written anew, whatever its length."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any, Protocol

from carousel import scores
from carousel.html import Child, Html, table, tag
from carousel.run.events import Epoch
from carousel.training.display import Display

_REFRESH_SECONDS = 0.5
_SHOWN = 8


class Output(Protocol):
    """An output of a cell that can be replaced, as IPython hands it out."""

    def update(self, content: Any) -> None: ...


class NotebookDisplay(Display):
    """Messages, a bar of steps and a table of the last epochs, in one output."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._epochs: list[Epoch] = []
        self._total = self._done = self._all_epochs = 0
        self._note, self._shown = "", 0.0
        self._output: Output | None = None

    def start(self, epochs: int, total_steps: int, done: tuple[int, int], unit: str) -> None:
        self._all_epochs, self._total, self._done = epochs, total_steps, done[1]
        self._epochs = []
        self._show()

    def step(self, step: int, values: dict[str, float], count: int) -> None:
        now = time.monotonic()
        if now - self._shown < _REFRESH_SECONDS:
            return
        self._done = step
        self._note = f"loss {values['train/loss']:.4f}, rate {values['learning_rate']:.2g}"
        self._show()

    def epoch(self, summary: Epoch) -> None:
        self._epochs.append(summary)
        self._show()

    def say(self, text: str) -> None:
        self._said += text.splitlines()
        self._show()

    def stop(self) -> None:
        if self._total:
            self._done, self._note = 0, ""
            self._total = 0
            self._show()

    def html(self) -> Html:
        """All of it as it stands now."""
        parts: list[Child] = [_lines(self._said)]
        if self._total:
            bar = tag("progress", value=self._done, max=self._total)
            phase = self.phase and f" {self.phase}:"
            parts.append(
                tag("div", bar, f"{phase} step {self._done:,} of {self._total:,} {self._note}")
            )
        if self._epochs:
            parts.append(_epochs(self._epochs, self._all_epochs))
        return tag("div", *parts)

    def _show(self) -> None:
        shows: Any = import_module("IPython.display")  # there where there is a notebook
        self._shown = time.monotonic()
        content = shows.HTML(self.html())
        if self._output is None:
            self._output = shows.display(content, display_id=True)
        else:
            self._output.update(content)


def _lines(said: list[str]) -> Html:
    """The last lines; those before them are folded."""
    last = [tag("div", line) for line in said[-_SHOWN:]]
    if len(said) <= _SHOWN:
        return tag("div", *last)
    before = [tag("div", line) for line in said[:-_SHOWN]]
    folded = tag("details", tag("summary", f"{len(before)} lines before"), *before)
    return tag("div", folded, *last)


def _epochs(epochs: list[Epoch], total: int) -> Html:
    best = next((one.epoch for one in reversed(epochs) if one.best), 0)
    shown = epochs[-_SHOWN:]
    names = [*shown[-1].validation]
    rows: list[list[Child]] = [
        [
            f"{one.epoch} of {total}{' ★' if one.epoch == best else ''}",
            scores.show("loss", one.train["loss"]) if "loss" in one.train else "–",
            *(scores.show(name, one.validation[name]) for name in names),
            f"{one.seconds:.1f}",
        ]
        for one in shown
    ]
    heads = [f"validation {scores.title(name)}" for name in names]
    return table(["epoch (★ best)", "training loss", *heads, "seconds"], rows)
