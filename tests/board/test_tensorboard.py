"""The exported event file, read by its own format, has the numbers of the run."""

import math
import struct

import pytest
from made_runs import make_run

from carousel.errors import RunError
from carousel.run import reading
from carousel.run.writing import EventStore
from carousel.runs.store import Store

pytest.importorskip("tensorboardX", reason="the extra 'tensorboard' is not installed")


def scalars(path):
    """(tag, step, value, time) of a file of records: length, its checksum, data, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    data, place = path.read_bytes(), 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        event = Event.FromString(data[place + 12 : place + 12 + length])
        for value in event.summary.value:
            yield value.tag, event.step, value.simple_value, event.wall_time
        place += length + 16


def test_every_finite_number_is_exported_at_a_time_that_runs_on(tmp_path):
    from carousel.board.tensorboard import export

    run = make_run(tmp_path / "run")
    with EventStore(run / "events.sqlite") as store:
        store.record(61, {"train/loss": math.nan, "gradient_norm": math.inf, "learning_rate": 0.5})
    count = export(Store(run).run("."), tmp_path / "out")
    (file,) = (tmp_path / "out").iterdir()
    found = list(scalars(file))
    wanted = {
        (name, step): value
        for name in ("train/loss", "gradient_norm", "learning_rate", "epoch/validation_accuracy")
        for step, value in reading.series(run / "events.sqlite", name)
        if value is not None and math.isfinite(value)
    }
    got = {(tag, step): value for tag, step, value, _ in found}
    assert count == len(found) == len(got)
    assert {key: got[key] for key in wanted} == pytest.approx(wanted, rel=1e-6)
    assert {tag for tag, *_ in found} >= {"epoch/train_loss", "epoch/validation_loss"}
    times = [when for tag, _, _, when in found if tag == "learning_rate"]
    assert times == sorted(times)
    with pytest.raises(RunError, match="--out"):
        export(Store(run).run("."), tmp_path / "out")
