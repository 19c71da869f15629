"""The model of a run that a command was given, finished or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from carousel.errors import command
from carousel.run import layout
from carousel.terminal import notice

if TYPE_CHECKING:
    from carousel.tasks.shared.task import TrainedModel


def model_of(run: Path) -> tuple[TrainedModel, bool]:
    """The trained model of a run or a bundle, and whether its run has ended.

    Of a run that has not, it is the best epoch so far, which is said on standard error.
    """
    from carousel import bundle

    if (run / layout.MODEL / layout.MODEL_FACTS).is_file():
        return bundle.load(run), True
    from carousel.training.unfinished import best_so_far, is_unfinished

    if not is_unfinished(run):
        return bundle.load(run), True
    found = best_so_far(run)
    notice(
        f"the run has not ended: answers are those of epoch {found.epoch}, the best of "
        f"{found.last} so far; it goes on with {command('train', '--resume', run)}"
    )
    return found.model, False
