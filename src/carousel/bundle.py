"""A trained model as a folder of plain files, and what one can do with it.

model.json           format, configuration, and what the task keeps besides weights (classes and
                     scaler, or a vocabulary)
weights.safetensors  the parameters by name
data.json            what the data were that it was trained on (see carousel.data.record); not in
                     bundles of earlier versions, and in those of epochs it is the run's

Never a pickle: loading a bundle runs no code from it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from carousel import tasks
from carousel.config import Config
from carousel.data.audit import Seen
from carousel.data.record import DataRecord
from carousel.errors import CarouselError, RunError, command
from carousel.run import layout
from carousel.run.events import EvaluatedNew
from carousel.run.fold_results import FINAL, is_folds
from carousel.run.writing import note, note_use_of_test
from carousel.tasks.shared.average import Averaged
from carousel.tasks.shared.saving import FORMAT, WEIGHTS
from carousel.tasks.shared.saving import save as save
from carousel.tasks.shared.saving import to_bytes as to_bytes
from carousel.tasks.shared.task import TrainedModel


def from_bytes(files: Mapping[str, bytes], name: str = "the bundle") -> TrainedModel:
    """Restore the trained model of the contents of a bundle's files; runs no code of theirs.

    Raises `RunError` for files of a newer version and for damaged ones; `name` names them.
    """
    try:
        facts = json.loads(files[layout.MODEL_FACTS].decode())
        if facts["format"] > FORMAT:
            raise RunError(
                f"{name} was written by a newer Carousel (bundle format {facts['format']}, this "
                f"version reads up to {FORMAT}): upgrade with pip install -U carousel-rnn"
            )
        config = Config.from_stored(facts["config"])
        with torch.random.fork_rng():  # the new weights are replaced: leave the caller's draws be
            trained = _restored(config, facts)
        trained.model.load_state_dict(safetensors.torch.load(files[WEIGHTS]))
        if "seen" in facts:
            trained.seen = Seen.from_json(facts["seen"])
    except RunError:
        raise
    except (
        ValueError,
        KeyError,
        TypeError,
        RuntimeError,
        SafetensorError,
        CarouselError,
    ) as error:
        reason = " ".join(str(error).split())  # torch lists every tensor on a line of its own
        raise RunError(f"{name} cannot be read: {reason}") from None
    trained.model.eval()
    return trained


def _restored(config: Config, facts: dict[str, Any]) -> TrainedModel:
    """A model with fresh weights: of several networks where it is their average."""
    makes = tasks.find(config.task).trained.restore
    trained = makes(config, facts)
    others = (makes(config, facts).model for _ in range(config.training.seeds - 1))
    if config.training.seeds > 1:
        trained.model = Averaged([trained.model, *others], trained.averaged)
    return trained


def save_epoch(trained: TrainedModel, run: Path, epoch: int) -> None:
    """Keep the model as it is after an epoch, in epochs/<epoch> of the run."""
    save(trained, layout.epoch_of(run, epoch))


def load(run_or_bundle: str | Path) -> TrainedModel:
    """The trained model of a run folder, or of a bundle's own folder, ready to predict; of a folder
    of folds the one that was trained on all.

    Raises `RunError` if the folder is neither, was written by a newer version, is damaged, or
    belongs to a run that has not finished.
    """
    folder = Path(run_or_bundle)
    if is_folds(folder):
        folder = folder / FINAL
    if (folder / layout.MODEL / layout.MODEL_FACTS).is_file():
        folder = folder / layout.MODEL
    if not (folder / layout.MODEL_FACTS).is_file():
        if (folder / layout.CONFIG).is_file():
            raise RunError(
                f"the run {folder} has no model yet: finish it with "
                f"{command('train', '--resume', folder)}"
            )
        raise RunError(f"{folder} is neither a run folder nor a bundle: it has no model.json")
    try:
        files = {name: (folder / name).read_bytes() for name in (WEIGHTS, layout.MODEL_FACTS)}
    except OSError as error:
        raise RunError(f"the bundle {folder} cannot be read: {error}") from None
    trained = from_bytes(files, f"the bundle {folder}")
    trained.record = _record_of(folder)
    return trained


def _record_of(bundle: Path) -> DataRecord | None:
    """Data record of a bundle's run, else of the bundle itself."""
    run = bundle.parent if bundle.name == layout.MODEL else layout.home(bundle)[0]
    return DataRecord.read(run) or DataRecord.read(bundle)


