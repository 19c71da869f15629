"""Columns of words and labels: how they are cut, CoNLL-U, and what is refused."""

import pytest

from carousel.config import Config, DataConfig, TextConfig
from carousel.data.files.columns import read_columns, read_given
from carousel.data.labelled_words import LabelledWords
from carousel.errors import DataError


def row(*cells):
    return "\t".join([*cells, *["_"] * (10 - len(cells))])


CONLLU = "\n".join(
    [
        "# sent_id = 1",
        "# text = Vámonos al mar",
        row("1-2", "Vámonos"),
        row("1", "Vamos", "ir", "VERB"),
        row("2", "nos", "nosotros", "PRON"),
        row("3-4", "al"),
        row("3", "a", "a", "ADP"),
        row("4", "el", "el", "DET"),
        row("5", "mar", "mar", "NOUN"),
        "",
        "# sent_id = 2",
        row("1", "Sue", "Sue", "PROPN"),
        row("2", "likes", "like", "VERB"),
        row("2.1", "likes", "like", "VERB"),
        row("3", "tea", "tea", "NOUN"),
        "",
        "",
    ]
)
WORDS = [["Vamos", "nos", "a", "el", "mar"], ["Sue", "likes", "tea"]]


def test_conllu_is_read_by_form_and_upos_and_what_is_passed_over_is_counted():
    read = read_columns(CONLLU, "x")
    assert read.words == WORDS
    assert read.labels == [["VERB", "PRON", "ADP", "DET", "NOUN"], ["PROPN", "VERB", "NOUN"]]
    assert read.note == (
        "read as CoNLL-U: the columns FORM and UPOS; passed over: 2 multiword tokens and 1 empty "
        "node; 3 comments passed over"
    )


def test_conllu_without_tags_is_refused_with_the_line():
    with pytest.raises(DataError, match="line 2 has no UPOS tag"):
        read_columns(f"{row('1', 'a', 'a', 'DET')}\n{row('2', 'b')}\n", "x")


def test_conllu_is_said_in_the_account_of_the_data(tmp_path):
    (tmp_path / "x.conllu").write_text(CONLLU * 5)
    data = LabelledWords.read(
        Config(
            data=DataConfig(name="columns", path=str(tmp_path / "x.conllu")),
            text=TextConfig(test=0.2),
        )
    )
    assert data.account()["read_as"].startswith("read as CoNLL-U")
    assert sum(data.account()["sizes"].values()) == 10


def test_to_predict_conllu_gives_its_words():
    given = read_given(CONLLU, "x", ("A", "B"))
    assert given.words == WORDS
    assert "CoNLL-U" in given.note


def test_a_word_keeps_its_blanks_where_tabs_stand_between_the_columns():
    read = read_columns("New York\tB-place\n10\u00a0000\tB-number\n", "x")
    assert read.words == [["New York", "10\u00a0000"]]
    assert read.labels == [["B-place", "B-number"]]


@pytest.mark.parametrize("space", ["\u00a0", "\u2009", "\u3000", "\x0b"])
def test_another_white_space_in_a_word_names_its_line(space):
    with pytest.raises(DataError, match=r"x line 2 .*neither a blank nor a tab"):
        read_columns(f"a B-x\n10{space}000 O\n", "x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a NN O\nb O\n", "line 2 has 2 columns and line 1 3"),
        ("a O\n# text = b c O\n", "line 2 has 6 columns"),
        ("a\tO\nb\t\n", "line 2 must be a word and its label"),
        ("word label\na O\n", "line 1 is a header or a comment"),
        ("\ntoken\tNER\n\na\tO\n", "line 2 is a header or a comment"),
        ("# text\na O\nb O\n", "line 1 is a header or a comment"),
        ("a\tO\n\tO\n", "line 2 has no word or no label"),
        ("a\tNN\tO\nb\t\tO\nc\tO\n", "line 3 has 2 columns"),
    ],
)
def test_lines_of_other_columns_are_refused(text, says):
    with pytest.raises(DataError, match=says):
        read_columns(text, "x")


def test_a_blank_line_may_hold_blanks():
    assert len(read_columns("a O\n \t\nb O\n", "x")) == 2


@pytest.mark.parametrize("count", [1, 2])
def test_sentences_without_blank_lines_between_them_are_refused_and_why(tmp_path, count):
    (tmp_path / "x.txt").write_text("\n\n".join(["a B-x\nb O"] * count))
    with pytest.raises(DataError, match="three sentences, with blank lines between them") as caught:
        LabelledWords.read(
            Config(data=DataConfig(name="columns", path=str(tmp_path / "x.txt")), text=TextConfig())
        )
    assert "data.validation" not in str(caught.value)


# ---- to predict from


def test_to_predict_the_words_of_columns_are_read_and_their_labels_are_not():
    given = read_given("to O\nNew B-city\nYork I-city\n\ngo O\n", "x", ("O", "B-city", "I-city"))
    assert given.words == [["to", "New", "York"], ["go"]]
    assert "labels in the last are not read" in given.note
    assert read_given("a\tX\nb\tY\n", "x", ("O",)).words == [["a", "b"]]


def test_to_predict_plain_sentences_are_no_columns():
    assert read_given("flights to boston\nshow me flights\n", "x", ("O", "B-city")) is None
    assert read_given("one\n\ntwo\n", "x", ("O",)) is None


def test_to_predict_columns_with_an_odd_line_are_refused():
    with pytest.raises(DataError, match="line 15 has 3 columns"):
        read_given("a O\n" * 14 + "b c O\n", "x", ("O",))
