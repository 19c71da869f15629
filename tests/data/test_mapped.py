"""Sequences on the disk are those in memory: parts, batches, weights, and order."""

import errno

import numpy as np
import polars
import pytest
import torch

from carousel.config import Config
from carousel.data import mapped
from carousel.data.mapped import MappedRagged, changed, on_disk, room_for
from carousel.data.order import Pools, generator_of
from carousel.data.ragged import Buckets, Ragged
from carousel.data.record import DataRecord
from carousel.data.store.importing import import_files
from carousel.data.store.opened import MappedTable
from carousel.data.table import read_table
from carousel.errors import DataError
from carousel.tasks import find
from carousel.training import Interrupted, resume, train
from carousel.training.loop import Trainer


def table(path, units=24, seed=0):
    """Sequences of unequal length with a class and a number at each step, holes and gaps."""
    generator = np.random.default_rng(seed)
    rows = []
    for unit in range(units):
        kind = unit % 3
        level = 0.0
        for step in range(int(generator.integers(5, 30))):
            if step and generator.random() < 0.05:
                continue
            x = float(generator.normal() + kind)
            level = 0.5 * level + x
            rows.append(
                {
                    "unit": f"u{unit}",
                    "t": step,
                    "x": None if generator.random() < 0.1 else x,
                    "y": float(generator.normal()),
                    "mode": f"m{int(generator.integers(0, 3))}",
                    "city": f"c{int(generator.integers(0, 12))}",
                    "state": "abc"[kind],
                    "size": None if unit % 7 == 5 else 1.5 * unit,
                    "weight": (unit * 7) % 5 if step % 3 else None,
                    "now": "up" if x > 1 else "down",
                    "level": level,
                }
            )
    polars.DataFrame(rows).write_csv(path)
    return path


TASKS = {
    "classify_recordings": {"target": "state", "ignore": "now, level, size, weight"},
    "label_frames": {"target": "now", "ignore": "state, level, size, weight"},
    "regress": {"target": "level", "ignore": "state, now, size, weight"},
    "regress whole": {"target": "size, weight", "ignore": "state, now, level"},
}


def config_of(task, path, **more):
    columns = {"id": "unit", "time": "t", "category": "mode, city", **TASKS[task]}
    values = {f"columns.{name}": value for name, value in columns.items()}
    return Config(task=task.split()[0]).override(
        {
            "data.path": str(path),
            **values,
            "model.hidden_size": 8,
            "training.batch_size": 4,
            "training.epochs": 1,
            **more,
        }
    )


@pytest.fixture
def both(tmp_path):
    """The same table as a file and imported."""
    path = table(tmp_path / "table.csv")
    import_files([path], tmp_path / "kept")
    return path, tmp_path / "kept"


@pytest.mark.parametrize("task", TASKS)
def test_parts_of_an_imported_table_are_those_of_the_file(both, monkeypatch, task):
    monkeypatch.setattr("carousel.data.files.mapped_steps._ROWS", 40)
    records = []
    for path in both:
        config = config_of(task, path)
        data = find(config.task)(config, 0).parted
        assert isinstance(data.train.values, MappedRagged) == path.is_dir()
        assert data.filled > 0
        records.append((DataRecord.of(config, data).parts, data.filled, data.columns))
    assert records[0] == records[1]


@pytest.mark.parametrize(
    ("task", "more"),
    [
        ("classify_recordings", {"frames.differences": True}),
        ("classify_recordings", {"data.shuffle": "blocks"}),
        ("label_frames", {}),
        ("regress", {"data.shuffle": "blocks", "frames.window": 7}),
        pytest.param("regress whole", {"frames.noise": 0.1}, marks=pytest.mark.slow),
        ("regress whole", {"data.shuffle": "blocks"}),
    ],
)
def test_training_from_the_disk_gives_the_weights_of_training_from_memory(
    both, tmp_path, monkeypatch, task, more
):
    monkeypatch.setattr(mapped, "_ROWS", 40)
    monkeypatch.setattr(mapped, "BLOCK", 600)
    monkeypatch.setattr("carousel.data.order.TOGETHER", 2)
    results = []
    for number, path in enumerate(both):
        config = config_of(task, path, **more)
        run = train(config, seed=3, threads=1, run_dir=tmp_path / f"run{number}", quiet=True)
        results.append((weights(run), run.result["test"]))
    assert results[0] == results[1]


