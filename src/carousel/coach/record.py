"""A run folder as evidence: what can be read of it, and in words what it lacks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from carousel.coach.evidence import Evidence, Points
from carousel.coach.words import word
from carousel.config import Config
from carousel.errors import CarouselError, RunError
from carousel.recipes import read_toml
from carousel.run import layout, reading


def read_run(path: Path, language: str = "en") -> tuple[Evidence, list[str]]:
    """The evidence of a run, finished or not, and sentences on what could not be read.

    Raises `RunError` if the folder is none of a run: it has neither config.toml nor events.
    """
    if not layout.is_run(path):
        raise layout.no_run(path)
    lacks = _Lacks(language)
    evidence = Evidence(run=str(path))
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
        values = read_toml(path / layout.CONFIG)
        if (newer := layout.newer_format(values)) is not None:
            lacks.say("version", format=newer)
        values.pop("run", None)
        evidence.config = Config.from_stored(values)
    except (CarouselError, OSError, ValueError, TypeError, AttributeError) as error:
        lacks.say("config", error=error)


def _read_events(path: Path, evidence: Evidence, lacks: _Lacks) -> None:
    store = layout.events_of(path)
    try:
        if not store.is_file():
            raise RunError(f"there is no {layout.EVENTS}")
        with reading.reading(store) as opened:
            version = opened.layout_version()
        if version > layout.EVENTS_FORMAT:
            lacks.say("version", format=version)
        read_evidence(store, evidence)
    except (CarouselError, ValueError, KeyError, TypeError) as error:
        lacks.say("events", error=error)
        return
    if evidence.config is not None and (count := evidence.config.training.seeds) > 1:
        lacks.say("members", count=count, member=path / layout.MEMBERS)
        return
    if not any(name.startswith(("update_ratio/", "gate/", "state/")) for name in evidence.series):
        lacks.say("signals")
    if not evidence.epochs:
        lacks.say("epochs")


def read_evidence(store: Path, evidence: Evidence) -> None:
    """Put the series and events of a store into the evidence. Raises `RunError`."""
    evidence.series = {
        name: Points((step, math.nan if value is None else value) for step, value in points)
        for name, points in reading.all_series(store).items()
    }
    for event in reading.events(store):
        evidence.take(event)


def _read_result(path: Path, evidence: Evidence, lacks: _Lacks) -> None:
    try:
        evidence.end(json.loads((path / layout.RESULT).read_text()))
    except (OSError, ValueError, AttributeError):
        lacks.say("result")
