"""Comparison of settings: which is better, and whether by more than seeds differ."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from carousel.config import Config
from carousel.errors import RunError
from carousel.runs.differences import differing, flat
from carousel.runs.store import Run, Status, Store
from carousel.runs.verdict import Spread, Verdict, welch

CONFIDENCE = 0.95
PARTS = ("validation", "test")

# Where a run was made, what it is called, how it was watched: not what it was trained with.
_NO_CAUSE = (
    "run.",
    "recipe.",
    "coach.",
    "data.path",
    "training.checkpoint_seconds",
    "training.keep_epochs",
    "training.samples",
)


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seeds alone.

    name: a letter or two. settings: those in which the groups differ, as text. monitor: the metric
    that chose the best epochs. validation: by metric, at the best epoch of each run; test: of the
    runs that have ended; empty where none has.
    """

    name: str
    settings: dict[str, str]
    runs: tuple[Run, ...]
    validation: dict[str, Spread]
    test: dict[str, Spread]

    @property
    def monitor(self) -> str:
        return self.runs[0].monitor

    def of(self, part: str) -> dict[str, Spread]:
        return self.validation if part == "validation" else self.test


@dataclass(frozen=True)
class Comparison:
    """Groups in the order in which they were named, what was found, and what to mind."""

    groups: tuple[Group, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def metrics(self) -> list[tuple[str, str]]:
        """(part, metric) that all groups have; what chose the best epochs comes first."""
        first = self.groups[0].monitor
        found = []
        for part in PARTS:
            common = [
                m for m in self.groups[0].of(part) if all(m in g.of(part) for g in self.groups)
            ]
            found += [(part, m) for m in sorted(common, key=lambda m: m != first)]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Comparison as JSON can hold it."""
        return {
            "groups": [
                {
                    "name": group.name,
                    "settings": group.settings,
                    "runs": {run.id: run.status.value for run in group.runs},
                    **{
                        part: {name: spread.to_dict() for name, spread in group.of(part).items()}
                        for part in PARTS
                    },
                }
                for group in self.groups
            ],
            "verdicts": [
                {
                    **{name: getattr(verdict, name) for name in Verdict.__dataclass_fields__},
                    "is_better": verdict.is_better,
                    "is_larger_than_spread": verdict.is_larger_than_spread,
                }
                for verdict in self.verdicts
            ],
            "notes": list(self.notes),
        }


def read(paths: Iterable[str | Path]) -> list[Run]:
    """The runs at those paths, or in those folders, each once; their id is the path.

    Raises `RunError` if a path is no folder, or a folder without runs.
    """
    found: dict[Path, Run] = {}
    for path in paths:
        store = Store(path)
        runs = [store.run(id) for id in store.ids()]
        if not runs:
            raise RunError(f"{path} is neither a run folder nor a folder of runs")
        for run in runs:
            name = Path(path) if run.id == "." else Path(path) / run.id
            found.setdefault(run.path, replace(run, id=str(name)))
    return list(found.values())


def compare(runs: Sequence[Run]) -> Comparison:
    """Put runs that differ in their seeds alone together, and each group beside the first.

    Raises `RunError` where fewer than two runs can be compared.
    """
    notes = [f"{run.id} is left out: {_why_not(run)}" for run in runs if _why_not(run)]
    usable = [run for run in runs if not _why_not(run)]
    if len(usable) < 2:
        said = f" ({'; '.join(notes)})" if notes else ""
        raise RunError(f"there must be two runs or more with an epoch to compare{said}")
    settings = {run.id: _causes(run) for run in usable}
    names = list(differing(settings))
    sorted_in: dict[str, list[Run]] = {}
    for run in usable:
        sorted_in.setdefault(repr(settings[run.id]), []).append(run)
    groups = []
    for number, members in enumerate(sorted_in.values()):
        once, again = _one_per_seed(members)
        notes += [f"{run.id} is left out: its seed was there before" for run in again]
        shown = {name: str(settings[once[0].id].get(name, "—")) for name in names}
        groups.append(_group(letters(number), shown, once))
    notes += _to_mind(groups)
    found = Comparison(tuple(groups), (), tuple(notes))
    if not found.metrics:
        raise RunError("these runs have no metric in common, so there is nothing to compare")
    verdicts = [
        _verdict(metric, part, group, groups[0], len(groups) - 1)
        for group in groups[1:]
        for part, metric in found.metrics
    ]
    return replace(found, verdicts=tuple(verdicts))


def letters(number: int) -> str:
    """A name for a group.

    >>> [letters(n) for n in (0, 25, 26, 52)]
    ['A', 'Z', 'AA', 'BA']
    """
    name = chr(ord("A") + number % 26)
    return name if number < 26 else letters(number // 26 - 1) + name


def _why_not(run: Run) -> str:
    if run.status is Status.UNREADABLE:
        return run.why
    return "" if run.epochs else "it has no whole epoch"


def _causes(run: Run) -> dict[str, Any]:
    """Its settings; those that an older version did not know have the values they have now."""
    values = flat(Config().to_dict()) | flat(run.config)
    return {name: value for name, value in values.items() if not name.startswith(_NO_CAUSE)}


def _one_per_seed(runs: Iterable[Run]) -> tuple[list[Run], list[Run]]:
    """Runs, one per seed: the same seed gives the same run, so a whole one counts and not a
    part."""
    by_seed: dict[Any, Run] = {}
    again = []
    for run in runs:
        seed = run.setting("run.seed", run.id)
        if seed not in by_seed:
            by_seed[seed] = run
        elif run.result and not by_seed[seed].result:
            again.append(by_seed[seed])
            by_seed[seed] = run
        else:
            again.append(run)
    return list(by_seed.values()), again


def _group(name: str, settings: dict[str, str], runs: list[Run]) -> Group:
    ended = {run.id: run.result["test"] for run in runs if run.result.get("test")}
    return Group(
        name,
        settings,
        tuple(runs),
        _spreads({run.id: _at_best(run) for run in runs}),
        _spreads(ended),
    )


def _at_best(run: Run) -> dict[str, Any]:
    best = [epoch for epoch in run.epochs if epoch.get("best")]
    found: dict[str, Any] = (best or run.epochs)[-1]["validation"]
    return found


def _spreads(values: dict[str, dict[str, Any]]) -> dict[str, Spread]:
    """Spreads of every metric that all of the runs have, as a finite number."""
    if not values:
        return {}
    first = next(iter(values.values()))
    return {
        name: Spread({id: float(found[name]) for id, found in values.items()})
        for name in first
        if all(_is_number(found.get(name)) for found in values.values())
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _verdict(metric: str, part: str, group: Group, against: Group, comparisons: int) -> Verdict:
    here = list(group.of(part)[metric].values.values())
    there = list(against.of(part)[metric].values.values())
    interval = None
    if min(len(here), len(there)) > 1:
        interval = welch(here, there, 1 - (1 - CONFIDENCE) / comparisons)
    return Verdict(
        metric,
        part,
        group.name,
        against.name,
        statistics.fmean(here) - statistics.fmean(there),
        interval,
        (len(here), len(there)),
    )


def _to_mind(groups: Sequence[Group]) -> list[str]:
    """Warnings about what makes the numbers less comparable than they look."""
    notes = []
    runs = [run for group in groups for run in group.runs]
    going = [run.id for run in runs if not run.result]
    if going:
        notes.append(f"not finished, judged by the epochs there are: {', '.join(going)}")
    different = [
        name
        for name in groups[0].settings
        if name.startswith("data.") and len({group.settings[name] for group in groups}) > 1
    ]
    if different:
        notes.append(
            f"the data differ ({', '.join(different)}): the metrics may not be of the same examples"
        )
    if len({group.monitor for group in groups}) > 1:
        notes.append("the best epochs were not chosen by the same metric")
    versions = differing({run.id: flat(run.setting("run.versions", {})) for run in runs})
    if versions:
        notes.append(f"made with different versions: {', '.join(versions)}")
    return notes
