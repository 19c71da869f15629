"""Imported tables: the columns of a table in memory, whole or not there, grown by what is new."""

import gzip
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager

import filelock
import numpy as np
import polars
import pytest

from carousel.data.said import knows
from carousel.data.store import Store
from carousel.data.store import blocks as store_blocks
from carousel.data.store.by_itself import imported
from carousel.data.store.importing import import_files
from carousel.data.table import read_table
from carousel.errors import DataError


def frame(rows=500, seed=0):
    """A table of every kind of column, with holes, awkward numbers and awkward words."""
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=rows) * 10.0 ** generator.integers(-9, 9, rows)
    words = np.array(["low", "mid", "high, or so", "ü"])[generator.integers(0, 4, rows)]
    holes = [None if i % 17 == 3 else float(x) for i, x in enumerate(numbers)]
    stamps = np.datetime64("2024-01-01T00:00:00") + 60 * np.arange(rows)
    return polars.DataFrame(
        {
            "unit": [f"u{i // 50}" for i in range(rows)],
            "time": np.datetime_as_string(stamps),
            "x": numbers,
            "count": generator.integers(-5, 5, rows),
            "holes": holes,
            "ok": np.where(generator.integers(0, 2, rows), "yes", "no"),
            "word": words,
            "nothing": [None] * rows,
        }
    )


def assert_same(found, wanted):
    """Two tables have the same columns, kinds and cells."""
    assert found.names == wanted.names
    assert len(found) == len(wanted)
    for name in wanted.names:
        one, other = found[name], wanted[name]
        facts = (one.kind, one.missing, one.odd, one.example)
        assert facts == (other.kind, other.missing, other.odd, other.example), name
        assert one.texts() == other.texts() or one.is_number, name
        if one.is_number or one.kind == "empty":
            np.testing.assert_array_equal(one.numbers(), other.numbers())
        if other.stamps is not None:
            assert one.stamps.dtype == other.stamps.dtype
            np.testing.assert_array_equal(one.stamps, other.stamps)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few rows, so that a small table has many."""
    monkeypatch.setattr(store_blocks, "SIZE", 1500)
    monkeypatch.setattr(store_blocks, "_ROWS", 37)


WRITERS = {
    "table.csv": lambda f, p: f.write_csv(p),
    "table.csv.gz": lambda f, p: p.write_bytes(gzip.compress(f.write_csv().encode())),
    "table.tsv": lambda f, p: f.write_csv(p, separator="\t"),
    "table.parquet": lambda f, p: f.write_parquet(p),
    "table.ndjson": lambda f, p: f.write_ndjson(p),
    "table.arrow": lambda f, p: f.write_ipc(p),
}


@pytest.mark.parametrize("name", WRITERS)
def test_imported_columns_are_those_of_the_file_in_memory(tmp_path, small_blocks, name):
    path = tmp_path / name
    WRITERS[name](frame(), path)
    done = import_files([path], tmp_path / "kept")
    assert done.added == 500
    assert_same(read_table(tmp_path / "kept"), read_table(path))


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,007\n2,123\n",
        "a,b\n1,x\n2,7\n",
        "a;b\n1,5;2\n2,25;3\n",
        "a,b\n1,NA\n2,3\n,4\n",
        "a,b\r\n1,2\r\n\r\n3,4\r\n",
        'a,b\n1,"two, ""three"""\n2,"x\ny"\n',
        'a,b\npipe 12" x,5" y\nsay "hi" now,6"\n7",8\n"He said ""no, 5""""",9\n',
        'a,b\n12",5\n13,"x\n""y\nz"\n7",8\n9,10\n',
        "a,b\n1e400,2\n3,4\n",
        "a,b\n0.1,1\n0.30000000000000004,2\n5e-324,3\n",
    ],
    ids=[
        "codes",
        "words",
        "commas",
        "missing",
        "breaks",
        "quotes",
        "inches",
        "inches beside quotes",
        "infinite",
        "digits",
    ],
)
def test_odd_cells_are_read_as_in_memory_wherever_blocks_end(tmp_path, monkeypatch, text):
    monkeypatch.setattr(store_blocks, "SIZE", 8)
    path = tmp_path / "odd.csv"
    path.write_bytes(text.encode())
    import_files([path], tmp_path / "kept")
    found, wanted = read_table(tmp_path / "kept"), read_table(path)
    assert sorted(found.notes) == sorted(wanted.notes)
    for name in wanted.names:
        assert found[name].kind == wanted[name].kind, name
        if wanted[name].is_number:
            np.testing.assert_array_equal(found[name].numbers(), wanted[name].numbers())
        else:
            assert found[name].texts() == wanted[name].texts()


