"""Tables of one's own: every kind of file, what its cells are, and what is told or refused."""

import gzip
import random

import numpy as np
import polars as pl
import pytest

from carousel.data import kinds as kinds_of_cells
from carousel.data import table as tables
from carousel.data import table_text
from carousel.data.files import recordings
from carousel.data.table import is_table, of_frame, read_table
from carousel.errors import DataError
from carousel.terminal import NOTICE

FRAME = pl.DataFrame(
    {
        "pump": ["p1", "p1", "p2"],
        "at": ["2024-01-31T10:00:00", "2024-01-31T11:00:00", "2024-01-31T10:00:00"],
        "flow": [1.5, None, -2.25],
        "on": [True, False, True],
    }
)


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def kinds(table):
    return {column.name: column.kind for column in table.columns}


WRITERS = {
    ".csv": lambda frame, path: frame.write_csv(path),
    ".tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".ndjson": lambda frame, path: frame.write_ndjson(path),
    ".jsonl": lambda frame, path: frame.write_ndjson(path),
    ".json": lambda frame, path: frame.write_json(path),
    ".feather": lambda frame, path: frame.write_ipc(path),
    ".arrow": lambda frame, path: frame.write_ipc_stream(path),
    ".xlsx": lambda frame, path: frame.write_excel(path),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_kind_of_file_gives_the_same_table(suffix, tmp_path):
    path = tmp_path / f"t{suffix}"
    WRITERS[suffix](FRAME, path)
    assert is_table(path)
    table = read_table(path)
    assert table.names == ("pump", "at", "flow", "on")
    assert kinds(table) == {"pump": "text", "at": "time", "flow": "number", "on": "boolean"}
    assert table["pump"].texts() == ["p1", "p1", "p2"]
    np.testing.assert_array_equal(table["flow"].numbers(), [1.5, np.nan, -2.25])
    assert table["flow"].missing == 1
    np.testing.assert_array_equal(table["on"].numbers(), [1, 0, 1])
    stamps, _ = table["at"].times()
    assert str(stamps[1].astype("datetime64[s]")) == "2024-01-31T11:00:00"


@pytest.mark.parametrize("suffix", [".csv", ".ndjson", ".parquet"])
def test_a_gzipped_file_is_unpacked(suffix, tmp_path):
    plain = tmp_path / f"t{suffix}"
    WRITERS[suffix](FRAME, plain)
    packed = tmp_path / f"t{suffix}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert is_table(packed)
    assert read_table(packed)["pump"].texts() == ["p1", "p1", "p2"]


def test_a_frame_of_pandas_is_the_table_that_polars_gives():
    pandas = pytest.importorskip("pandas")
    table = of_frame(pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    assert kinds(table) == {"a": "whole", "b": "text"}
    assert kinds(of_frame(FRAME))["flow"] == "number"
    with pytest.raises(DataError, match="must be a data frame, got list"):
        of_frame([1, 2])


def numbers(tmp_path, cells, separator=";"):
    lines = "\n".join(f"{cell}{separator}x" for cell in ["a", *cells])
    return read_table(written(tmp_path / "n.csv", lines + "\n"))["a"]


@pytest.mark.parametrize(
    ("cells", "wanted", "said"),
    [
        (["1.5", "-2e3", "+4"], [1.5, -2000, 4], ""),
        (["1,5", "2", "1.234,56"], [1.5, 2, 1234.56], "decimal points"),
        (["1,234.5", "2"], [1234.5, 2], "thousands separators"),
        (["1,234", "12,345"], [1234, 12345], "could be decimal commas"),
        (["1 234,5", "2 345"], [1234.5, 2345], "blanks"),
        (["1.5", "", "NA"], [1.5, np.nan, np.nan], ""),
    ],
)
def test_numbers_are_read_as_they_are_written_in_the_world(tmp_path, cells, wanted, said):
    column = numbers(tmp_path, cells)
    np.testing.assert_allclose(column.numbers(), wanted)
    assert said in column.note


def test_points_are_thousands_where_another_column_has_decimal_commas(tmp_path):
    table = read_table(written(tmp_path / "t.csv", "a;b\n1.234;1,5\n12.345;2,25\n"))
    np.testing.assert_array_equal(table["a"].numbers(), [1234, 12345])
    np.testing.assert_array_equal(table["b"].numbers(), [1.5, 2.25])
    assert "thousands" in table["a"].note
    alone = read_table(written(tmp_path / "u.csv", "a;b\n1.234;x\n12.345;y\n"))
    np.testing.assert_array_equal(alone["a"].numbers(), [1.234, 12.345])


def test_a_type_is_found_over_all_rows_and_what_does_not_fit_is_counted(tmp_path):
    cells = [str(i / 2) for i in range(500)]
    column = numbers(tmp_path, [*cells, "broken", "broken", "inf"])
    assert (column.kind, column.odd, column.example) == ("number", 3, "broken")
    assert np.isnan(column.numbers()[-3:]).all()
    assert numbers(tmp_path, [*cells, *(f"word{i}" for i in range(60))]).kind == "text"


def test_codes_with_leading_zeros_stay_as_they_are(tmp_path):
    column = numbers(tmp_path, ["00123", "00007"])
    assert column.kind == "text"
    assert column.texts() == ["00123", "00007"]


@pytest.mark.parametrize(
    ("cells", "wanted", "said"),
    [
        (["2024-01-31 10:00", "2024-01-31 10:30"], "2024-01-31T10:30", ""),
        (["2024-01-31T10:00:00Z", "2024-01-31T10:00:00+09:00"], "2024-01-31T01:00", "UTC"),
        (["31.12.2024", "1.1.2025"], "2025-01-01", "day, month, year"),
        (["1700000000", "1700000060"], "2023-11-14T22:14:20", "seconds since 1970"),
        (["1700000000000", "1700000060000"], "2023-11-14T22:14:20", "milliseconds"),
        (["45292", "45293.5"], "2024-01-02T12:00", "Excel"),
        (["20240131", "20240201"], "2024-02-01", "yyyymmdd"),
    ],
)
def test_times_are_read_as_they_are_written_in_the_world(tmp_path, cells, wanted, said):
    stamps, notes = numbers(tmp_path, cells).times()
    assert stamps[1] == np.datetime64(wanted)
    assert said in " ".join(notes)


def test_a_time_that_is_none_is_counted_and_a_text_is_no_time(tmp_path):
    cells = [f"2024-01-{1 + i % 28:02}" for i in range(200)]
    column = numbers(tmp_path, [*cells, "soon", ""])
    assert (column.kind, column.odd, column.missing, column.example) == ("time", 1, 1, "soon")
    assert np.isnat(column.times()[0][-2:]).all()
    with pytest.raises(DataError, match="'a' holds no times but texts"):
        numbers(tmp_path, ["red", "blue"]).times()


@pytest.mark.parametrize(
    ("encoding", "text", "said"),
    [
        ("utf-8-sig", "a,b\n한국,1\n", ""),
        ("utf-16", "a,b\n한국,1\n", "UTF-16"),
        ("cp949", "a,b\n한국,1\n", "CP949"),
        ("cp1252", "a,b\nMünchen,1\n", "Windows-1252"),
    ],
)
def test_encodings_are_found_and_told(tmp_path, encoding, text, said):
    table = read_table(written(tmp_path / "t.csv", text, encoding))
    assert table.names == ("a", "b")
    assert table["a"].texts() == [text.split("\n")[1].split(",")[0]]
    assert said in " ".join(table.notes)
    assert bool(table.notes) == bool(said)


def test_mixed_encodings_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + "한국,1\n".encode() + "한국,2\n".encode("cp949"))
    with pytest.raises(DataError, match=r"line 3.*mixed"):
        read_table(path)


def test_line_breaks_of_any_kind_and_in_quotation_marks_are_read(tmp_path):
    path = written(tmp_path / "t.csv", 'a,b\r\n"two\r\nlines, and ""more""",1\r\n\r\nx,2\r\n')
    table = read_table(path)
    assert table["a"].texts() == ['two\nlines, and "more"', "x"]
    assert table.notes == ("1 blank row is passed over",)


def test_quotation_marks_in_a_tab_separated_file_are_letters_where_they_close_nothing(tmp_path):
    table = read_table(written(tmp_path / "t.tsv", 'id\ttext\n1\t"so" he said\n2\t5" nails\n'))
    assert table["text"].texts() == ['"so" he said', '5" nails']
    assert any("letters" in note for note in table.notes)


BAD = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n \n", "is empty"),
    "header.csv": (b"a,b\n", "no row"),
    "one.csv": (b"a\n1\n2\n", "has 1 column"),
    "long.csv": (b"a,b\n1,2\n1,2,3\n", "line 3 has 3 cells, the header 2"),
    "short.csv": (b"a,b,c\n1,2,3\n1\n", "line 3 has 1 cells, the header 3"),
    "twice.csv": (b"a,a\n1,2\n", "more than one column with the name 'a'"),
    "nameless.csv": (b"a,\n1,2\n", "no name above column 2"),
    "headless.csv": (b"1.5,2\n2.5,3\n", "must begin with a row that names"),
    "open.csv": (b'a,b\n"x,2\ny,3\n', "quotation mark"),
    "large.csv": (b"a,b\n1e200,2\n", "beyond 1e[+]100"),
    "fake.parquet": (b"a,b\n1,2\n", "not what its name says"),
    "fake.csv": (b"PAR1\x15\x04", "is a Parquet table"),
    "fake.xlsx": (b"a,b\n1,2\n", "not what its name says"),
    "torn.parquet": (b"PAR1\x15\x04abc", "cannot be read"),
    "torn.csv.gz": (b"\x1f\x8b\x08torn", "cannot be read"),
    "torn.ndjson": (b'{"a": 1\n', "JSON object on each line"),
    "table.docx": (b"words", "no suffix of a table"),
    "zero.csv": (b"a,b\n1,\x002\n", "zero bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_table_is_refused_in_a_line(name, tmp_path):
    content, said = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as error:
        read_table(path)
    assert "\n" not in str(error.value)


def test_a_column_of_lists_is_known_for_what_it_is(tmp_path):
    path = written(tmp_path / "t.ndjson", '{"a": [1, 2], "b": 1}\n{"a": [3], "b": 2}\n')
    assert kinds(read_table(path)) == {"a": "nested", "b": "whole"}


def test_rows_stay_in_their_order_and_some_can_be_taken(tmp_path):
    lines = "".join(f"{i * 7 % 1000},r{i}\n" for i in range(1000))
    table = read_table(written(tmp_path / "t.csv", "n,name\n" + lines))
    assert table["name"].texts() == [f"r{i}" for i in range(1000)]
    some = table.take(np.array([5, 2]))
    assert some["name"].texts() == ["r5", "r2"]
    assert len(some) == 2
    with pytest.raises(DataError, match=r"no column .nam.\. Did you mean .name."):
        table["nam"]


def widths_line_by_line(text, separator, width):
    """Blank lines before the first whose cells are not `width`, and that line and its cells."""
    blank = 0
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        if not line.strip():
            blank += 1
        elif line.count(separator) != width - 1:
            return blank, (number, line.count(separator) + 1)
    return blank, None


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("block", [1, 10, 1000])
def test_lines_looked_at_in_blocks_are_those_looked_at_one_by_one(separator, block, monkeypatch):
    monkeypatch.setattr(table_text, "_BLOCK", block)
    rng = random.Random(block)
    for _ in range(300):
        width = rng.randint(1, 4)
        cells = [[rng.choice(["", "a", "ü", " "]) for _ in range(width)] for _ in range(5)]
        lines = [separator.join(row) for row in cells]
        lines[rng.randrange(5)] = rng.choice(["", "  ", "\u3000", "a", f"a{separator}b"])
        text = "\n".join(lines) + rng.choice(["", "\n"])
        wanted = widths_line_by_line(text, separator, width)
        assert table_text._look_at_lines(text.encode(), separator, width, 1) == wanted


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["auto", "hand", "off"], "text"),
        (["auto", "hand", "", "na"], "text"),
        (["auto", " hand"], "text"),
        (["yes", "no", "NA"], "boolean"),
        (["inf", "auto"], "text"),
        (["inf"], "whole"),
        (["", "-"], "empty"),
        (["a1", "12", "13"], "text"),
    ],
)
def test_a_few_words_many_times_are_what_every_cell_by_itself_would_be(words, kind, monkeypatch):
    cells = pl.Series("c", [words[i % len(words)] for i in range(400)])
    found = kinds_of_cells.kind_of(cells)
    monkeypatch.setattr(kinds_of_cells, "_plain_words", lambda cells: None)
    wanted = kinds_of_cells.kind_of(cells)
    assert (found.kind, wanted.kind) == (kind, kind)
    assert found.values.equals(wanted.values, check_dtypes=True)
    assert (found.missing, found.odd, found.example) == (wanted.missing, wanted.odd, wanted.example)