def weights(run):
    """The bytes of a run's weights."""
    return (run.path / "model" / "weights.safetensors").read_bytes()


def test_a_run_notes_the_order_that_it_chose(both, tmp_path, monkeypatch):
    monkeypatch.setattr("carousel.data.mapped.memory", lambda: 0)
    config = config_of("classify_recordings", both[1])
    train(config, threads=1, run_dir=tmp_path / "run", quiet=True)
    assert 'shuffle = "blocks"' in (tmp_path / "run" / "config.toml").read_text()


def test_blocks_and_changes_are_those_of_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "_ROWS", 10)
    torch.manual_seed(0)
    sequences = Ragged.of(torch.randn(n, 3) for n in (4, 0, 25, 1, 9, 0))
    disk = MappedRagged(
        on_disk([sequences.values.numpy()], 3, tmp_path), sequences.offsets, tmp_path
    )
    assert sum(len(block) for block in disk.blocks()) == 6
    double = changed(disk, lambda some: 2 * some.values)
    assert isinstance(double, MappedRagged)
    assert torch.equal(double.values, 2 * sequences.values)
    for one, other in zip(
        disk.pad(torch.tensor([2, 0])), sequences.pad(torch.tensor([2, 0])), strict=True
    ):
        assert torch.equal(one, other)
    disk.expect(0, 3)
    assert not [*tmp_path.iterdir()]  # the file has no name


def test_no_room_is_said(tmp_path):
    with pytest.raises(DataError, match="must take what training reads"):
        on_disk([np.zeros((3, 2))], 2, tmp_path / "nowhere")