@dataclass(frozen=True)
class Evaluation:
    """A model, what was measured of it, and the files that say so."""

    trained: TrainedModel
    report: dict[str, Any]
    files: list[Path]


def evaluate_run(
    folder: str | Path,
    part: str = "test",
    trained: TrainedModel | None = None,
    *,
    int8: bool = False,
) -> Evaluation:
    """Load the model in `folder`, judge it on `part`, and leave the report beside it.

    trained: the model, where it has been loaded already, or its run has not ended. int8: judge it
    in eight bits, too: "int8" of the report is what `carousel.tasks.shared.int8.compared` returns.
    A use of the test part is noted in the run's event store. Raises as `load`, and `DataError` if
    `part` is neither "test" nor "validation". Where the folder cannot be written to, nothing is
    measured: a use of the test part would go unnoticed.
    """
    folder = Path(folder)
    trained = trained or load(folder)
    _check_writable(folder)
    report = trained.evaluate(part)
    if int8:
        report["int8"] = _in_eight_bits(trained, lambda: trained.evaluate(part), report)
    if part == "test":
        note_use_of_test(folder, "evaluate")
    return Evaluation(trained, report, write_report(folder, trained, report, part))


def evaluate_new(
    folder: str | Path,
    data: str | Path,
    trained: TrainedModel | None = None,
    *,
    int8: bool = False,
) -> Evaluation:
    """Load the model in `folder`, judge it on labelled data that it never saw, and leave the report
    beside it as evaluation-new-<name>.json.

    It is put on record apart from the uses of the run's test part, which is not looked at. trained,
    int8: as for `evaluate_run`. Raises as `load`, and `DataError` for data that cannot be judged,
    or that the model was trained on.
    """
    folder, data = Path(folder), Path(data)
    trained = trained or load(folder)
    _check_writable(folder)
    report = {"data": str(data.absolute()), **trained.evaluate_new(data)}
    if int8:
        report["int8"] = _in_eight_bits(trained, lambda: trained.evaluate_new(data), report)
    if found := trained.audit(data):
        report["audit"] = [finding.to_dict() for finding in found]
    run, _ = layout.home(folder)
    if layout.events_of(run).is_file():
        metrics = {name: value for name, value in report.items() if isinstance(value, float)}
        note(run, EvaluatedNew(str(data.absolute()), metrics))
    files = write_report(folder, trained, report, f"new-{data.name.partition('.')[0]}")
    return Evaluation(trained, report, files)


def _in_eight_bits(
    trained: TrainedModel, judge: Callable[[], dict[str, Any]], exact: dict[str, Any]
) -> dict[str, Any]:
    from carousel.tasks.shared.int8 import compared

    task = tasks.find(trained.config.task)(trained.config, 0, trained.parts)
    return compared(trained, task, judge, exact)


def _check_writable(folder: Path) -> None:
    for place in {folder, layout.home(folder)[0]}:
        try:
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            raise RunError(
                f"{place} cannot be written to ({error.strerror}), and evaluating leaves its "
                "report there: make it writable, or copy it and evaluate the copy"
            ) from None


def write_report(
    folder: Path, trained: TrainedModel, report: dict[str, Any], part: str = "test"
) -> list[Path]:
    """Write evaluation.json and the task's pictures, or evaluation-<part>.json and so on for
    another part than the test part. Returns the paths."""
    path = layout.evaluation_of(folder, part)
    text = json.dumps({"part": part, **report}, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
    return [path, *trained.draw(report, folder, layout.suffix_of(part))]
