"""Runs that `torchrun` goes on with: it repeats the command that began them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from carousel.config import Config
from carousel.errors import RunError
from carousel.run import layout
from carousel.run.layout import RunFolder


def begun_before(
    run_dir: Path | None, parent: Path, config: Config, seed: int, launch: str
) -> Path | None:
    """The run that this command began before it was started anew, or None.

    In a folder that was named (`run_dir`) it is the run there, if its settings and seed are these;
    else the newest run of `parent` with these settings that has the same `launch`. launch: what
    started the processes; without one nothing was begun before.
    """
    if not launch:
        return None
    if run_dir is not None:
        found = _opened(run_dir)
        return run_dir if found is not None and _is_same(found, config, seed) else None
    for path in sorted(parent.glob(f"{config.recipe.name}-*"), reverse=True):
        found = _opened(path)
        if found is not None and found.launch == launch and _is_same(found, config, seed):
            return path
    return None


def _opened(path: Path) -> RunFolder | None:
    if not (path / layout.CONFIG).is_file():
        return None
    try:
        return RunFolder.open(path)
    except RunError:  # somebody else's, or damaged: whoever makes a new run there says so
        return None


def _is_same(run: RunFolder, config: Config, seed: int) -> bool:
    shuffled = replace(config.data, shuffle=run.config.data.shuffle)  # the data decided that
    wanted = replace(config, data=shuffled)
    return run.seed == seed and run.config.to_dict() == wanted.to_dict()
