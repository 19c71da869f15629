"""Display of a run that trains: bars on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from carousel import scores
from carousel.run.events import Epoch
from carousel.terminal import rewrites_lines, say, spelled

_REFRESH_SECONDS = 0.1


def line_of(epoch: Epoch, phase: str = "") -> str:
    """An epoch on a line. phase: of the training, if it is not the whole of it."""
    return (
        f"{phase and phase + ' '}epoch {epoch.epoch:>3}  train {scores.line(epoch.train)}  "
        f"validation {scores.line(epoch.validation, unnamed=epoch.train)}  "
        f"{epoch.seconds:6.1f} s{'  best' if epoch.best else ''}"
    )


class Display:
    """Shows nothing; the interface of the others.

    phase: what goes on, where that is not the training itself: "pre-training".
    """

    phase = ""

    def start(self, epochs: int, total_steps: int, done: tuple[int, int], unit: str) -> None:
        """Training begins. done: epochs and steps already done, in a resumed run.

        unit: what `step` counts, such as images.
        """

    def step(self, step: int, values: dict[str, float], count: int) -> None:
        """An optimiser step has ended. Called thousands of times: must cost microseconds."""

    def epoch(self, summary: Epoch) -> None:
        """An epoch has been evaluated."""

    def say(self, text: str) -> None:
        """A sentence for the person at the keyboard."""

    def stop(self) -> None:
        """Training has ended, however."""


class PlainDisplay(Display):
    """A line per epoch, for logs and pipes."""

    def epoch(self, summary: Epoch) -> None:
        say(line_of(summary, self.phase))

    def say(self, text: str) -> None:
        say(text)


class BarDisplay(Display):
    """Two bars, epochs and steps, with loss, validation metric, rate, speed and time left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._shown = 0.0
        self._count = 0
        self._unit = ""
        self._since = 0.0
        self._speed = 0.0

    def start(self, epochs: int, total_steps: int, done: tuple[int, int], unit: str) -> None:
        self._unit = unit
        for before in self._bars.task_ids:
            self._bars.remove_task(before)
        self._count, self._speed = 0, 0.0
        self._epochs = self._bars.add_task(
            "epoch", total=epochs, completed=done[0], note=self.phase
        )
        self._steps = self._bars.add_task("step", total=total_steps, completed=done[1], note="")
        self._since = time.monotonic()
        self._bars.start()

    def step(self, step: int, values: dict[str, float], count: int) -> None:
        self._count += count
        now = time.monotonic()
        if now - self._shown < _REFRESH_SECONDS:
            return
        if now - self._since >= 1.0 or not self._speed:
            self._speed = self._count / max(now - self._since, 1e-9)
            self._count, self._since = 0, now
        self._shown = now
        note = (
            f"loss {values['train/loss']:.4f}  rate {values['learning_rate']:.2g}  "
            f"{self._speed:,.0f} {self._unit}/s"
        )
        self._bars.update(self._steps, completed=step, note=note)
        self._bars.refresh()

    def epoch(self, summary: Epoch) -> None:
        name = summary.monitor
        value = scores.show(name, summary.validation[name])
        note = f"{self.phase} validation {scores.title(name)} {value}".strip()
        self._bars.update(self._epochs, completed=summary.epoch, note=note)
        self._print(line_of(summary, self.phase), soft_wrap=True)

    def say(self, text: str) -> None:
        self._print(text)

    def stop(self) -> None:
        self._bars.stop()

    def _print(self, text: str, *, soft_wrap: bool = False) -> None:
        shown = spelled(text, self._console.encoding)
        self._console.print(shown, highlight=False, markup=False, soft_wrap=soft_wrap)


def in_notebook() -> bool:
    """True in a kernel of Jupyter: its cells show HTML. IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def make_display(quiet: bool) -> Display:
    """The display that suits standard error, where talk goes: standard output is for results."""
    if quiet:
        return Display()
    if in_notebook():
        from carousel.training.notebook import NotebookDisplay

        return NotebookDisplay()
    if rewrites_lines(sys.stderr):
        return BarDisplay(Console(stderr=True))
    return PlainDisplay()
