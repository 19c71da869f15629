"""Words of commands on a new table beside the one that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from carousel.errors import DataError
from carousel.terminal import notice

if TYPE_CHECKING:
    from carousel.data.audit import Finding
    from carousel.tasks.shared.task import TrainedModel


def found_in(model: TrainedModel, data: Path | None) -> list[Finding]:
    """The findings on a file; none where it cannot be read, which whoever answers it says."""
    try:
        return [] if data is None else model.audit(data)
    except DataError:
        return []


def is_told(note: str, found: Sequence[Finding]) -> bool:
    """True for a note of reading that says what a finding says."""
    from carousel.data.files.table_new import UNSEEN

    return UNSEEN in note and any(one.code == "D103" for one in found)


def tell_audit(found: Sequence[Finding], language: str) -> None:
    """Print findings on standard error, a line each, with what is done; notes are one line."""
    from carousel.data.audit.finding import texts

    words = texts(language)["words"]
    for finding in found:
        said = finding.lines(language)[0]
        if finding.severity != "info":
            said += f" ({words['done']}: {finding.text('done', language)})"
        notice(said)
