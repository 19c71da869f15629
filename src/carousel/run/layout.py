"""The folder of a run: what it is, where its parts are, and who may write to it.

config.toml    everything needed to repeat the run, seed and versions included
data.json      what its data were: sizes and fingerprints of the parts (carousel.data.record)
events.sqlite  every step, metric and event (see carousel.run.events and carousel.run.writing)
checkpoints/   resumable states (see carousel.training.checkpoint)
model/         the best model as a bundle (see carousel.bundle)
epochs/        bundles of earlier epochs, each in a folder named by its number, where asked for
pretraining/   checkpoints and events of the pre-training, where pretraining.epochs asks for one
members/       run folders of the networks whose average the model is, where training.seeds asks so
inspect/       looks inside the model at one example, a folder each (carousel inspect)
result.json    the outcome; there only when the run has ended well
evaluation.json, evaluation-<part>.json   what was measured of the model, and pictures beside it
report.html    all of it on one page, for people; README.md: the same as a model card
board.json     what a person has written about it
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import tomli_w

from carousel.config import Config
from carousel.errors import CarouselError, RunError, command
from carousel.recipes import read_toml
from carousel.run.durable import replace_durably
from carousel.run.names import MODEL as MODEL
from carousel.run.names import MODEL_FACTS as MODEL_FACTS

FORMAT = 1  # of the folder
EVENTS_FORMAT = 1  # of the event store

CONFIG = "config.toml"
DATA = "data.json"
EVENTS = "events.sqlite"
CHECKPOINTS = "checkpoints"
EPOCHS = "epochs"
MEMBERS = "members"
LOOKS = "inspect"
PRETRAINING = "pretraining"
LOOK = "inside.json"
RESULT = "result.json"
NOTES = "board.json"
REPORT = "report.html"
CARD = "README.md"
RANGE_PICTURE = "lr-range.png"
_LOCK = ".lock"
_LOCK_SECONDS = 0.5  # who asks whether a run goes on holds its lock for an instant


@dataclass(frozen=True)
class RunFolder:
    """An existing run folder, version-checked.

    trial: it is one of several that are chosen among, so that its test part stays closed.
    """

    path: Path
    config: Config
    seed: int
    threads: int
    device: str
    processes: int = 1
    launch: str = ""
    trial: bool = False

    @classmethod
    def create(
        cls,
        path: Path,
        config: Config,
        *,
        seed: int,
        threads: int,
        device: str,
        versions: Mapping[str, str],
        data: str | None = None,
        processes: int = 1,
        launch: str = "",
        trial: bool = False,
    ) -> RunFolder:
        """Make the folder, its data.json (`data`) and its config.toml.

        processes: how many train it together. launch: a name of what started them.

        Raises `RunError` if there is a run already.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise RunError(f"{path} is not empty: {_instead(path)}")
            facts: dict[str, Any] = {
                "format": FORMAT,
                "seed": seed,
                "threads": threads,
                "device": device,
                "created": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
                "versions": dict(versions),
            }
            if processes > 1:
                facts["processes"] = processes
            if launch:
                facts["launch"] = launch
            if trial:
                facts["trial"] = True
            if data is not None:
                replace_durably(path / DATA, data.encode())
            text = tomli_w.dumps({"run": facts, **config.to_dict()})
            replace_durably(path / CONFIG, text.encode())
        except OSError as error:
            raise RunError(f"the run folder {path} cannot be made: {error.strerror}") from None
        return cls(path, config, seed, threads, device, processes, launch, trial)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The run in a folder. Raises `RunError` if there is none, or one of a newer version."""
        if not (path / CONFIG).is_file():
            raise no_run(path)
        try:
            values = read_toml(path / CONFIG)
            if (newer := newer_format(values)) is not None:
                raise RunError(
                    f"{path} was written by a newer Carousel (run format {newer}, this "
                    f"version reads up to {FORMAT}): upgrade with pip install -U carousel-rnn"
                )
            run = values.pop("run", {})
            seed, threads, device = int(run["seed"]), int(run["threads"]), str(run["device"])
            if seed < 0 or threads < 1:
                raise RunError(f"{path / CONFIG} says seed {seed}, threads {threads}")
            processes, launch = int(run.get("processes", 1)), str(run.get("launch", ""))
            config, trial = Config.from_stored(values), bool(run.get("trial", False))
            return cls(path, config, seed, threads, device, processes, launch, trial)
        except RunError:
            raise
        except KeyError as error:
            raise RunError(
                f"{path} is not a run folder: its {CONFIG} has no run.{error.args[0]}, as that "
                f"of a recipe"
            ) from None
        except (CarouselError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{path} is not a run folder that can be read: {error}") from None

    @property
    def events(self) -> Path:
        return self.path / EVENTS

    @property
    def checkpoints(self) -> Path:
        return self.path / CHECKPOINTS

    @property
    def model(self) -> Path:
        return self.path / MODEL

    @property
    def finished(self) -> bool:
        return (self.path / RESULT).is_file()

    def read_result(self) -> dict[str, Any]:
        """Contents of result.json. Raises `RunError` if the run has none, or it is damaged."""
        try:
            found: dict[str, Any] = json.loads((self.path / RESULT).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / RESULT} cannot be read: {error}") from None
        return found

    def write_result(self, content: dict[str, Any]) -> None:
        """Put result.json in place, whole or not at all."""
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        replace_durably(self.path / RESULT, text.encode())

    def remember(self, data: str) -> None:
        """Put data.json in place, in the run and in its bundle."""
        for folder in (self.path, self.model):
            replace_durably(folder / DATA, data.encode())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run alone. Raises `RunError` if another process has it."""
        with holding(self.path, "run"):
            yield


