"""Sweeps among the runs of a folder, read and never written: what each has tried, how it stands."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel.errors import RunError
from carousel.run.layout import inside, is_locked
from carousel.run.sweep_results import CONFIRM, SWEEP, WORKERS, is_sweep, read_sweep
from carousel.runs.store import Run, Status, Store

_LARGEST = 64 << 20  # bytes of sweep.json; a trial has some hundred
Kinds = dict[str, type | tuple[type, ...]]
_KINDS: Kinds = {
    "recipe": str, "task": str, "metric": str, "metric_higher_is_better": bool, "epochs": int,
    "runs": int, "over": dict, "trials": list, "importance": dict, "epochs_trained": int,
    "sampler": str, "pruner": str, "finished": bool,
}  # fmt: skip
_OF_A_TRIAL: Kinds = {
    "number": int, "run": str, "state": str, "settings": dict, "unread": list, "epochs": int,
}  # fmt: skip
_CHOICES: Kinds = {"values": list}
_RANGE: Kinds = {"low": (int, float), "high": (int, float), "log": bool}


@dataclass(frozen=True)
class Sweep:
    """A sweep as it stands now. id: its folder's path below the runs folder. why: of a status that
    says it cannot be read. result: sweep.json, empty then. created: Unix time of its first run."""

    id: str
    path: Path
    status: Status
    result: Mapping[str, Any]
    why: str = ""
    created: float = 0.0

    @property
    def trials(self) -> list[dict[str, Any]]:
        """The trials, the best first."""
        return ranked(self.result) if self.result else []

    @property
    def best(self) -> dict[str, Any] | None:
        """The best trial that ran to its end."""
        wanted = self.result.get("best")
        return next((one for one in self.trials if one["number"] == wanted), None)

    @property
    def done(self) -> int:
        """Number of trials that have ended, in whatever way."""
        return sum(one["state"] not in ("running", "waiting") for one in self.trials)

    def run_of(self, trial: Mapping[str, Any]) -> str:
        """Id of the run of a trial."""
        run = str(trial["run"])
        return run if self.id == "." else f"{self.id}/{run}"


class Sweeps:
    """The sweeps of a folder of runs."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def is_sweep(self, id: str) -> bool:
        """True if a folder below that of the runs is one of a sweep."""
        return is_sweep(self.store.root / id)

    def of_run(self, id: str) -> str | None:
        """Id of the sweep whose trial a run is, or which it confirmed; None where it is none."""
        return _above(self.store.root, id)

    def all(self, runs: Iterable[Run]) -> list[Sweep]:
        """Every sweep that has one of these runs; one that cannot be read says so."""
        return [self._state(id, found) for id, found in self.sorted(runs).items() if id]

    def sorted(self, runs: Iterable[Run]) -> dict[str, list[Run]]:
        """The runs by the id of their sweep, "" for those that are of none."""
        above: dict[str, str] = {}
        of: dict[str, list[Run]] = {}
        for run in runs:
            folder = run.id.rpartition("/")[0]
            if folder not in above:
                above[folder] = self.of_run(run.id) or ""
            of.setdefault(above[folder], []).append(run)
        return of

    def get(self, id: str) -> Sweep:
        """One sweep as it stands now. Raises `RunError` if there is no such sweep."""
        if not is_sweep(self.store.path(id)):
            raise RunError(f"there is no sweep '{id[:100]}' in {self.store.root}")
        return self._state(id, self.store.runs(id))

    def _state(self, id: str, runs: list[Run]) -> Sweep:
        path = (self.store.root / id).resolve()
        created = min((run.created or run.updated for run in runs), default=0.0)
        try:
            result = _checked(path)
        except RunError as error:
            return Sweep(id, path, Status.UNREADABLE, {}, str(error), created)
        if any(run.status == Status.RUNNING for run in runs) or _is_worked_on(path):
            return Sweep(id, path, Status.RUNNING, result, "", created)
        ended = Status.FINISHED if result["finished"] else Status.INTERRUPTED
        return Sweep(id, path, ended, result, "", created)


def ranked(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The trials in order of what was measured: those that ended first, then those given up."""
    sign = -1 if result["metric_higher_is_better"] else 1

    def place(one: dict[str, Any]) -> tuple[bool, bool, float]:
        value = one["value"]
        return one["state"] != "ended", value is None, sign * (value or 0.0)

    found: list[dict[str, Any]] = sorted(result["trials"], key=place)
    return found


def read_by(one: Mapping[str, Any], name: str) -> Any:
    """Value of a setting in a trial; None where nothing read it."""
    return None if name in one["unread"] else one["settings"].get(name)


def shown(value: Any) -> str:
    """A setting's value, numbers short.

    >>> shown(0.00123456), shown(64), shown(None)
    ('0.00123', '64', '–')
    """
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _above(root: Path, id: str) -> str | None:
    """Id of the folder of a sweep that a run lies in."""
    parts = id.split("/")
    for count in range(len(parts) - 1, -1, -1):
        above = "/".join(parts[:count]) or "."
        if id != "." and is_sweep(root / above):
            return above
    return None


def _is_worked_on(path: Path) -> bool:
    """True if a worker of this machine is alive; of others nothing is known here."""
    places = (f"{WORKERS}/*.lock", f"{CONFIRM}/*/{WORKERS}/*.lock")
    try:
        return any(is_locked(lock) for place in places for lock in path.glob(place))
    except OSError:
        return False


def _checked(path: Path) -> dict[str, Any]:
    """Contents of sweep.json, fit to be shown. Raises `RunError`."""
    file = inside(path, SWEEP)
    try:
        if file.stat().st_size > _LARGEST:
            raise RunError(f"{file} has more than {_LARGEST >> 20} MiB, and is not read")
    except OSError as error:
        raise RunError(f"{file} cannot be read: {error}") from None
    result = read_sweep(path)
    _expect(file, result, _KINDS)
    for axis in result["over"].values():
        _expect(file, axis, _CHOICES if isinstance(axis, dict) and "values" in axis else _RANGE)
    for one in result["trials"]:
        _expect(file, one, _OF_A_TRIAL)
        one["value"] = _finite(one.get("value"))
        one["settings"] = {name: _plain(value) for name, value in one["settings"].items()}
    _check_confirmed(file, result.get("confirmed"))
    shares = {name: _finite(share) for name, share in result["importance"].items()}
    return result | {"importance": {n: share for n, share in shares.items() if share is not None}}


def _check_confirmed(file: Path, said: Any) -> None:
    if said is None:
        return
    _expect(file, said, {"trial": int, "seeds": int, "chosen": str, "validation": dict})
    for spread in (*said["validation"].values(), *said.get("test", {}).values()):
        _expect(file, spread, {"mean": (int, float), "std": (int, float, type(None))})


def _expect(file: Path, found: Any, kinds: Kinds) -> None:
    for name, kind in kinds.items():
        value = found.get(name) if isinstance(found, dict) else None
        if not isinstance(value, kind):
            said = json.dumps(value, default=str)[:60]
            raise RunError(f"{file} cannot be read: '{name}' is {said}")


def _plain(value: Any) -> Any:
    """A setting's value as a chart can have it: a text, a truth or a finite number."""
    return _finite(value) if isinstance(value, float) else value if _is_word(value) else str(value)


def _is_word(value: Any) -> bool:
    return isinstance(value, str | int | bool)


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
