"""The runs in a folder, read and never written: which there are, and how each one stands."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from carousel.errors import CarouselError, RunError, command
from carousel.recipes import read_toml
from carousel.run import layout
from carousel.run.events import Diverged, Epoch, Interrupted, Pruned, Resumed, Stopped
from carousel.run.layout import inside
from carousel.run.reading import reading

_DEPTH = 3  # runs/sweep/lr/run
_LARGEST = 4 << 20  # bytes of a TOML or JSON file; those of a run have a few thousand


class Status(Enum):
    """State of a run. UNREADABLE: it is damaged, half written, or of a newer version."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED_EARLY = "stopped_early"
    INTERRUPTED = "interrupted"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    CRASHED = "crashed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Run:
    """A run as it stands now.

    id: the folder's path below the runs folder. why: of the status, in a sentence, or empty.
    config: config.toml as it is; result: result.json, empty until the run has ended well.
    epochs: the bodies of its "epoch" events, oldest first. updated: Unix time of the last sign
    of life.
    """

    id: str
    path: Path
    status: Status
    why: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    epochs: tuple[dict[str, Any], ...] = ()
    step: int = 0
    updated: float = 0.0

    def setting(self, name: str, default: Any = None) -> Any:
        """A value of config.toml by its dotted name."""
        value: Any = self.config
        for part in name.split("."):
            if not isinstance(value, dict) or part not in value:
                return default
            value = value[part]
        return value

    @property
    def asked(self) -> str:
        """Length that was asked for: a number of epochs, or a time; "?" where neither stands in its
        configuration."""
        return str(self.setting("training.budget", "") or self.setting("training.epochs", "?"))

    @property
    def recipe(self) -> str:
        return str(self.setting("recipe.name", ""))

    @property
    def monitor(self) -> str:
        """The validation metric that chooses the best epoch; empty while it is unknown."""
        named = self.result.get("monitor") or (
            self.epochs[-1].get("monitor") if self.epochs else ""
        )
        return str(named or "")

    @property
    def best(self) -> tuple[int, float] | None:
        """(epoch, value) of the best epoch so far, by the metric that chooses it."""
        for epoch in reversed(self.epochs):
            if epoch.get("best"):
                value = _number(epoch.get("validation", {}).get(self.monitor))
                return None if value is None else (int(epoch["epoch"]), value)
        return None

    @property
    def seconds(self) -> float | None:
        """Seconds of training, validation included, up to the last whole epoch."""
        spent = self.result.get("seconds") or (self.epochs[-1].get("seconds") if self.epochs else 0)
        return _number(spent) or None

    @property
    def steps_per_second(self) -> float | None:
        """Over the whole training, validation included."""
        if self.result:
            steps = _number(self.result.get("steps"))
        else:
            steps = _number(self.epochs[-1].get("step")) if self.epochs else None
        return steps / self.seconds if steps and self.seconds else None

    @property
    def created(self) -> float | None:
        """Unix time of its start; None where config.toml does not say it."""
        try:
            return datetime.fromisoformat(str(self.setting("run.created"))).timestamp()
        except ValueError:
            return None


