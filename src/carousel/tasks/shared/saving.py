"""Files of a trained model, as `carousel.bundle` reads them: what it is, and its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors.torch

from carousel.data.record import DataRecord
from carousel.run import layout
from carousel.run.names import WEIGHTS as WEIGHTS

if TYPE_CHECKING:
    from carousel.tasks.shared.task import TrainedModel

FORMAT = 1


def save(trained: TrainedModel, folder: Path) -> None:
    """Write its files, model.json last; an existing bundle there is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    if trained.record is not None:
        remember(trained.record, folder)
    for name, content in to_bytes(trained).items():
        (folder / name).write_bytes(content)


def to_bytes(trained: TrainedModel) -> dict[str, bytes]:
    """Contents of the files of a bundle by their names, model.json last."""
    weights = {
        name: tensor.detach().cpu().clone().contiguous()
        for name, tensor in trained.model.state_dict().items()
    }
    facts = {"format": FORMAT, "config": trained.config.to_dict(), **trained.facts()}
    if trained.seen is not None:
        facts["seen"] = trained.seen.to_json()
    text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    return {WEIGHTS: safetensors.torch.save(weights), layout.MODEL_FACTS: text.encode()}


def remember(record: DataRecord, folder: Path) -> None:
    """Write down in a folder what the data were (see `carousel.data.record`)."""
    (folder / layout.DATA).write_text(record.text(), encoding="utf-8")