def test_pools_hold_everything_once_and_read_whole_blocks():
    read = []
    pools = Pools(103, 10, 3, lambda first, last: read.append((first, last)))
    order = [*pools.order(generator_of(1, 2))]
    assert sorted(torch.cat(order).tolist()) == [*range(103)]
    assert sorted(read) == [(i, min(103, i + 10)) for i in range(0, 103, 10)]
    assert [len({n // 10 for n in pool.tolist()}) for pool in order] == [3, 3, 3, 2]
    again = [*pools.order(generator_of(1, 2))]
    assert all(torch.equal(a, b) for a, b in zip(order, again, strict=True))
    other = [*pools.order(generator_of(1, 3))]
    assert not torch.equal(torch.cat(other), torch.cat(order))


@pytest.mark.parametrize("start", [0, 1, 7, 12])
def test_batches_of_pools_go_on_anywhere(start):
    lengths = torch.arange(50) % 7 + 1
    buckets = Buckets(lengths, 4, 0, span=3, pools=Pools(50, 8, 2))
    whole = [*buckets.epoch(5)]
    assert len(whole) == len(buckets) == 13
    rest = [*buckets.epoch(5, start)]
    assert all(torch.equal(a, b) for a, b in zip(whole[start:], rest, strict=True))


def test_an_interrupted_run_from_the_disk_is_resumed_bit_for_bit(both, tmp_path, monkeypatch):
    monkeypatch.setattr("carousel.data.mapped.memory", lambda: 0)
    monkeypatch.setattr(mapped, "BLOCK", 600)
    config = config_of("classify_recordings", both[1], **{"training.epochs": 2})
    whole = train(config, threads=1, run_dir=tmp_path / "whole", quiet=True)
    steps = Trainer._step

    def stopped(self, batch):
        self._stop.made = self.progress.step == 4
        return steps(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", stopped)
        with pytest.raises(Interrupted):
            train(config, threads=1, run_dir=tmp_path / "cut", quiet=True)
    monkeypatch.setattr("carousel.data.mapped.memory", lambda: 1 << 40)
    again = resume(tmp_path / "cut", quiet=True)
    assert weights(again) == weights(whole)


def test_a_table_too_large_for_memory_is_imported_by_itself_once(tmp_path, monkeypatch, caplog):
    path = table(tmp_path / "table.csv")
    wanted = read_table(path)
    monkeypatch.setattr("carousel.data.store.by_itself.memory", lambda: path.stat().st_size)
    monkeypatch.setattr("carousel.data.store.by_itself.cache", lambda: tmp_path / "cache")
    caplog.set_level("INFO", "carousel")
    found = read_table(path)
    assert isinstance(found, MappedTable)
    assert found["city"].texts() == wanted["city"].texts()
    assert "too much for half of the memory" in caplog.text
    before = (tmp_path / "cache" / "imported").glob("*/store.json")
    stamps = [file.stat().st_mtime_ns for file in before]
    read_table(path)
    after = (tmp_path / "cache" / "imported").glob("*/store.json")
    assert [file.stat().st_mtime_ns for file in after] == stamps
    with path.open("a") as file:
        file.write(path.read_text().splitlines()[-1] + "\n")
    assert len(read_table(path)) == len(wanted) + 1


@pytest.mark.parametrize(
    ("task", "columns"),
    [
        ("forecast", {"target": "x", "time": "t"}),
        ("anomaly", {"time": "t"}),
        ("translate", {"target": "state", "text": "city"}),
        ("label_words", {"target": "now", "text": "city", "id": "unit"}),
    ],
)
def test_a_table_that_must_be_in_memory_and_does_not_fit_is_refused(
    tmp_path, monkeypatch, task, columns
):
    few = [f"u{n},{s},{n},{s},c{n},{'ab'[n % 2]},up\n" for n in range(12) for s in range(4)]
    (tmp_path / "t.csv").write_text("unit,t,x,y,city,state,now\n" + "".join(few))
    import_files([tmp_path / "t.csv"], tmp_path / "kept")
    config = Config(task=task).override(
        {"data.path": str(tmp_path / "kept"), **{f"columns.{k}": v for k, v in columns.items()}}
    )
    monkeypatch.setattr("carousel.data.store.opened.memory", lambda: 100)
    with pytest.raises(DataError, match=r"into\s+memory, about .*from the disk it is read by"):
        find(task)(config, 0)


def test_a_model_answers_an_imported_table_as_its_file_and_judges_neither_if_trained_on_one(
    both, tmp_path, carousel
):
    path, kept = both
    run = tmp_path / "run"
    train(config_of("label_frames", kept), seed=3, threads=1, run_dir=run, quiet=True)
    for source, out in ((path, "file.csv"), (kept, "kept.csv")):
        code, _, err = carousel("predict", run, source, "--out", out)
        assert code == 0, err
    assert (tmp_path / "file.csv").read_text() == (tmp_path / "kept.csv").read_text()
    code, _, err = carousel("predict", run, kept, "--out", "answers/")
    assert code == 2
    assert "an imported table, and no folder of files" in err
    for source in (path, kept):
        code, _, err = carousel("evaluate", run, source)
        assert code == 2
        assert "is what the model was trained on" in err


def test_a_number_of_a_whole_sequence_that_changes_in_it_is_refused_from_the_disk_too(both):
    for path in both:
        config = config_of("regress whole", path, **{"regress.per": "sequence"})
        config = config.override({"columns.target": "level", "columns.ignore": "state, now, size"})
        with pytest.raises(DataError, match="'level' must keep one value through a sequence; 'u0'"):
            find("regress")(config, 0)


def wide(path, rows=40, seed=1):
    """A row for each sequence: two features at each step, holes, ends of unequal length, and what
    keeps one value through a sequence."""
    generator = np.random.default_rng(seed)
    found = []
    for row in range(rows):
        length = 0 if row % 11 == 4 else int(generator.integers(2, 7))
        cells = {f"x_{t}": float(generator.normal() + row % 2) for t in range(1, 7)}
        cells |= {f"y_{t}": int(generator.integers(-3, 3)) for t in range(1, 7)}
        for t in range(1, 7):
            if t > length or (t < length and generator.random() < 0.2):
                cells[f"x_{t}"] = None
            if t > length:
                cells[f"y_{t}"] = None
        if row == 3:
            cells |= {f"x_{t}": None for t in range(1, 7)}
        found.append(
            {
                "who": f"p{row % 37}",
                **cells,
                "age": None if row % 5 == 3 else 20 + row,
                "city": f"c{row % 13}",
                "mode": f"m{row % 3}",
                "state": None if row == 7 else "ab"[row % 2],
                "size": row * 0.5,
            }
        )
    polars.DataFrame(found, infer_schema_length=None).write_csv(path)
    return path


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("task", "columns"),
    [
        ("classify_recordings", {"target": "state", "ignore": "size"}),
        ("classify_recordings", {"target": "state", "ignore": "size, age, city, mode"}),
        ("classify_recordings", {"target": "state", "ignore": "size", "embed": False}),
        ("regress", {"target": "size", "ignore": "state"}),
    ],
)
def test_rows_of_an_imported_wide_table_are_those_of_the_file(
    tmp_path, monkeypatch, task, columns, full
):
    path = wide(tmp_path / "wide.csv")
    if full:
        frame = polars.read_csv(path).filter(polars.col("y_1").is_not_null())
        frame.write_csv(path)
    monkeypatch.setattr("carousel.data.files.mapped_wide._BYTES", 5 * 8 * 12)
    monkeypatch.setattr("carousel.data.files.mapped_wide._AT_ONCE", 7)
    import_files([path], tmp_path / "kept")
    roles = {"id": "who", "wide": "x_1..x_6, y_1..y_6", "category": "city, mode", **columns}
    roles["category"] = ", ".join(
        name for name in ("city", "mode") if name not in str(columns["ignore"])
    )
    found = []
    for place in (path, tmp_path / "kept"):
        config = Config(task=task).override(
            {"data.path": str(place), **{f"columns.{k}": v for k, v in roles.items()}}
        )
        data = find(task)(config, 0).parted
        assert isinstance(data.train.values, MappedRagged) == place.is_dir()
        found.append(
            (DataRecord.of(config, data).parts, data.account(), data.columns, data.train.names)
        )
    assert found[0] == found[1]


def test_a_wide_table_whose_frequent_levels_are_counted_by_steps_is_read_into_memory(
    tmp_path, monkeypatch
):
    path = wide(tmp_path / "wide.csv", rows=90)
    frame = polars.read_csv(path).with_columns(city=polars.Series([f"c{i}" for i in range(90)]))
    frame.write_csv(path)
    import_files([path], tmp_path / "kept")
    config = Config(task="classify_recordings").override(
        {
            "data.path": str(tmp_path / "kept"),
            "columns.wide": "x_1..x_6, y_1..y_6",
            "columns.category": "city, mode",
            "columns.embed": False,
            "columns.target": "state",
            "columns.ignore": "size, who",
        }
    )
    data = find("classify_recordings")(config, 0).parted
    assert not isinstance(data.train.values, MappedRagged)
    monkeypatch.setattr("carousel.data.store.opened.memory", lambda: 100)
    with pytest.raises(DataError, match="such a wide table reads it into memory"):
        find("classify_recordings")(config, 0)


def test_room_that_there_is_not_is_said_before_anything_is_written(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="must take what training reads"):
        room_for(3, 2, tmp_path / "nowhere")

    def full(file, start, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.posix_fallocate", full)
        with pytest.raises(DataError, match="No space left on device"):
            room_for(3, 2, tmp_path)
    assert room_for(0, 2, tmp_path).shape == (0, 2)
    room = room_for(5, 2, tmp_path)
    room[:] = 1.5
    assert room.sum() == 15
    assert not [*tmp_path.iterdir()]
