"""Files of sentences: headers, columns and nasty files, to train on and to predict from."""

import pytest
from small_sentences import read_rows

from carousel.data.files.sentences import read_given, read_labelled
from carousel.errors import DataError

ROWS = [("good", "a fine film"), ("bad", "dull"), ("good", "lovely"), ("bad", "a bore")]
PLAIN = "".join(f"{label}\t{text}\n" for label, text in ROWS)


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def texts(path, classes=("bad", "good")):
    table = read_given(path, classes)
    return [row.text for row in table.rows], table.note


@pytest.mark.parametrize("header", ["label\ttext", "Class\tSentence", "sentiment\treview"])
def test_a_header_of_a_tsv_is_recognised_and_is_no_class(tmp_path, header):
    table = read_labelled(written(tmp_path, "x.tsv", f"{header}\n{PLAIN}"))
    assert [(row.label, row.text) for row in table.rows] == ROWS
    assert "read by the header" in table.note


def test_a_header_says_which_column_is_which(tmp_path):
    turned = "id\ttext\tlabel\n" + "".join(f"{i}\t{t}\t{k}\n" for i, (k, t) in enumerate(ROWS))
    table = read_labelled(written(tmp_path, "x.tsv", turned))
    assert [(row.label, row.text) for row in table.rows] == ROWS
    assert table.note == "read by the header: the column text; not read: id, label"


def test_a_header_of_other_names_is_refused_and_no_class(tmp_path):
    with pytest.raises(DataError, match="line 1 seems to be a header: 'stars' is the label of no"):
        read_rows(written(tmp_path, "x.tsv", f"stars\tbody\n{PLAIN}"))


def test_more_columns_without_names_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"has 3 columns; a \.tsv must have two"):
        read_rows(written(tmp_path, "x.tsv", "1\tgood\tfine\n2\tbad\tdull\n"))


def test_a_tab_in_some_sentences_is_white_space(tmp_path):
    assert read_rows(written(tmp_path, "x.tsv", "a\tx\ty\nb\tz\n")) == [("a", "x\ty"), ("b", "z")]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace("\n", "\n\n").encode(),
        PLAIN.rstrip("\n").encode(),
    ],
    ids=["mark", "CRLF", "CR", "blank lines", "no end"],
)
def test_marks_line_ends_and_blank_lines_change_nothing(tmp_path, content):
    assert read_rows(written(tmp_path, "x.tsv", content)) == ROWS
    given = texts(written(tmp_path, "x.tsv", content))[0]  # blank ones are kept: places are lines
    assert [text for text in given if text] == [text for _, text in ROWS]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.csv", "label,text\n", "a header and no sentence"),
        ("x.tsv", "label\ttext\n", "a header and no sentence"),
        ("x.csv", "label,text\n,\n", "line 2 has no label"),
        ("x.csv", "label,text\na,b\0c\n", "zero bytes, the first in line 2"),
        ("x.csv", "label,text\na,é\n".encode() + b"b,\xe9\n", "line 3.*mixed"),
        ("x.tsv", '"a"\tx\n"b"\ty\n', "every label in quotation marks"),
        ("x.tsv", 'a\t"x"\nb\t"y"\n', "every text in quotation marks"),
        ("x.csv", b"PK\x03\x04....", "zip archive"),
        ("x.csv", b"PAR1\x15\x04", "Parquet table"),
        ("x.tsv", "label\ttext\na\tb\tc\n", "line 2 has 3 cells, the header 2: a tab"),
    ],
)
def test_a_nasty_file_is_refused_with_its_line(tmp_path, name, content, says):
    with pytest.raises(DataError, match=says):
        read_rows(written(tmp_path, name, content))


def test_a_mark_between_files_put_end_to_end_makes_no_class(tmp_path):
    joined = (b"\xef\xbb\xbf" + PLAIN.encode()) * 2
    assert read_rows(written(tmp_path, "x.tsv", joined)) == ROWS * 2


def test_labels_that_differ_in_capitals_alone_are_named(tmp_path):
    table = read_labelled(written(tmp_path, "x.tsv", PLAIN + "Good\tnice\nGood\tgreat\n"))
    assert "'Good' and 'good' differ in capitals alone" in table.note


# ---- to predict from


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.tsv", PLAIN),
        ("x.txt", PLAIN),
        ("x.tsv", "label\ttext\n" + PLAIN),
        ("x.tsv", "text\tlabel\n" + "".join(f"{t}\t{k}\n" for k, t in ROWS)),
        ("x.tsv", "".join(f"{t}\t{k}\n" for k, t in ROWS)),
        ("x.csv", "label,text\n" + "".join(f"{k},{t}\n" for k, t in ROWS)),
        ("x.csv", "id,text,label\n" + "".join(f'7,"{t}",{k}\n' for k, t in ROWS)),
        ("x.csv", "text\n" + "".join(f"{t}\n" for _, t in ROWS)),
        ("x.tsv", "text\n" + "".join(f"{t}\n" for _, t in ROWS)),
    ],
)
def test_of_a_file_in_the_training_format_only_the_text_is_read_and_it_is_said(
    tmp_path, name, content
):
    found, note = texts(written(tmp_path, name, content))
    assert found == [text for _, text in ROWS]
    assert note.startswith("read ")


def test_unknown_labels_of_a_tsv_are_no_words_either(tmp_path):
    found, note = texts(written(tmp_path, "x.tsv", PLAIN), classes=("0", "1"))
    assert found == [text for _, text in ROWS]
    assert "labels are not read" in note


def test_plain_sentences_are_read_line_by_line(tmp_path):
    content = "good film, really\nwith\ta tab\n\nlast\n"
    found, note = texts(written(tmp_path, "x.txt", content))
    assert found == ["good film, really", "with\ta tab", "", "last"]
    assert note == ""


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.csv", "a fine film\ndull\n", "has the column text.*belong in a .txt"),
        ("x.csv", "label,text\na,b, c\n", "line 2 has 3 cells"),
        ("x.csv", 'label,text\na,"b\n', "line 2"),
        ("x.tsv", "good\tfine\ndull\n", "line 2 has no tab and others have"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(tmp_path, name, content, says):
    with pytest.raises(DataError, match=says):
        texts(written(tmp_path, name, content))
