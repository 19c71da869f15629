"""A run folder as evidence: what can be read of it, and in words what it lacks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from carousel import events
from carousel.coach.evidence import Evidence, Points
from carousel.coach.words import word
from carousel.config import Config
from carousel.errors import CarouselError, RunError
from carousel.recipes import read_toml

_RUN_FORMAT = 1


def read_run(path: Path, language: str = "en") -> tuple[Evidence, list[str]]:
    """The evidence of a run, finished or not, and sentences on what could not be read.

    Raises `RunError` if the folder is none of a run: it has neither config.toml nor events.
    """
    if not (path / "config.toml").is_file() and not (path / "events.sqlite").is_file():
        what = "has no config.toml" if path.is_dir() else "does not exist"
        what = "is a file" if path.is_file() else what
        raise RunError(f"{path} is not a run folder: it {what}")
    lacks = _Lacks(language)
    evidence = Evidence()
    _read_config(path, evidence, lacks)
    _read_events(path, evidence, lacks)
    _read_result(path, evidence, lacks)
    return evidence, lacks.said


class _Lacks:
    def __init__(self, language: str) -> None:
        self._language = language
        self.said: list[str] = []

    def say(self, what: str, **details: Any) -> None:
        self.said.append(word("lacks", what, self._language, **details))


def _read_config(path: Path, evidence: Evidence, lacks: _Lacks) -> None:
    try:
        values = read_toml(path / "config.toml")
        run = values.pop("run", {})
        if int(run.get("format", 0)) > _RUN_FORMAT:
            lacks.say("version", format=run["format"])
        evidence.config = Config.from_dict(values)
    except (CarouselError, OSError, ValueError, TypeError, AttributeError) as error:
        lacks.say("config", error=error)


def _read_events(path: Path, evidence: Evidence, lacks: _Lacks) -> None:
    store = path / "events.sqlite"
    try:
        if not store.is_file():
            raise RunError("there is no events.sqlite")
        if events.layout_version(store) > events.FORMAT:
            lacks.say("version", format=events.layout_version(store))
        read_evidence(store, evidence)
    except (CarouselError, ValueError, KeyError, TypeError) as error:
        lacks.say("events", error=error)
        return
    if not any(name.startswith(("update_ratio/", "gate/", "state/")) for name in evidence.series):
        lacks.say("signals")
    if not evidence.epochs:
        lacks.say("epochs")


def read_evidence(store: Path, evidence: Evidence) -> None:
    """Put the series and events of a store into the evidence. Raises `RunError`."""
    evidence.series = {
        name: Points((step, math.nan if value is None else value) for step, value in points)
        for name, points in events.all_series(store).items()
    }
    for event in events.events(store):
        evidence.take(event)


def _read_result(path: Path, evidence: Evidence, lacks: _Lacks) -> None:
    try:
        evidence.end(json.loads((path / "result.json").read_text()))
    except (OSError, ValueError, AttributeError):
        lacks.say("result")
