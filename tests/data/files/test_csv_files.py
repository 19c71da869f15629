"""Tables of numbers in CSV: what is recognised, and what is refused, with its place."""

import numpy as np
import pytest

from carousel.data.files import csv_files
from carousel.data.files.csv_files import read_table
from carousel.errors import DataError


def first(header):
    return [0]


def test_numbers_are_read_as_float64():
    text = "".join(f"{5400000 + 0.01 * i:.2f},{1700000000 + i}\n" for i in range(200))
    table = read_table("place,second\n" + text, "x.csv")
    wanted = np.array([[5400000 + 0.01 * i, 1700000000 + i] for i in range(200)])
    np.testing.assert_allclose(table.values, wanted, rtol=1e-15)
    assert len(np.unique(table.values[:, 0])) == len(np.unique(table.values[:, 1])) == 200


def test_words_are_kept_and_empty_cells_are_missing():
    table = read_table(
        "label,x,y\n a ,1,\n\nb,inf,2\n,nan,3e2\n", "x", lambda h: [h.index("label")]
    )
    assert table.words == {0: ["a", "b", ""]}
    assert table.names == ("x", "y")
    assert table.lines.tolist() == [2, 4, 5]
    np.testing.assert_array_equal(table.values, [[1, np.nan], [np.nan, 2], [np.nan, 300]])
    assert table.notes == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("t;a;b\n1;2;3\n4;5;6\n", "semicolons"),
        ("t\ta\tb\n1\t2\t3\n4\t5\t6\n", "tabs"),
        ('t;"a; b";c\n1;2;3\n4;5;6\n', "semicolons"),
    ],
)
def test_semicolons_and_tabs_are_recognised_and_said(text, says):
    table = read_table(text, "x", first)
    assert table.values.tolist() == [[2, 3], [5, 6]]
    assert says in table.notes[0]


def test_decimal_commas_are_read_where_semicolons_separate():
    table = read_table("t;a;b\n1;2,5;-,5\n2;3;1,25e-1\n", "x", first)
    assert table.values.tolist() == [[2.5, -0.5], [3, 0.125]]
    assert "decimal points (2,5)" in table.notes[1]


def test_a_comma_in_a_name_is_no_separator_of_a_table_with_semicolons():
    table = read_table("t;a, measured\n1;2,5\n2;3,5\n", "x", first)
    assert table.header == ("t", "a, measured")
    assert table.values.tolist() == [[2.5], [3.5]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1,2\n3,4\n", r"must begin with a row that names the columns.*\(1, 2\)"),
        ("walk,0.25\nrun,0.5\n", r"names the columns.*\(walk, 0.25\)"),
        ("t,a\n1,2\n2\n", "line 3 has 1 cells, the header 2"),
        ("t,a\n\n1,2\n\n2,red\n", "line 5, column 'a': must hold numbers, got 'red'"),
        ('t,a\n1,2\n2,"3\n3,4\n', "line 3 cannot be read as CSV: a quotation mark"),
        ('t,a\n1,2\n2,"3"4\n', "line 3 cannot be read as CSV"),
        ("t,a,a\n1,2,3\n", "more than one column with the name 'a'"),
        ("t,a\n1,2\n2,1e101\n", "line 3, column 'a': 1e\\+101 is beyond"),
        ("t;a;b\n1;2,5;3\n2;2.5;4\n", "line 3, column 'a': '2.5' has a decimal point"),
        ("t;a\n1;1,234\n2;5,678\n", "decimal comma or be a number of thousands"),
        ("t,a\n1,2\n2,5 kg\n", "line 3, column 'a'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text, says):
    with pytest.raises(DataError, match=says):
        read_table(text, "x.csv", first)


def test_names_that_are_whole_numbers_are_names_beside_words():
    assert read_table("t,a,2\n1,5,6\n", "x", first).names == ("a", "2")


def test_blocks_read_at_once_and_cell_by_cell_are_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(500, 3)) * 10.0 ** rng.integers(-20, 20, (500, 3))
    rows = [f"{a!r},w{i % 3},{b!r},{c!r}" for i, (a, b, c) in enumerate(numbers.tolist())]
    plain = "a,word,b,c\n" + "\n".join(rows) + "\n"
    quoted = plain.replace("w1", '"w1"')  # no block with a quotation mark is read at once
    gappy = "a,word,b,c\n\n" + "\n".join(rows[:250]) + "\n\n" + "\n".join(rows[250:])
    monkeypatch.setattr(csv_files, "_BLOCK", 1000)
    wanted = [f"w{i % 3}" for i in range(500)]
    for text, lines in (
        (plain, [*range(2, 502)]),
        (quoted, [*range(2, 502)]),
        (gappy, [*range(3, 253), *range(254, 504)]),
    ):
        table = read_table(text, "x", lambda header: [1])
        np.testing.assert_array_equal(table.values, numbers)
        assert table.words == {1: wanted}
        assert table.lines.tolist() == lines


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("1,2,3", "line 402 has 3 cells, the header 2"),
        ("1,two", "line 402, column 'b': must hold numbers, got 'two'"),
        ('1,"2', "line 402 cannot be read as CSV: a quotation mark opens a cell"),
    ],
)
def test_a_fault_far_down_is_named_by_its_row(monkeypatch, row, says):
    monkeypatch.setattr(csv_files, "_BLOCK", 256)
    text = "a,b\n" + "1,2\n" * 400 + row + "\n" + "1,2\n" * 99
    with pytest.raises(DataError, match=says):
        read_table(text, "x")


def test_a_missing_number_makes_its_block_slow_and_no_other_one_wrong(monkeypatch):
    monkeypatch.setattr(csv_files, "_BLOCK", 64)
    rows = [f"{i},{'' if i == 50 else i * i}" for i in range(100)]
    values = read_table("a,b\n" + "\n".join(rows), "x").values
    wanted = np.array([[i, np.nan if i == 50 else i * i] for i in range(100)])
    np.testing.assert_array_equal(values, wanted)
