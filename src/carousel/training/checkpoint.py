"""Checkpoints that are whole or not there: write aside, fsync, rename.

A checkpoint is a folder step-<N> with state.safetensors (tensors) and state.json (the rest). It is
written under another name and renamed when both files are on the disk, so a process killed, or a
disk filled, while writing leaves the previous one untouched. The last two are kept.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from carousel.errors import RunError, command
from carousel.run.durable import sync_folder, write_durably

_KEEP = 2
_BEST = re.compile("^best/")


def save(folder: Path, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write the checkpoint of `step`. Raises `RunError` if the disk refuses; nothing is lost."""
    target = folder / f"step-{step:09d}"
    if target.exists():  # the same step of the same run: it holds the same state
        return
    aside = folder / f".writing-{os.getpid()}"
    try:
        folder.mkdir(exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        write_durably(aside / "state.safetensors", safetensors.torch.save(whole))
        write_durably(aside / "state.json", json.dumps(facts, indent=1).encode())
        sync_folder(aside)
        aside.rename(target)
        sync_folder(folder)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        kept = _complete(folder)
        intact = f"{kept[-1].name} is intact" if kept else "there is none before it"
        raise RunError(
            f"the checkpoint of step {step} could not be written to {folder} "
            f"({error.strerror}); {intact}. Mend that, then: "
            f"{command('train', '--resume', folder.parent)}"
        ) from None
    for old in _complete(folder)[:-_KEEP]:
        shutil.rmtree(old)


def load_latest(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and facts of the newest checkpoint, or None if there is none yet.

    Raises `RunError` if it cannot be read, as when somebody else's hands were in it.
    """
    found = _complete(folder)
    if not found:
        return None
    try:
        tensors = safetensors.torch.load((found[-1] / "state.safetensors").read_bytes())
        facts = json.loads((found[-1] / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, SafetensorError) as error:
        raise RunError(
            f"the checkpoint {found[-1]} is damaged ({error}); delete that folder to resume from "
            f"the one before it"
        ) from None
    return _as_written_now(tensors, facts)


def _as_written_now(
    tensors: dict[str, Tensor], facts: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A checkpoint with the names of today: once, some parts had two, and no dict of facts."""
    if "averaging" not in facts:
        return tensors, facts
    now = {
        **{part: facts[part] for part in ("progress", "stopping")},
        "schedule": facts["schedule"] or {},
        "average": {"started": facts["averaging"]},
        "optimizer": {"groups": facts["optimizer"]},
    }
    return {_BEST.sub("stopping/best_weights/", name): t for name, t in tensors.items()}, now


def exists(folder: Path) -> bool:
    """True if there is a whole checkpoint."""
    return bool(_complete(folder))


def _complete(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))
