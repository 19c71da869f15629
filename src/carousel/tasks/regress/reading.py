"""Recordings as the trained networks of both kinds of regression read them."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from carousel.data.files.recordings import Frames, read_frames
from carousel.data.files.text import read_text
from carousel.data.ragged import Ragged
from carousel.data.scaling import FeatureScaler
from carousel.tasks.shared.own_recording import Columns, Recordings, values_of
from carousel.tasks.shared.own_table import inputs_of
from carousel.tasks.shared.prepared import prepared
from carousel.tasks.shared.task import TrainedModel


class ReadsRecordings(TrainedModel):
    """A trained model with the scaler of its inputs and the names of their columns."""

    scaler: FeatureScaler
    columns: Columns

    @property
    def _width(self) -> int:
        return len(self.scaler.mean) // (2 if self.config.frames.differences else 1)

    def _values(self, inputs: Recordings) -> list[Tensor]:
        given = inputs_of(inputs, self.config, self.columns)
        return [values_of(one, self.columns, self._width, read_file) for one in given]

    def _scaled(self, values: Ragged) -> Ragged:
        return prepared(values, self.scaler, self.config.frames, self.columns)


def read_file(path: Path) -> Frames:
    """The recording in a file. A target that stands in it too is not read, whatever it is."""
    return read_frames(read_text(path), str(path))
