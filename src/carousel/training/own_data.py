"""Data that a program hands over, trained in one call and in memory: guessed, told, fitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from carousel import recipes, scores
from carousel.config import Config
from carousel.config.own import TABLE
from carousel.config.short_names import by_full_name
from carousel.data import sets
from carousel.data.arrays import table_of_arrays
from carousel.data.audit import audit, seen_of
from carousel.data.counting import unit_of
from carousel.data.held import Tables, completed, said_of
from carousel.data.parts import Parts
from carousel.data.proposal import Proposal, has_columns, propose
from carousel.data.record import DataRecord
from carousel.data.table import Table, of_frame, read_table
from carousel.errors import ConfigError, DataError
from carousel.recipes import suited
from carousel.tasks.shared.task import TrainedModel
from carousel.training.display import make_display
from carousel.training.memory import fit as fit_in_memory


def fit(
    data: Any,
    y: Any = None,
    *,
    target: str = "",
    task: str = "",
    id: str = "",
    time: str = "",
    validation: Any = None,
    test: Any = None,
    seed: int = 0,
    threads: int | None = None,
    quiet: bool = False,
    **settings: Any,
) -> TrainedModel:
    """Train a network on data of your own; no file is written. Returns the trained model.

    Args:
        data: a data frame of pandas, polars or Arrow; the path of a file or folder; an array
            (N, T, F), or a list of arrays (T_i, F), with y.
        y: of arrays, what is to be learnt: a class or number of each sequence (N,), numbers (N, K),
            or one of each step, a list of (T_i,) or (N, T).
        target: of a table, the column that is to be learnt.
        task: such as "classify_recordings", "label_frames", "regress", "forecast", "classify_text"
            or "anomaly", where another one is meant than is guessed.
        id, time: of a table, the columns that tell sequences apart and that order their steps.
        validation, test: data of the same kind that choose the epoch, and that judge, in place of
            shares of `data`: a frame, a path, or of arrays a pair (X, y).
        seed: of weights, order and dropout.
        threads: CPU threads; torch's current number if None.
        quiet: print nothing.
        settings: `cell`, `hidden_size`, `num_layers`, `bidirectional`, `pooling`, `dropout`,
            `epochs`, `batch_size`, `learning_rate`, `patience`; any other as section__key
            (frames__noise=0.3), or by its full name (**{"frames.noise": 0.3}).

    Roles of columns, task, split and the rest of the settings are those of `carousel init`; what
    was guessed is printed, and kept in the model's `notices`. The network is that of
    `carousel train` on the same table. The test part stays closed until `evaluate()`. Raises
    `ConfigError`, `DataError`, and `TrainingDiverged`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 2)) for length in rng.integers(4, 9, 40)]
    >>> y = ["up" if x[:, 0].mean() > 0 else "down" for x in X]
    >>> model = fit(X, y, epochs=3, quiet=True)
    >>> model.config.task, model.predict(X)[0].label in ("up", "down")
    ('classify_recordings', True)
    >>> sorted(model.evaluate())[0]
    'accuracy'
    """
    changes = by_full_name(settings)
    if handed := sorted({"data.name", "data.path"} & {*changes}):
        raise ConfigError(f"{handed[0]} says where data are, and they are handed in: leave it out")
    roles = {"target": target, "id": id, "time": time}
    given = {"validation": validation, "test": test}
    given = {part: some for part, some in given.items() if some is not None}
    files = {part: str(one) for part, one in given.items() if isinstance(one, str | Path)}
    made, path = _proposal(data, y, roles, task, files)
    tables = {part: _table_of(one, data, task) for part, one in given.items() if part not in files}
    display = make_display(quiet)
    try:
        if made is None:
            named = {f"data.{part}": file for part, file in files.items()}
            config = _other(path, roles, task).override(named | changes).check_data()
            parts = _parts(config, held=tables)
            notices = [f"{path.name}: {config.task}, as data of its kind", *_read(parts)]
        else:
            config = _config_of(made, path, changes | _marked(tables))
            parts = _parts(config, made.table, held=tables)
            told = [*_told(made), *_read(parts)]
            told += [f"audit: {finding}" for finding in _findings(made, config)]
            notices = list(dict.fromkeys(told))
        for line in notices:
            display.say(line)
    finally:
        display.stop()
    fitted = fit_in_memory(config, parts, seed=seed, threads=threads, quiet=quiet)
    model = fitted.model
    model.seen = seen_of(made.table, config) if made is not None else None
    if config.data.path:
        model.record = DataRecord.of(config, fitted.parted)
    ended = f"{fitted.reason}; validation {scores.sentence(fitted.validation)}"
    model.notices = (*notices, ended)
    if not quiet:
        display.say(ended)
    return model


def _marked(tables: Tables) -> dict[str, str]:
    """Settings that say that a part is handed over, so that none is drawn for it."""
    return {f"data.{part}": table.source for part, table in tables.items()}


def _table_of(given: Any, data: Any, task: str) -> Table:
    """A part that is handed over as a table: a frame, or a pair (X, y) of arrays. Raises
    `ConfigError` for another kind than that of the training data."""
    pair = isinstance(given, tuple) and len(given) == 2
    if pair == _is_frame(data) or not (pair or _is_frame(given)):
        want = "a data frame or a path" if _is_frame(data) else "a path or a pair (X, y) of arrays"
        raise ConfigError(
            f"validation and test must be of the kind of the training data, {want}; got "
            f"{type(given).__name__}"
        )
    if not pair:
        return of_frame(given)
    X, y = given
    return table_of_arrays(X, y, task)[0]


def _proposal(
    data: Any, y: Any, roles: dict[str, str], task: str, files: dict[str, str]
) -> tuple[Proposal | None, Path]:
    """Guess of what the data are for, None of a file that is no table; and the file's path."""
    is_path = isinstance(data, str | Path)
    asked = (roles["target"], roles["id"], roles["time"], task)
    if y is not None and (is_path or _is_frame(data)):
        raise ConfigError("y goes with arrays: of a table, name its column, target = 'name'", "y")
    if is_path:
        path = Path(data).absolute()
        if not has_columns(path):
            return None, path
        return propose(path, *asked, files=files, table=read_table(path)), path
    if _is_frame(data):
        return propose("data frame", *asked, files=files, table=of_frame(data)), Path()
    if named := [name for name, value in roles.items() if value]:
        raise ConfigError(f"{named[0]} names a column, and arrays have none: give y", named[0])
    table, found = table_of_arrays(data, y, task)
    return propose("arrays", table=table, found=found), Path()


