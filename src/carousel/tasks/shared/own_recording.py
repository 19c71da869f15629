"""A recording that somebody hands to a trained model, in the form of those in training."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.data.coded import codes_in, recoded
from carousel.data.files.recordings import Frames, differences, in_order, listed
from carousel.data.files.text import suffix_of
from carousel.data.ragged import Ragged
from carousel.errors import DataError
from carousel.tasks.shared.task import Given, Notice

Columns = tuple[str, ...]


@runtime_checkable
class DataFrame(Protocol):
    """Protocol of a table of pandas or polars, as far as it is read: its columns by name."""

    @property
    def columns(self) -> Any: ...

    def to_numpy(self) -> Any: ...


Recording = NDArray[np.floating[Any]] | Tensor | str | Path | DataFrame
Recordings = Sequence[Recording] | Recording


def as_list(recordings: Recordings) -> list[Recording]:
    """Recordings that a program hands over; a single one, (T, F) or a name, is a list of one."""
    if isinstance(recordings, str | Path | DataFrame):
        return [recordings]
    if isinstance(recordings, np.ndarray | Tensor) and recordings.ndim == 2:
        return [recordings]
    return list(recordings)


def files_of(source: Path, kinds: Sequence[str]) -> list[Path]:
    """A file, or those of a folder that end so. Raises `DataError` if it has none."""
    if not source.is_dir():
        return [source]
    files = [file for file in sorted(source.iterdir()) if suffix_of(file) in kinds]
    if not files:
        raise DataError(f"{source} has no file of the kind {', '.join(kinds)}")
    return files


def recording_given(
    file: Path, read: Callable[[Path], Frames], wanted: Columns, step: str = "step"
) -> Given:
    """The one recording in a file, without a name in its answer (see `recordings_given`)."""
    given = recordings_given([file], read, wanted)
    return replace(given, facts=(), alone=True, step=step)


def recordings_given(
    files: Sequence[Path], read: Callable[[Path], Frames], wanted: Columns
) -> Given:
    """The recordings in files, with the columns that a model was trained on (see `fitted`)."""
    found = [fitted(read(file), wanted, str(file)) for file in files]
    notes = dict.fromkeys(line for _, said in found for line in said)
    return Given(
        [frames.values for frames, _ in found],
        tuple({"recording": str(file)} for file in files),
        tuple(file.name for file in files),
        tuple(map(Notice, notes)),
        tuple(frames.filled for frames, _ in found),
        "recording",
    )


def fitted(frames: Frames, wanted: Columns, source: str) -> tuple[Frames, list[str]]:
    """The columns that a model was trained on, in their order, and what there is to say of it.

    wanted: their names; of a model that knows none, columns are taken by place. Raises `DataError`
    if one is missing.
    """
    said = [f"{source}: {note}" for note in frames.notes]
    if not wanted or not frames.columns:
        return frames, [*said, *([_BY_PLACE] if frames.columns else [])]
    missing, new = differences(frames.columns, wanted)
    if missing:
        raise DataError(
            f"{source} has no {listed(missing)}, which the model was trained on; it has "
            f"the {listed(frames.columns)}"
        )
    if new:
        said.append(f"{source}: not read: the {listed(new)}, which training did not have")
    return in_order(frames, wanted), said


_BY_PLACE = "the model knows no names of columns: they are taken by their places"


def values_of(
    recording: Recording,
    wanted: Columns,
    width: int,
    read: Callable[[Path], Frames],
    unit: str = "steps",
) -> Tensor:
    """The values (T, width) of a recording in Python: an array, a data frame, or a file for `read`.

    Names of columns are matched where there are any, and what is not read is warned of. Raises
    `DataError` for one that does not fit or holds a NaN.
    """
    if isinstance(recording, str | Path):
        found = read(Path(recording))._replace(notes=())
        frames, said = fitted(found, wanted, str(recording))
    elif isinstance(recording, DataFrame):
        names = tuple(map(str, recording.columns))
        values = np.array(recording.to_numpy())  # a copy: torch refuses what is read-only
        frames, said = fitted(Frames(values, [], columns=names), wanted, "the data frame")
    else:
        return checked(recording, width, unit)
    for line in said:
        warnings.warn(line, UserWarning, stacklevel=4)
    return checked(frames.values, width, unit)


def checked(values: NDArray[Any] | Tensor, width: int, unit: str = "steps") -> Tensor:
    """The values as a tensor. Raises `DataError` unless they are (T, width), finite, and T > 0."""
    try:
        x = torch.as_tensor(values, dtype=torch.float64)
    except (TypeError, ValueError):
        what = getattr(values, "dtype", None) or f"a {type(values).__name__}"
        raise DataError(f"a recording must hold numbers, this one has {what}") from None
    if x.dim() != 2 or x.size(1) != width or not len(x):
        raise DataError(
            f"a recording must have the shape ({unit}, {width}), as in training; this one has "
            f"{tuple(x.shape)}"
        )
    if not torch.isfinite(x).all():
        raise DataError("a recording must hold finite numbers: this one has a NaN or infinity")
    return x


def by_name(values: Ragged, columns: Columns, wanted: Columns, width: int = 0) -> Ragged:
    """Recordings with their columns in the order that a model was trained on.

    width: how many there must be, where their names do not tell. Raises `DataError` if one is
    missing.
    """
    if not wanted or columns == wanted:
        if width and values.values.size(1) != width:
            raise DataError(
                f"the recordings have {values.values.size(1)} columns, the model reads {width}"
            )
        return _recoded(values, columns, wanted)
    missing, _ = differences(columns, wanted)
    if missing:
        raise DataError(
            f"the recordings have no {listed(missing)} any more, which the model was trained on"
        )
    places = [columns.index(name) for name in wanted]
    taken = Ragged(values.values[:, places], values.offsets)
    return _recoded(taken, [columns[place] for place in places], wanted)


def _recoded(values: Ragged, columns: Sequence[str], wanted: Columns) -> Ragged:
    """The values with the model's codes of levels; themselves, where there are none."""
    if not codes_in(wanted):
        return values
    changed = recoded(values.values.numpy(), columns, wanted)
    return Ragged(torch.from_numpy(changed), values.offsets)
