"""The folder of a run: what it is, where its parts are, and who may write to it."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import filelock
import tomli_w
import torch

from carousel.config import Config
from carousel.data.record import FILE as RECORD
from carousel.data.record import DataRecord
from carousel.errors import CarouselError, RunError, command
from carousel.kernels import active_isa
from carousel.recipes import read_toml
from carousel.training.checkpoint import replace_durably

FORMAT = 1
_LOCK_SECONDS = 0.5  # who asks whether a run goes on holds its lock for an instant


@dataclass(frozen=True)
class RunFolder:
    """An existing run folder, version-checked.

    config.toml    everything needed to repeat the run, seed and versions included
    data.json      what its data were: sizes and fingerprints of the parts (carousel.data.record)
    events.sqlite  every step, metric and event (see carousel.events)
    checkpoints/   resumable states (see carousel.training.checkpoint)
    model/         the best model as a bundle (see carousel.bundle)
    epochs/        bundles of earlier epochs, each in a folder named by its number, where asked for
    result.json    the outcome; there only when the run has ended well
    """

    path: Path
    config: Config
    seed: int
    threads: int
    device: str

    @classmethod
    def create(
        cls,
        path: Path,
        config: Config,
        *,
        seed: int,
        threads: int,
        device: str,
        data: DataRecord | None = None,
    ) -> RunFolder:
        """Make the folder, its data.json and its config.toml. Raises `RunError` if there is a run
        already."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise RunError(f"{path} is not empty: {_instead(path)}")
            facts = {
                "format": FORMAT,
                "seed": seed,
                "threads": threads,
                "device": device,
                "created": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
                "versions": _versions(),
            }
            if data is not None:
                replace_durably(path / RECORD, data.text().encode())
            text = tomli_w.dumps({"run": facts, **config.to_dict()})
            replace_durably(path / "config.toml", text.encode())
        except OSError as error:
            raise RunError(f"the run folder {path} cannot be made: {error.strerror}") from None
        return cls(path, config, seed, threads, device)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The run in a folder. Raises `RunError` if there is none, or one of a newer version."""
        if not (path / "config.toml").is_file():
            what = "has no config.toml" if path.is_dir() else "does not exist"
            what = "is a file" if path.is_file() else what
            raise RunError(f"{path} is not a run folder: it {what}")
        try:
            values = read_toml(path / "config.toml")
            run = values.pop("run", {})
            if int(run.get("format", 0)) > FORMAT:
                raise RunError(
                    f"{path} was written by a newer Carousel (run format {run['format']}, this "
                    f"version reads up to {FORMAT}): upgrade with pip install -U carousel-rnn"
                )
            seed, threads, device = int(run["seed"]), int(run["threads"]), str(run["device"])
            if seed < 0 or threads < 1:
                raise RunError(f"{path / 'config.toml'} says seed {seed}, threads {threads}")
            return cls(path, Config.from_dict(values), seed, threads, device)
        except RunError:
            raise
        except KeyError as error:
            raise RunError(
                f"{path} is not a run folder: its config.toml has no run.{error.args[0]}, as that "
                f"of a recipe"
            ) from None
        except (CarouselError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{path} is not a run folder that can be read: {error}") from None

    @property
    def events(self) -> Path:
        return self.path / "events.sqlite"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def finished(self) -> bool:
        return (self.path / "result.json").is_file()

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Put a JSON file in place, whole or not at all."""
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        replace_durably(self.path / name, text.encode())

    def remember(self, data: DataRecord) -> None:
        """Put what the data were in place, in the run and in its bundle."""
        for folder in (self.path, self.model):
            replace_durably(folder / RECORD, data.text().encode())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run alone. Raises `RunError` if another process has it.

        The operating system drops the lock with its process, however that ends.
        """
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
        except filelock.Timeout:
            raise RunError(
                f"another process is working on the run {self.path}: wait for it, or stop it"
            ) from None
        try:
            yield
        finally:
            lock.release()


def _instead(path: Path) -> str:
    """What to do where a folder that is not empty was named for a new run."""
    if not (path / "config.toml").is_file():
        return "it holds something else than a run; name a new folder"
    if (path / "result.json").is_file():
        return "it holds a run that is finished; name a new folder"
    return f"name a new folder, or continue the run in it with {command('train', '--resume', path)}"


def new_run_path(parent: Path, recipe: str) -> Path:
    """<parent>/<recipe>-<time>, with a number appended where that is taken."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    base = parent / f"{recipe}-{stamp}"
    path, count = base, 1
    while path.exists():
        count += 1
        path = base.with_name(f"{base.name}-{count}")
    return path


def _versions() -> dict[str, str]:
    return {
        "carousel": version("carousel-rnn"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "isa": active_isa(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
