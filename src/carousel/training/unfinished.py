"""The model of a run that has not ended: its best epoch so far, out of the last checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from carousel import tasks
from carousel.data.record import DataRecord
from carousel.errors import RunError, command
from carousel.run.layout import RunFolder
from carousel.tasks.shared.task import TrainedModel, monitored
from carousel.training import checkpoint
from carousel.training.state import under
from carousel.training.stopping import EarlyStopping


class BestSoFar(NamedTuple):
    """A model, the epoch that its weights are of, and the last epoch of the checkpoint."""

    model: TrainedModel
    epoch: int
    last: int


def is_unfinished(run: Path) -> bool:
    """True if a folder is a run without a model of its own that has saved a checkpoint."""
    try:
        folder = RunFolder.open(run)
    except RunError:
        return False
    return not folder.finished and checkpoint.exists(folder.checkpoints)


def best_so_far(run_dir: str | Path) -> BestSoFar:
    """The best epoch of a run that was interrupted, or goes on, up to its last checkpoint.

    Its data are read once more, as scalers, vocabulary and classes are found in them; the test part
    stays closed, and nothing is written. Raises `RunError` before the first epoch has ended, and
    `DataError` if the data are not what the run began with.
    """
    run = RunFolder.open(Path(run_dir))
    found = checkpoint.load_latest(run.checkpoints)
    config = run.config.settled()
    task = tasks.find(config.task)(config, run.seed)
    stopping = EarlyStopping(config.training, monitored(task))
    if found is not None:
        tensors, facts = found
        stopping.load_state_dict({**facts["stopping"], **under(tensors, "stopping/")})
    if found is None or not stopping.best_epoch:
        raise RunError(
            f"the run {run.path} has no whole epoch yet: go on with "
            f"{command('train', '--resume', run.path)}"
        )
    record = DataRecord.read(run.path)
    if record is not None:
        record.check(task.parted, "validation")
    with torch.random.fork_rng(devices=[]):
        network = task.build_model()
    stopping.restore(network)
    model = task.finish(network)
    model.record = record
    model.model.eval()
    return BestSoFar(model, stopping.best_epoch, int(facts["progress"]["epoch"]))
