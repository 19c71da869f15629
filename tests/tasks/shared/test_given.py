"""What counts as a sentence, and what as a file of them."""

from pathlib import Path

import pytest

from carousel.cli.given import Request
from carousel.errors import ConfigError, DataError
from carousel.tasks.shared.given import lines_of, sentences_of, unknown_notice
from carousel.tasks.shared.task import Notice


def test_a_file_comes_before_a_sentence_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lines_of(Path("two words")) == ["two words"]
    Path("two words").write_text("one\n\ntwo\n")
    assert lines_of(Path("two words")) == ["one", "", "two"]


def test_a_word_that_is_no_file_is_taken_for_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"there is no file nowhere\.txt; for a sentence of one"):
        lines_of(Path("nowhere.txt"))
    assert lines_of(Path("좋아요")) == ["좋아요"]


def test_a_sentence_too_long_for_a_name_is_a_sentence():
    assert lines_of(Path("a " * 5000)) == ["a " * 5000]


def test_blank_lines_are_counted_and_passed_over(tmp_path):
    (tmp_path / "x.txt").write_text("one\n\n  \ntwo\n")
    sentences, notices = sentences_of(Request(tmp_path / "x.txt"), "t")
    assert sentences == ["one", "two"]
    assert notices == [Notice("2 blank lines passed over")]


@pytest.mark.parametrize(
    ("request_", "error", "says"),
    [
        (Request(), ConfigError, "give a sentence"),
        (Request(Path("x"), {"text": "y"}), ConfigError, "give a sentence"),
        (Request(None, {"text": " "}), DataError, "it is empty"),
        (Request(None, {"invert": True}), ConfigError, "--invert means nothing"),
    ],
)
def test_what_is_no_sentence_is_refused(request_, error, says):
    with pytest.raises(error, match=says):
        sentences_of(request_, "t")


def test_unknown_tokens_are_named_once_and_not_all():
    assert unknown_notice([]) == []
    (notice,) = unknown_notice([f"w{n % 12}" for n in range(40)])
    assert notice.text.endswith("w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 …")
