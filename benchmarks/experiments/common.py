"""What the experiments share: runs that are done once, and the tables and pictures of them.

Each experiment is a script beside this one. It appends one JSON line per finished run to
docs/experiments/<name>.jsonl, passes over the runs that stand there, and then draws
docs/experiments/<name>.png and writes the tables of docs/experiments/<name>.md. So one that was
stopped goes on where it was, and `--report` reports what there is without running anything.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import nn

from carousel import recipes, tasks
from carousel.errors import TrainingDiverged
from carousel.run.reading import events
from carousel.run.writing import EventStore
from carousel.tasks.shared.task import Task
from carousel.training.display import Display
from carousel.training.loop import Interrupted, Trainer
from carousel.training.new_run import new_run

FOLDER = Path(__file__).parents[2] / "docs" / "experiments"
LOST = 1_000_000  # a score beyond this is not worth its digits
Row = dict[str, Any]


class Results:
    """The finished runs of an experiment. A row is what was asked for and what came of it."""

    def __init__(self, name: str) -> None:
        self.path = FOLDER / f"{name}.jsonl"
        arguments = _arguments(name)
        self.may_run, self._only = not arguments.report, arguments.only
        torch.set_num_threads(1)
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.rows: list[Row] = [json.loads(line) for line in lines]

    def once(self, asked: Row, run: Callable[[], Row]) -> Row | None:
        """The row of what is `asked`: from the file, else of a run that is done now.

        None if it is not there and only a report, or only another recipe, is wanted.
        """
        for row in self.rows:
            if asked.items() <= row.items():
                return row
        if not self.may_run or (self._only and asked.get("recipe") != self._only):
            return None
        started, cpu = time.monotonic(), time.process_time()
        try:
            row = {**asked, **run()}
        except Interrupted:
            raise SystemExit(f"stopped; {len(self.rows)} runs are in {self.path}") from None
        row["seconds"] = round(time.monotonic() - started, 1)
        row["cpu_seconds"] = round(time.process_time() - cpu, 1)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.rows.append(row)
        print(json.dumps({key: row[key] for key in (*asked, "seconds")}), flush=True)
        return row


Look = Callable[[Task, nn.Module], Row]


def train(
    recipe: str, settings: Sequence[str], seed: int, *, test: bool = False, look: Look | None = None
) -> Row:
    """Train a recipe with one thread and without its baselines.

    look: measures something of the network, before training ("start") and after it ("end").

    Returns the validation metrics of the weights that are kept ("validation"), those of every
    epoch ("epochs"), the training loss of every epoch ("train_loss"), the steps and the CPU time
    of the training ("training_cpu_seconds"), with `test` the metrics on the test part, and in
    "diverged" why a run ended early, if it did.
    """
    config = recipes.load(recipe)[0].override(settings)
    row: Row = {}
    with tempfile.TemporaryDirectory() as folder:
        run = new_run(Path(folder) / "run", config, seed=seed, threads=1, device="cpu")
        task = tasks.find(config.task)(config, seed)
        with EventStore(run.events) as store:
            fabric = Fabric(accelerator="cpu", devices=1)
            trainer = Trainer(task, run, store, Display(), fabric)
            if look:
                row["start"] = look(task, trainer.net)
            started = time.process_time()
            try:
                trainer.fit()
            except TrainingDiverged as error:
                row["diverged"] = str(error)
            row["training_cpu_seconds"] = round(time.process_time() - started, 2)
        ends = list(events(run.events, "epoch"))
        row["steps"] = trainer.progress.step
        row["parameters"] = sum(p.numel() for p in trainer.net.parameters())
        row["train_loss"] = [round(end["train"]["loss"], 5) for end in ends]
        row["epochs"] = [_rounded(end["validation"]) for end in ends]
        row["validation"] = _rounded(trainer.stopping.kept_metrics)
        if look:
            row["end"] = look(task, trainer.net)
        if test and "diverged" not in row:
            report = task.finish(trainer.net).evaluate("test")
            row["test"] = _rounded({k: v for k, v in report.items() if isinstance(v, float)})
    return row


@dataclass(frozen=True)
class Setting:
    """A recipe with its budget, and the validation metric that ranks.

    scale: what the metric is multiplied with; show: how it is printed; axis: what is drawn.
    """

    recipe: str
    settings: tuple[str, ...]
    metric: str
    higher: bool
    scale: float
    show: str
    axis: str

    def also(self, *settings: str) -> Setting:
        """The same with further settings, the last of a key being the one that counts."""
        return replace(self, settings=(*self.settings, *settings))

    def of(self, row: Row, part: str) -> float:
        """The metric of a run; the worst there is of one that diverged before an epoch's end."""
        worst = -float("inf") if self.higher else float("inf")
        return self.scale * float(row.get(part, {}).get(self.metric, worst))

    def height(self, row: Row, part: str = "validation") -> float:
        """What is drawn of a run: the lower the better."""
        value = self.of(row, part)
        return self.scale - value if self.higher else value

    def run(
        self, results: Results, label: Row, extra: Iterable[str], seed: int, test: bool = True
    ) -> Row | None:
        """The run with these further settings. label: what the row says of it besides."""
        settings = [*self.settings, *extra]
        asked = {**label, "recipe": self.recipe, "seed": seed, "settings": settings}
        return results.once(asked, lambda: train(self.recipe, settings, seed, test=test))

    def best(self, rows: Iterable[Row]) -> Row:
        """The run that is best on validation data."""
        return min(rows, key=self.height)