class Store:
    """The runs below a folder, or the one run that the folder is.

    Raises `RunError` if there is no such folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).resolve()
        if not self.root.is_dir():
            raise RunError(
                f"the runs folder {root} does not exist: train something first, or name another "
                f"folder"
            )
        self._known: dict[str, tuple[Any, Run]] = {}

    def ids(self, below: str = ".") -> list[str]:
        """Ids of every run below a folder, in order of their names."""
        if layout.is_run(self.root):
            return ["."]
        found = self._walk(self.path(below), 1)
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def runs(self, below: str = ".") -> list[Run]:
        """Every run below a folder, the youngest first; one that cannot be read says so and hides
        no other."""
        runs = [self._state(id) for id in self.ids(below)]
        return sorted(runs, key=lambda run: (-(run.created or run.updated), run.id))

    def run(self, id: str) -> Run:
        """One run as it stands now. Raises `RunError` if there is no such run."""
        self._of_run(id)
        return self._state(id)

    def _of_run(self, id: str) -> Path:
        """Its folder, if it is one of a run: what is left of a removed one is none."""
        path = self.path(id)
        if not layout.is_run(path):
            if id == ".":
                raise RunError(f"{self.root} is not a run folder")
            raise RunError(f"there is no run '{id}' in {self.root}")
        return path

    def path(self, id: str) -> Path:
        """The folder of that run. Raises `RunError` if it would lie outside the runs folder."""
        try:
            path = (self.root / id).resolve()
            if path.is_relative_to(self.root) and path.is_dir():
                return path
        except (OSError, ValueError):  # too long, or a zero byte
            pass
        raise RunError(f"there is no run '{id[:100]}' in {self.root}")

    def events_of(self, id: str) -> Path:
        """The event store of that run. Raises `RunError` if there is none inside its folder."""
        return inside(self.path(id), layout.EVENTS)

    def token(self, id: str) -> tuple[Any, ...]:
        """Changes whenever something was written to the run. Raises `RunError` if it is gone."""
        path = self._of_run(id)
        files = [path / name for name in (layout.CONFIG, layout.RESULT, layout.NOTES)]
        return tuple(map(_stamp, [*files, *layout.event_files(path)]))

    def _walk(self, folder: Path, depth: int) -> Iterator[Path]:
        try:
            with os.scandir(folder) as entries:
                children = [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
        except OSError:
            return
        for child in children:
            if layout.is_run(child):
                yield child
            elif depth < _DEPTH:
                yield from self._walk(child, depth + 1)

    def _state(self, id: str) -> Run:
        """State of a run, from memory where nothing was written since; only a lock can change
        then."""
        try:
            path, token = self.path(id), (self.token(id), layout.is_held(self.path(id)))
        except RunError as error:
            return Run(id, self.root / id, Status.UNREADABLE, str(error))
        known = self._known.get(id)
        if known is None or known[0] != token:
            known = self._known[id] = (token, _read(id, path, running=token[1]))
        return known[1]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def _read(id: str, path: Path, *, running: bool) -> Run:
    """Read a run as far as it can be read; what cannot is said in `why`."""
    problems: list[str] = []
    facts: dict[str, Any] = {}
    last: tuple[str, dict[str, Any]] = ("", {})
    try:
        facts["config"] = _small(path, layout.CONFIG, read_toml)
        if (newer := layout.newer_format(facts["config"])) is not None:
            known = f"known up to {layout.FORMAT}"
            problems.append(f"a newer Carousel wrote it (run format {newer}, {known})")
    except (CarouselError, AttributeError, TypeError, ValueError) as error:
        problems.append(str(error))
    try:
        found, last = _read_events(inside(path, layout.EVENTS))
        facts |= found
    except RunError as error:
        if not running:  # a run that has just begun may have none
            problems.append(str(error))
    if (path / layout.RESULT).exists():
        try:
            facts["result"] = _small(path, layout.RESULT, _read_json)
        except CarouselError as error:
            problems.append(str(error))
    stamps = [s for file in layout.event_files(path) if (s := _stamp(file))]
    run = Run(id, path, Status.UNREADABLE, "; ".join(problems), **facts)
    run = replace(run, updated=max((s[0] / 1e9 for s in stamps), default=0.0))
    return run if problems else _with_status(run, last, running)


def _read_events(path: Path) -> tuple[dict[str, Any], tuple[str, dict[str, Any]]]:
    """Epoch events with the last recorded step, and the newest state event."""
    epochs: list[dict[str, Any]] = []
    last: tuple[str, dict[str, Any]] = ("", {})
    with reading(path) as store:
        for event in store.events(Epoch, Resumed, Stopped, Diverged, Interrupted, Pruned):
            kind = event.kind
            try:
                said = json.loads(event.body)
                entry = {**said, "step": event.step}
            except (ValueError, TypeError):
                raise RunError(f"{path} has an event ({kind}) that is not JSON") from None
            whole = isinstance(said.get("validation"), dict) and "epoch" in said
            if kind == Epoch.kind and whole:
                epochs.append(entry)
            last = (kind, entry)
        return {"epochs": tuple(epochs), "step": store.last_step()}, last


def _with_status(run: Run, last: tuple[str, dict[str, Any]], running: bool) -> Run:
    kind, said = last
    if running:
        return replace(run, status=Status.RUNNING)
    if run.result:
        asked, most = run.setting("training.epochs", 0), run.setting("training.max_steps", 0)
        steps = run.result.get("steps", 0)
        if "members" in run.result:
            early = False
        elif timed := run.result.get("budget"):
            early = steps < timed.get("all_steps", 0)
        elif (length := str(run.setting("training.revised", "")).rpartition(":")[2]).isdecimal():
            early = steps < int(length)
        else:
            early = run.result.get("epochs", 0) < asked and not 0 < most <= steps
        status = Status.STOPPED_EARLY if early else Status.FINISHED
        return replace(run, status=status, why=str(run.result.get("stop_reason", "")))
    if kind == Diverged.kind:
        why = f"{said.get('what', '')}; first not finite: {said.get('tensor', '')}"
        return replace(run, status=Status.DIVERGED, why=why)
    if kind == Pruned.kind:
        return replace(run, status=Status.PRUNED, why=str(said.get("why", "")))
    status = Status.INTERRUPTED if kind == Interrupted.kind else Status.CRASHED
    return replace(run, status=status, why=command("train", "--resume", run.path))


def _small(run: Path, name: str, read: Callable[[Path], Any]) -> dict[str, Any]:
    """The tables of a file of the run. Raises `RunError` if it is too large or no table."""
    path = inside(run, name)
    if path.stat().st_size > _LARGEST:
        raise RunError(f"{name} has more than {_LARGEST >> 20} MiB, and is not read")
    content = read(path)
    if not isinstance(content, dict):
        raise RunError(f"{name} holds no table")
    return content


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} is not JSON that can be read: {error}") from None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