def _is_frame(data: Any) -> bool:
    return hasattr(data, "columns")


def _config_of(made: Proposal, path: Path, changes: dict[str, Any]) -> Config:
    """The configuration for a table, in a file or in memory, with the settings that are asked
    for."""
    config = made.config.override(changes)
    where = str(path) if path.name else ""
    return replace(config, data=replace(config.data, name=TABLE, path=where))


def _parts(config: Config, *table: Table, held: Tables | None = None) -> Any:
    parts = sets.find(config.task, config.data.name)(config, *table)
    if config.data.train_limit and isinstance(parts, Parts):
        parts.limit(config.data.train_limit)
    return completed(parts, config, held)


def _other(path: Path, roles: dict[str, str], task: str) -> Config:
    """The configuration for what is no table with named columns: the recipe for its kind."""
    if named := [name for name, value in roles.items() if value]:
        raise ConfigError(f"{path} has no named columns: {named[0]} means nothing to it", named[0])
    names = suited.suited(path)
    if task:
        names = tuple(name for name in names if name == f"own-{task.replace('_', '-')}")
    if not names or names[0] not in suited.READS:
        raise DataError(f"{path} is of a kind that nothing here reads{' for it' if task else ''}")
    return recipes.load(names[0])[0].override({"data.path": str(path)})


def _told(made: Proposal) -> Iterator[str]:
    """Lines on what was found and guessed: the table, its columns, the task and the split."""
    found, table = made.guess, made.table
    step = f", a step of {made.step}" if made.step else ""
    sequences = f"{found.sequences:,} {unit_of(found.sequences, 'sequences')}"
    yield f"{table.source}: {len(table):,} rows, {sequences}{step}"
    yield from table.notes
    for column in table.columns:
        role = found.roles[column.name]
        said = [f"{column.name}: {role.role} ({role.why})", column.note]
        if column.odd:
            said.append(f"{column.odd:,} cells do not fit ('{column.example}'): missing")
        if column.missing:
            said.append(f"{column.missing:,} missing")
        yield "; ".join(filter(None, said))
    yield f"task: {found.task} ({found.why})"
    yield f"split: {found.split_why}"


def _read(parts: Any) -> list[str]:
    """Lines on what was recognised, and left out, as the parts were made."""
    notes = getattr(parts, "notes", ())
    said = [note for note in notes.split("; ") if note] if isinstance(notes, str) else [*notes]
    return [*said, *said_of(parts)]


def _findings(made: Proposal, config: Config) -> Iterator[Any]:
    for finding in audit(made.table, config, known=made.guess.profiles):
        if finding.severity != "info":
            yield finding