MNIST = Setting(
    "mnist-rows",
    (
        "data.shift=0",
        "regularization.dropout=0",
        "schedule.name=constant",
        "training.epochs=2",
    ),
    "accuracy",
    True,
    100,
    "{:.2f}",
    "error, %",
)
PTB = Setting(
    "ptb-small",
    (
        "data.train_limit=150000",
        "text.max_vocabulary=2000",
        "model.num_layers=1",
        "model.hidden_size=128",
        "schedule.name=constant",
        "training.epochs=1",
    ),
    "perplexity",
    False,
    1,
    "{:.1f}",
    "perplexity",
)


def _rounded(metrics: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in metrics.items()}


def spread(values: Iterable[float], show: str = "{:.2f}") -> str:
    """The median, and in brackets the least and the greatest: the seeds are few."""
    ordered = sorted(values)
    if not ordered:
        return "–"
    low, middle, high = (
        show.format(x) if x < LOST else f"> {LOST:,}"
        for x in (ordered[0], statistics.median(ordered), ordered[-1])
    )
    return middle if len(ordered) == 1 else f"{middle} ({low} … {high})"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_table(results: Results, name: str, text: str) -> None:
    """Print a table, and put it between the comments of its name in the experiment's page."""
    print(f"\n{text}\n")
    page = results.path.with_suffix(".md")
    start, end = f"<!-- {name}: start -->", f"<!-- {name}: end -->"
    if page.exists() and start in (old := page.read_text()):
        before, rest = old.split(start)
        page.write_text(f"{before}{start}\n{text}\n{end}{rest.split(end)[1]}")


def figure(columns: int, width: float, height: float, rows: int = 1) -> tuple[Figure, Any]:
    """A figure, and its axes as an array of `rows` x `columns`."""
    drawn = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn, drawn.subplots(rows, columns, squeeze=False)


def dots(axis: Any, values: dict[str, list[float]], colors: Sequence[str] | None = None) -> None:
    """One line of dots per name, a dot per seed and a bar at the median, the first on top."""
    if not values:
        axis.set_axis_off()
        return
    for y, found in enumerate(values.values()):
        color = colors[y] if colors else "C0"
        seen = [value for value in found if value < LOST]
        axis.plot(seen, [y] * len(seen), "o", ms=5, alpha=0.6, color=color)
        if (middle := statistics.median(found)) < LOST:
            axis.plot(middle, y, "|", ms=18, mew=2, color=color)
        if lost := len(found) - len(seen):
            place = {"ha": "left", "va": "center", "fontsize": "small"}
            axis.text(
                0.02, y, f"{lost} off the scale", transform=axis.get_yaxis_transform(), **place
            )
    axis.set_yticks(range(len(values)), list(values))
    axis.set_ylim(len(values) - 0.5, -0.5)
    axis.grid(axis="x", alpha=0.3)


def save(drawn: Figure, results: Results) -> None:
    drawn.savefig(results.path.with_suffix(".png"))


def _arguments(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"The experiment {name}.")
    parser.add_argument("--report", action="store_true", help="run nothing; report what is there")
    parser.add_argument("--only", metavar="RECIPE", help="run what is missing of this recipe alone")
    return parser.parse_args()
