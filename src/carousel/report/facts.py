"""Everything that a report says, gathered from the folder of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carousel.coach.finding import Finding, by_severity
from carousel.coach.monitor import diagnose
from carousel.coach.record import read_run
from carousel.data.record import DataRecord
from carousel.errors import RunError
from carousel.run import layout
from carousel.runs.store import Run, Status, Store


@dataclass(frozen=True)
class Facts:
    """A run as a report shows it.

    evaluation: what was measured on the test part; on the validation part where there is only that.
    on_new: what was measured on new data, by where it was. findings: of the coach, severe first.
    pictures: files beside the evaluation.
    """

    path: Path
    run: Run
    evaluation: dict[str, Any] = field(default_factory=dict)
    on_new: dict[str, dict[str, Any]] = field(default_factory=dict)
    record: DataRecord | None = None
    findings: tuple[Finding, ...] = ()
    pictures: tuple[Path, ...] = ()

    @property
    def result(self) -> dict[str, Any]:
        """Contents of result.json; empty for a run that has not ended."""
        return self.run.result

    @property
    def task(self) -> str:
        return str(self.run.setting("task", "classify"))


def gather(path: Path, language: str) -> Facts:
    """The facts of a run. Raises `RunError` if the folder is none of a run, or unreadable."""
    if not layout.is_run(path):
        raise layout.no_run(path)
    run = Store(path).run(".")
    if run.status is Status.UNREADABLE:
        raise RunError(f"{path} cannot be read: {run.why}")
    evidence, _ = read_run(path, language)
    monitor = diagnose(evidence, language=language, finished=bool(evidence.result))
    evaluation = evaluation_in(path)
    suffix = ""
    if not evaluation:
        evaluation, suffix = _json(layout.evaluation_of(path, "validation")), "-validation"
    pictures = sorted(
        file
        for file in path.glob(f"*{suffix}.png")
        if (suffix or "-" not in file.stem) and not file.is_symlink()
    )
    new = (_json(file) for file in sorted(path.glob("evaluation-new-*.json")))
    return Facts(
        path,
        run,
        evaluation,
        {str(found.get("data", "")): found for found in new if found},
        DataRecord.read(path),
        tuple(by_severity(list(monitor.standing.values()))),
        tuple(pictures),
    )


def evaluation_in(path: Path) -> dict[str, Any]:
    """Evaluation of a run on its test part; empty where there is none."""
    return _json(layout.evaluation_of(path, "test"))


def _json(path: Path) -> dict[str, Any]:
    """Contents of a JSON file; empty where there is none, or it is no object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
