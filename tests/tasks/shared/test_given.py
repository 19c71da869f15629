"""What counts as a sentence, and what as a file of them."""

from pathlib import Path

import pytest

from carousel import load
from carousel.cli.given import Request, given_of, refuse_others
from carousel.errors import ConfigError, DataError
from carousel.tasks.shared.given import unknown_notice
from carousel.tasks.shared.task import Notice

HOME = Path(__file__).parents[2] / "fixtures" / "first_generation"


@pytest.fixture(scope="module")
def model():
    return load(HOME / "classify_text")


def test_a_file_comes_before_a_sentence_of_its_name(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert given_of(model, Request(Path("two words"))).inputs == ["two words"]
    Path("two words").write_text("one\n\ntwo\n")
    assert given_of(model, Request(Path("two words"))).inputs == ["one", "two"]


def test_a_word_that_is_no_file_is_taken_for_a_missing_file(model):
    with pytest.raises(DataError, match=r"there is no file nowhere\.txt; for a sentence of one"):
        given_of(model, Request(Path("nowhere.txt")))
    assert given_of(model, Request(Path("좋아요"))).inputs == ["좋아요"]


def test_a_folder_is_no_file_of_sentences(model, tmp_path):
    with pytest.raises(DataError, match="is a folder: give a file of sentences"):
        given_of(model, Request(tmp_path))


def test_a_sentence_too_long_for_a_name_is_a_sentence(model):
    assert given_of(model, Request(Path("a " * 5000))).inputs == [("a " * 5000).strip()]


def test_blank_lines_are_counted_and_passed_over(model, tmp_path):
    (tmp_path / "x.txt").write_text("one\n\n  \ntwo\n")
    given = model.read(tmp_path / "x.txt")
    assert given.inputs == ["one", "two"]
    assert given.facts == ({"text": "one"}, {"text": "two"})
    assert given.notes[0] == Notice("2 blank lines passed over")


@pytest.mark.parametrize(
    ("request_", "error", "says"),
    [
        (Request(), ConfigError, "give a sentence"),
        (Request(Path("x"), {"text": "y"}), ConfigError, "give a sentence"),
        (Request(None, {"text": " "}), DataError, "it is empty"),
    ],
)
def test_what_is_no_sentence_is_refused(model, request_, error, says):
    with pytest.raises(error, match=says):
        given_of(model, request_)


def test_an_option_that_the_model_does_not_know_is_refused(model):
    with pytest.raises(ConfigError, match="--top-p means nothing to a model of the task"):
        refuse_others(model, Request(None, {"text": "good", "top_p": 0.5}), set())


def test_unknown_tokens_are_named_once_and_not_all():
    assert unknown_notice([]) == []
    (notice,) = unknown_notice([f"w{n % 12}" for n in range(40)])
    assert notice.text.endswith("w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 …")