@contextmanager
def holding(folder: Path, what: str) -> Iterator[None]:
    """Hold a folder alone; `what` says of what it is. Raises `RunError` if another process has it.

    The operating system drops the lock with its process, however that ends.
    """
    lock = filelock.FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=_LOCK_SECONDS)
    except filelock.Timeout:
        raise RunError(
            f"another process is working on the {what} {folder}: wait for it, or stop it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_held(run: Path) -> bool:
    """True if a process works on the run: its lock goes with the process, however that ends."""
    return is_locked(run / _LOCK)


def is_locked(file: Path) -> bool:
    """True if a process holds the lock of a file."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(handle)
    return False


def new_path(parent: Path, recipe: str) -> Path:
    """<parent>/<recipe>-<time>, with a number appended where that is taken."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    base = parent / f"{recipe}-{stamp}"
    path, count = base, 1
    while path.exists():
        count += 1
        path = base.with_name(f"{base.name}-{count}")
    return path


def is_run(path: Path) -> bool:
    """True if a folder is one of a run, be it damaged: those of bundles have no config.toml,
    recipes no folder of their own."""
    return (path / CONFIG).is_file() or (path / EVENTS).is_file()


def no_run(path: Path) -> RunError:
    """The error of a path that is none of a run."""
    what = f"has no {CONFIG}" if path.is_dir() else "does not exist"
    what = "is a file" if path.is_file() else what
    return RunError(f"{path} is not a run folder: it {what}")


def newer_format(config: Mapping[str, Any]) -> int | None:
    """The format that a config.toml states, where it is newer than this version knows; else None.

    >>> newer_format({"run": {"format": FORMAT}}), newer_format({"run": {"format": 99}})
    (None, 99)
    """
    stated = int(config.get("run", {}).get("format", 0))
    return stated if stated > FORMAT else None


def inside(run: Path, name: str) -> Path:
    """A file of the run that no link leads out of it. Raises `RunError`."""
    path = (run / name).resolve()
    if not path.is_file():
        raise RunError(f"the run has no {name}")
    if path.parent != run:
        raise RunError(f"{name} leads outside the run's folder, and is not read")
    return path


def events_of(run: Path) -> Path:
    """The event store of a run, whether it is there or not."""
    return run / EVENTS


def event_files(run: Path) -> list[Path]:
    """The files that grow while events are recorded: the store and its log."""
    return [run / EVENTS, run / f"{EVENTS}-wal"]


def epoch_of(run: Path, epoch: int) -> Path:
    """The bundle of an epoch that a run keeps."""
    return run / EPOCHS / str(epoch)


def kept_epochs(run: Path) -> list[int]:
    """The epochs whose weights the run has kept beside the final ones."""
    folder = run / EPOCHS
    if folder.is_symlink() or not folder.is_dir():
        return []
    whole = (path.parent for path in folder.glob(f"*/{MODEL_FACTS}"))
    return sorted(int(p.name) for p in whole if p.name.isdecimal() and not p.is_symlink())


def home(run_or_bundle: Path) -> tuple[Path, str]:
    """The folder that a model's looks and uses belong to, and a suffix for their names.

    Of an epoch that was kept it is the run's, and the suffix says the epoch.
    """
    folder = run_or_bundle.absolute()
    run = folder.parent.parent
    if folder.parent.name == EPOCHS and (run / CONFIG).is_file():
        return run, f"-epoch-{folder.name}"
    return run_or_bundle, ""


def suffix_of(part: str) -> str:
    """Suffix of the names of files about a part; empty for the test part.

    >>> suffix_of("test"), suffix_of("validation")
    ('', '-validation')
    """
    return "" if part == "test" else f"-{part}"


def evaluation_of(run_or_bundle: Path, part: str) -> Path:
    """File with what was measured of a model on a part of its data."""
    return run_or_bundle / f"evaluation{suffix_of(part)}.json"


def look_of(run: Path, name: str) -> Path:
    """The folder of a look inside the model that has this name."""
    return run / LOOKS / name


def looks(run: Path) -> list[str]:
    """The names of the looks inside the model that were taken, newest first."""
    folder = run / LOOKS
    if folder.is_symlink() or not folder.is_dir():
        return []
    found = [
        (path.stat().st_mtime, path.parent.name)
        for path in folder.glob(f"*/{LOOK}")
        if not path.is_symlink() and not path.parent.is_symlink()
    ]
    return [name for _, name in sorted(found, reverse=True)]


def _instead(path: Path) -> str:
    """Advice where a folder that is not empty was named for a new run."""
    if not (path / CONFIG).is_file():
        return "it holds something else than a run; name a new folder"
    if (path / RESULT).is_file():
        return "it holds a run that is finished; name a new folder"
    return f"name a new folder, or continue the run in it with {command('train', '--resume', path)}"