def test_of_a_large_text_the_time_and_memory_it_takes_are_said_first(tmp_path, caplog, monkeypatch):
    path = written(tmp_path / "a.csv", "a,b\n1,2\n")
    caplog.set_level(NOTICE, "carousel")
    read_table(path)
    assert caplog.text == ""
    monkeypatch.setattr(recordings, "_LARGE", 5)
    read_table(path)
    assert "a.csv, 0 MB: about 1 s and 0.0 GB of memory …" in caplog.text


def test_numbers_that_write_dates_are_times_however_often_each_stands_there():
    days = [20240131, None, 20240201, 20240131, 20240131]
    stamps, notes = of_frame(pl.DataFrame({"at": days, "x": 1.5}))["at"].times()
    wanted = ["2024-01-31", "NaT", "2024-02-01", "2024-01-31", "2024-01-31"]
    np.testing.assert_array_equal(stamps, np.array(wanted, "datetime64[D]"))
    assert "20240131 are read as yyyymmdd" in notes[0]


def test_mere_counts_are_no_times_and_are_looked_at_once(monkeypatch):
    column = of_frame(pl.DataFrame({"step": [None, 1, 2, 3] * 9, "x": 1.5}))["step"]
    for _ in range(2):
        with pytest.raises(DataError, match="'step' line 3"):
            column.times()
        monkeypatch.setattr(tables, "read_stamps", None)  # the second time nothing is read
