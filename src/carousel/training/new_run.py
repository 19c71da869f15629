"""Making of a run folder, with the versions that the run is trained with."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import torch

from carousel.config import Config
from carousel.data.record import DataRecord
from carousel.kernels import active_isa
from carousel.run.layout import RunFolder
from carousel.training.team import Place


def new_run(
    path: Path,
    config: Config,
    *,
    seed: int,
    threads: int,
    device: str,
    data: DataRecord | None = None,
    place: Place | None = None,
    trial: bool = False,
) -> RunFolder:
    """Make the folder of a run that begins now. Raises `RunError` if there is a run already."""
    return RunFolder.create(
        path,
        config,
        seed=seed,
        threads=threads,
        device=device,
        versions=_versions(),
        processes=place.size if place else 1,
        launch=place.launch if place else "",
        data=data.text() if data is not None else None,
        trial=trial,
    )


def _versions() -> dict[str, str]:
    return {
        "carousel": version("carousel-rnn"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "isa": active_isa(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
