"""CSV is read strictly: every row has the header's cells, and every quotation mark its other."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_sentences import read_rows

from carousel.data.files.captions import read_captions
from carousel.data.files.csv_files import split_rows
from carousel.data.files.delimited import csv_table
from carousel.errors import DataError

_cell = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1)


@given(st.lists(st.lists(_cell, min_size=2, max_size=2), min_size=1))
def test_what_csv_writes_is_read_back(rows):
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    assert [row for _, row in split_rows(written.getvalue(), "x")] == rows


def test_a_row_knows_the_line_it_begins_in():
    text = 'a,b\n\n"one\ntwo",1\n\nthree,2\n'
    assert list(split_rows(text, "x")) == [
        (1, ["a", "b"]),
        (3, ["one\ntwo", "1"]),
        (6, ["three", "2"]),
    ]


def labelled(content, tmp_path):
    (tmp_path / "x.csv").write_text(content)
    return read_rows(tmp_path / "x.csv")


def captions(content, tmp_path):
    return read_captions(content.replace("label,text", "image,caption"), "x.csv")


READERS = pytest.mark.parametrize("read", [labelled, captions])


@READERS
@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("pos,well, a good film\n", "line 7 has 3 cells, the header 2.*quotation marks"),
        ("pos\n", "line 7 has 1 cell, the header 2"),
        ('neg,"sentence 10\n', "line 7 .*: a quotation mark opens a cell and"),
        ('neg,"sentence 10\npos,x\npos,y\n', "line 7.*not closed properly up to line"),
        ('neg,"sentence 10\npos,"a, b"\n', "line 7.*not closed properly up to line 8"),
        ('neg,"good" film\n', "line 7 .*: a quotation mark opens a cell"),
        ('neg,"sentence 10\npos,sentence "\n', "line 7"),
        ('pos, "a, b"\n', "line 7 has 3 cells"),
    ],
)
def test_what_would_drop_text_or_rows_names_its_line(read, rows, says, tmp_path):
    before = "label,text\n" + "".join(f"{k},text of {k}\n" for k in ("pos", "neg", "pos", "neg"))
    with pytest.raises(DataError, match=says):
        read(before + "pos,more\n" + rows + "neg,fine\n" * 3, tmp_path)


@READERS
def test_a_text_longer_than_csv_usually_allows_is_read(read, tmp_path):
    long = "word " * 40_000
    found = read(f'label,text\na,"{long}"\nb,short\n', tmp_path)
    (first, *_) = [t for _, t in found] if isinstance(found, list) else found["a"]
    assert len(first.split()) == 40_000


def test_a_column_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="column 'text' twice"):
        csv_table("text,label,text\n", "x")


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_another_sign_between_the_cells_is_named(sign, name, tmp_path):
    with pytest.raises(DataError, match=f"separated by {name}; a .csv must be separated by commas"):
        labelled(f"label{sign}text\na{sign}b\n", tmp_path)


def test_blanks_around_the_names_of_a_header_do_not_matter(tmp_path):
    assert labelled("label, text\na,b\n", tmp_path) == [("a", "b")]