def test_a_column_that_turns_into_words_is_read_again_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(store_blocks, "SIZE", 40)
    path = tmp_path / "late.csv"
    path.write_text("a,b\n" + "".join(f"{i},{i}\n" for i in range(50)) + "50,many\n")
    done = import_files([path], tmp_path / "kept")
    assert any("'b' is kept as texts" in line for line in done.said)
    assert read_table(tmp_path / "kept")["b"].texts()[-2:] == ["49", "many"]


def test_statistics_are_those_of_all_rows(tmp_path, small_blocks):
    path = tmp_path / "t.csv"
    frame().write_csv(path)
    known = import_files([path], tmp_path / "kept").store.by_name
    values = frame()["x"].to_numpy()
    assert known["x"].mean == pytest.approx(values.mean(), rel=1e-9)
    assert known["x"].deviation == pytest.approx(values.std(), rel=1e-9)
    assert (known["x"].low, known["x"].high) == (values.min(), values.max())
    assert known["holes"].missing == frame()["holes"].null_count()
    assert known["word"].distinct == 4


def test_appended_rows_and_new_files_are_added_and_nothing_is_read_twice(tmp_path, small_blocks):
    first, second, kept = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "kept"
    whole = frame(600)
    whole[:300].write_csv(first)
    import_files([first], kept)
    assert import_files([first], kept).added == 0
    with first.open("ab") as file:
        whole[300:400].write_csv(file, include_header=False)
    whole[400:].write_csv(second)
    assert import_files([first, second], kept).added == 300
    whole.write_csv(tmp_path / "whole.csv")
    assert_same(read_table(kept), read_table(tmp_path / "whole.csv"))
    assert len(Store.open(kept).verify()) == 10  # seven columns with cells, and levels of three


def test_a_file_that_was_changed_is_read_again_and_said(tmp_path):
    path, kept = tmp_path / "t.csv", tmp_path / "kept"
    path.write_text("a,b\n1,2\n3,4\n")
    import_files([path], kept)
    path.write_text("a,b\n1,2\n9,4\n5,6\n")
    done = import_files([path], kept)
    assert "changed, not appended" in done.said[0]
    assert read_table(kept)["a"].numbers().tolist() == [1, 9, 5]


def test_a_last_row_that_goes_on_is_a_change(tmp_path):
    path, kept = tmp_path / "t.csv", tmp_path / "kept"
    path.write_text("a,b\n1,2\n3,4")
    import_files([path], kept)
    path.write_text("a,b\n1,2\n3,45\n")
    import_files([path], kept)
    assert read_table(kept)["b"].numbers().tolist() == [2, 45]


def test_damage_is_found(tmp_path):
    path, kept = tmp_path / "t.csv", tmp_path / "kept"
    frame().write_csv(path)
    store = import_files([path], kept).store
    file = kept / store.by_name["x"].file
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(DataError, match="is not what was imported"):
        Store.open(kept).verify()
    file.write_bytes(bytes(content[:-8]))
    with pytest.raises(DataError, match=r"3,992 bytes of 4,000"):
        Store.open(kept)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1,2\n3\n", "line 3 has 1 cells, the header 2"),
        ("a,b\n", "no row"),
        ("a,a\n1,2\n", "more than one column"),
    ],
)
def test_what_is_no_table_is_refused_and_leaves_nothing(tmp_path, text, why):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=why):
        import_files([path], tmp_path / "kept")
    assert [p.name for p in tmp_path.iterdir() if "kept" in p.name] == [".kept.lock"]


def test_files_of_other_columns_are_refused_and_the_table_stays(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "b.csv").write_text("a,c\n1,2\n")
    import_files([tmp_path / "a.csv"], tmp_path / "kept")
    with pytest.raises(DataError, match="has no column 'b'"):
        import_files([tmp_path / "b.csv"], tmp_path / "kept")
    assert len(read_table(tmp_path / "kept")) == 2


def test_a_folder_of_something_else_is_never_written_into(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match="no imported table"):
        import_files([tmp_path / "t.csv"], tmp_path / "mine")


KILLED = """
import sys
from carousel.data.store import blocks, importing
blocks.SIZE = 2000
importing.import_files([sys.argv[1]], sys.argv[2], (), lambda done, rows: print(rows, flush=True))
"""


@pytest.mark.parametrize("grown", [False, True])
def test_an_import_that_is_killed_is_never_taken_for_whole(tmp_path, grown):
    path, kept = tmp_path / "t.csv", tmp_path / "kept"
    frame(400).write_csv(path)
    if grown:
        import_files([path], kept)
        with path.open("ab") as file:
            frame(20_000, 1).write_csv(file, include_header=False)
    else:
        frame(20_000).write_csv(path)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), str(kept)], stdout=subprocess.PIPE
    )
    for _ in range(5):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    if grown:
        assert len(read_table(kept)) == 400
        Store.open(kept).verify()
    else:
        assert not kept.exists()
    import_files([path], kept)
    assert_same(read_table(kept), read_table(path))
    assert not [*tmp_path.glob(".kept.*.importing")]


@contextmanager
def full_disk(most):
    """Nothing is written beyond so many bytes of a file, as where the disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("grown", [False, True])
@pytest.mark.parametrize("most", [500, 10_000, 31_000])
def test_an_import_that_fills_the_disk_is_never_taken_for_whole(
    tmp_path, small_blocks, grown, most
):
    path, kept = tmp_path / "t.csv", tmp_path / "kept"
    frame(50).write_csv(path)
    if grown:
        import_files([path], kept)
    with path.open("ab") as file:
        frame(4_000, 1).write_csv(file, include_header=False)
    with full_disk(most), pytest.raises(DataError, match=r"make room.*import again"):
        import_files([path], kept)
    if grown:
        assert len(read_table(kept)) == 50
        Store.open(kept).verify()
    else:
        assert not kept.exists()
    assert import_files([path], kept).store.rows == 4_050
    Store.open(kept).verify()
    assert_same(read_table(kept), read_table(path))
    assert not [*tmp_path.glob(".kept.*.importing")]


def test_a_header_in_quotation_marks_names_the_same_columns_in_every_block(tmp_path, monkeypatch):
    monkeypatch.setattr(store_blocks, "SIZE", 60)
    path = tmp_path / "quoted.csv"
    path.write_text('"a","b, c"\n' + "".join(f"{i},{i / 2}\n" for i in range(60)))
    import_files([path], tmp_path / "kept")
    assert_same(read_table(tmp_path / "kept"), read_table(path))


def test_a_file_that_grows_while_it_is_read_is_refused_and_its_rows_are_never_doubled(
    tmp_path, small_blocks
):
    path, kept = tmp_path / "t.csv", tmp_path / "kept"
    frame(200).write_csv(path)
    more = frame(50, 1).write_csv(include_header=False)

    def grow(done, rows):
        if path.read_text().count("\n") == 201:
            with path.open("a") as file:
                file.write(more)

    with pytest.raises(DataError, match="written to while it was read"):
        import_files([path], kept, progress=grow)
    assert import_files([path], kept).added == 250
    assert_same(read_table(kept), read_table(path))


def test_a_file_by_another_name_is_not_imported_twice(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "t.csv").write_text("a,b\n1,2\n3,4\n")
    monkeypatch.chdir(tmp_path / "here")
    import_files(["t.csv"], "kept")
    assert import_files(["../here/t.csv"], "kept").added == 0
    assert len(read_table("kept")) == 2


def test_files_that_are_gone_are_named_where_all_have_to_be_read_again(tmp_path):
    one, other, kept = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "kept"
    one.write_text("a,b\n1,2\n3,4\n")
    other.write_text("a,b\n1,many\n3,words\n")
    import_files([one], kept)
    one.unlink()
    with pytest.raises(DataError, match=r"a\.csv is gone, and all files"):
        import_files([other], kept)
    assert len(read_table(kept)) == 2


def test_the_import_of_a_table_whose_name_goes_on_is_left_alone(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    going, left = tmp_path / ".t.2025.77.importing", tmp_path / ".t.78.importing"
    going.mkdir()
    left.mkdir()
    import_files([tmp_path / "t.csv"], tmp_path / "t")
    assert going.is_dir()
    assert not left.exists()


def test_a_second_process_waits_for_a_table_that_is_imported_by_itself(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    monkeypatch.setattr("carousel.data.store.by_itself.cache", lambda: tmp_path / "cache")
    (tmp_path / "cache" / "imported").mkdir(parents=True)
    waited = []

    class Lock(filelock.FileLock):
        def acquire(self, timeout=None, **more):
            waited.append(timeout)
            return super().acquire(timeout=timeout, **more)

    monkeypatch.setattr("carousel.data.store.importing.filelock.FileLock", Lock)
    assert len(imported(path)) == 2
    assert waited == [-1]  # as long as it takes


def dates(rows, first, form):
    days = np.datetime64(first) + np.arange(rows)
    return [day.astype(object).strftime(form) for day in days]


@pytest.mark.parametrize("name", ["dates.csv", "dates.ndjson"])
@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y"])
@pytest.mark.parametrize("first", ["2024-02-01", "2024-01-20"], ids=["told late", "told at once"])
def test_dates_begin_with_the_day_or_the_month_by_all_rows_of_an_import(
    tmp_path, small_blocks, monkeypatch, name, form, first
):
    monkeypatch.setattr(store_blocks, "SIZE", 100)
    path = tmp_path / name
    whole = polars.DataFrame({"day": dates(60, first, form), "x": range(60)})
    WRITERS[f"table.{path.suffix[1:]}"](whole, path)
    import_files([path], tmp_path / "kept")
    found, wanted = read_table(tmp_path / "kept")["day"], read_table(path)["day"]
    assert (found.kind, found.note) == ("time", wanted.note)
    np.testing.assert_array_equal(found.stamps, wanted.stamps)


def test_dates_of_which_no_row_tells_the_order_are_words_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(store_blocks, "SIZE", 40)
    path = tmp_path / "dates.csv"
    rows = [f"0{day}/0{month}/2024,{day}\n" for month in range(1, 10) for day in range(1, 10)]
    path.write_text("day,x\n" + "".join(rows))
    import_files([path], tmp_path / "kept")
    found, wanted = read_table(tmp_path / "kept")["day"], read_table(path)["day"]
    assert (found.kind, found.note, found.style) == ("text", wanted.note, "unsure")
    assert "01/01/2024 are read as words" in wanted.note
    assert knows(f"81 values; {wanted.note}", "ko")
    with path.open("a") as file:
        file.write("31/12/2024,0\n")
    done = import_files([path], tmp_path / "kept")
    assert any("'day' is read so throughout" in line for line in done.said)
    found, wanted = read_table(tmp_path / "kept")["day"], read_table(path)["day"]
    np.testing.assert_array_equal(found.stamps, wanted.stamps)


def test_dates_of_both_orders_are_words_in_an_import_too(tmp_path, monkeypatch):
    monkeypatch.setattr(store_blocks, "SIZE", 40)
    path = tmp_path / "dates.csv"
    rows = ["01/02/2024", "13/02/2024", "02/03/2024", "02/13/2024"]
    path.write_text("day,x\n" + "".join(f"{day},1\n" for day in rows for _ in range(5)))
    import_files([path], tmp_path / "kept")
    assert_same(read_table(tmp_path / "kept"), read_table(path))
    assert read_table(path)["day"].kind == "text"


def test_a_note_of_an_import_stands_once_however_many_blocks_it_holds_for(tmp_path, monkeypatch):
    monkeypatch.setattr(store_blocks, "SIZE", 60)
    path = tmp_path / "commas.csv"
    path.write_text("a;b\n" + "".join(f"{i},{i % 7};{i}\n" for i in range(90)))
    import_files([path], tmp_path / "kept")
    assert read_table(tmp_path / "kept")["a"].note == read_table(path)["a"].note


def with_row(path, rows, place, other):
    """A file of two columns, one of whose rows is another."""
    path.write_text("a,b\n" + "".join([*rows[:place], other, *rows[place + 1 :]]))
    return path


def test_a_quotation_mark_that_is_never_closed_is_refused_without_reading_on(
    tmp_path, small_blocks
):
    rows = [f"word {i},{i}\n" for i in range(2000)]
    path = with_row(tmp_path / "open.csv", rows, 700, '"word,700\n')
    with pytest.raises(DataError, match=r"open\.csv line 702 .*quotation mark opens a cell"):
        import_files([path], tmp_path / "kept")


def test_rows_that_are_wrong_are_named_by_their_line_in_the_file(tmp_path, small_blocks):
    rows = [f'"word {i}",{i}\n' for i in range(500)]
    path = with_row(tmp_path / "wrong.csv", rows, 400, "word,400,1\n")
    with pytest.raises(DataError, match=r"wrong\.csv line 402 has 3 cells"):
        import_files([path], tmp_path / "kept")
