"""Which columns of labelled words are read, comments, and lists of words in JSON lines."""

import gzip
import json

import polars as pl
import pytest
from small_words import words_config

from carousel import load
from carousel.config import Config
from carousel.data.files.columns import read_columns, read_given
from carousel.data.guesses import guess
from carousel.data.labelled_words import LabelledWords
from carousel.data.proposal import propose
from carousel.data.table import of_frame, read_table
from carousel.data.token_lists import in_words
from carousel.errors import ConfigError, DataError
from carousel.training import train

PLAIN = "Rome NNP B-NP B-LOC\nsleeps VBZ B-VP O\n\nRain NN B-NP O\n"
CONLLU = (
    "# sent_id = 1\n# text = Let's go\n"
    "1-2\tLet's\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tLet\tlet\tVERB\tVB\tMood=Imp\t0\troot\t_\t_\n"
    "2\tus\twe\tPRON\tPRP\t_\t1\tobj\t_\t_\n"
    "2.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t_\t_\n"
)


@pytest.mark.parametrize(
    ("word", "label", "words", "labels"),
    [
        ("", "", ["Rome", "sleeps"], ["B-LOC", "O"]),
        ("", "2", ["Rome", "sleeps"], ["NNP", "VBZ"]),
        ("2", "3", ["NNP", "VBZ"], ["B-NP", "B-VP"]),
    ],
)
def test_columns_are_chosen_by_their_numbers(word, label, words, labels):
    read = read_columns(PLAIN, "x", word, label)
    assert (read.words[0], read.labels[0]) == (words, labels)
    assert ("labels in" in read.note) == bool(label)


@pytest.mark.parametrize(
    ("label", "labels"),
    [
        ("", ["VERB", "PRON"]),
        ("UPOS", ["VERB", "PRON"]),
        ("xpos", ["VB", "PRP"]),
        ("8", ["root", "obj"]),
        ("FEATS", ["Mood=Imp", "_"]),
    ],
)
def test_columns_of_conllu_are_chosen_by_their_names(label, labels):
    read = read_columns(CONLLU, "x", label=label)
    assert (read.words, read.labels) == ([["Let", "us"]], [labels])
    assert "1 multiword token and 1 empty node" in read.note
    assert "2 comments passed over" in read.note


def test_the_word_may_be_another_column_of_conllu():
    assert read_columns(CONLLU, "x", "LEMMA").words == [["let", "we"]]
    assert read_given(CONLLU, "x", ("VERB",), "LEMMA").words == [["let", "we"]]


def test_names_of_columns_in_a_comment_are_known():
    text = "# global.columns = FORM NER POS\nRome\tLOC\tNNP\nsleeps\tO\tVBZ\n"
    assert read_columns(text, "x", label="NER").labels == [["LOC", "O"]]


@pytest.mark.parametrize("label", ["5", "0", "NER", "-1"])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(label):
    with pytest.raises(ConfigError, match=r"number, 1 to 4; got"):
        read_columns(PLAIN, "x", label=label)
    with pytest.raises(ConfigError, match=r"1 to 10, or ID, FORM.*Did you mean 'UPOS'"):
        read_columns(CONLLU, "x", label="UPSO")


def test_comments_are_counted_and_signs_that_are_words_are_no_comments():
    read = read_columns("# about the first\n# O\ngo O\n\n#tag O\n\n# of the third\nnow O\n", "x")
    assert read.words == [["#", "go"], ["#tag"], ["now"]]
    assert read.note == "2 comments passed over"


def test_words_to_predict_from_are_those_of_the_chosen_column():
    given = read_given(PLAIN, "x", ("NNP", "VBZ", "NN"), "", "2")
    assert given.words == [["Rome", "sleeps"], ["Rain"]]


def test_a_packed_file_trains_evaluates_and_predicts_with_the_column_asked_for(tmp_path, carousel):
    rows = "".join(
        f"# sent {k}\n" + "".join(
            f"{i}\tw{(k + i) % 5}\t_\tX{(k + i) % 2}\tY{(k + i) % 5}\t_\t0\t_\t_\t_\n"
            for i in (1, 2, 3)
        ) + "\n"
        for k in range(40)
    )  # fmt: skip
    file = tmp_path / "a.conllu.gz"
    file.write_bytes(gzip.compress(rows.encode()))
    recipe = tmp_path / "a.toml"
    code, _, err = carousel("init", str(file), "--target", "XPOS", "-o", str(recipe))
    assert (code, err) == (0, "")
    small = ["--set", "training.epochs=1", "--set", "model.hidden_size=4", "--quiet"]
    code, _, err = carousel("train", str(recipe), *small, "--run-dir", str(tmp_path / "run"))
    assert code == 0, err
    model = load(tmp_path / "run")
    assert model.labels == ("Y0", "Y1", "Y2", "Y3", "Y4")
    other = tmp_path / "b.conllu"
    other.write_text(rows)
    assert model.evaluate_new(other)["accuracy"] <= 1
    assert len(model.read(other).inputs) == 40
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert "FORM and XPOS" in result["data"]["read_as"]
    assert "40 comments" in result["data"]["read_as"]


def test_a_role_that_words_have_not_is_refused(tmp_path, carousel):
    file = tmp_path / "a.conll"
    file.write_text(PLAIN)
    code, _, err = carousel("init", str(file), "--id", "3")
    assert code == 2
    assert "--id means nothing to it" in err
    code, _, err = carousel("init", str(file), "--target", "9")
    assert code == 2
    assert "1 to 4" in err


# ---- lists in JSON lines


def lists(tmp_path, count=30):
    rows = [
        {"id": k, "tokens": [f"w{(k + i) % 5}" for i in range(1 + k % 3)],
         "tags": [f"X{(k + i) % 2}" for i in range(1 + k % 3)]}
        for k in range(count)
    ]  # fmt: skip
    file = tmp_path / "words.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return file, rows


def test_lists_of_words_and_labels_are_sentences(tmp_path):
    file, rows = lists(tmp_path)
    made = propose(file)
    assert (made.guess.task, made.config.columns.text) == ("label_words", "tokens")
    data = LabelledWords.read(made.config)
    found = {
        (tuple(words), tuple(labels))
        for part in (data.train, data.validation, data.test)
        for words, labels in zip(part.words, part.labels, strict=True)
    }
    assert found == {(tuple(row["tokens"]), tuple(row["tags"])) for row in rows}


def test_numbers_may_be_labels_and_empty_lists_are_counted():
    frame = pl.DataFrame({"words": [["a", "b"], [], ["c"]], "ner": [[0, 1], [], [2]]})
    assert guess(of_frame(frame)).task == "label_words"
    config = Config.from_dict({"task": "label_words", "data": {"name": "table"},
                               "columns": {"text": "words", "target": "ner"}})  # fmt: skip
    table, read = in_words(of_frame(frame), config)
    assert table["ner"].texts() == ["0", "1", "2"]
    assert read.columns.id == "sentence"
    assert "1 row has an empty list: left out" in table.notes


def test_lists_of_unequal_length_are_refused_with_the_row(tmp_path):
    file = tmp_path / "words.jsonl"
    file.write_text('{"w": ["a"], "t": ["X"]}\n{"w": ["a", "b"], "t": ["X"]}\n')
    config = Config.from_dict({"task": "label_words", "data": {"name": "table"},
                               "columns": {"text": "w", "target": "t"}})  # fmt: skip
    with pytest.raises(DataError, match="row 2 has 2 w and 1 t: each word must have one label"):
        in_words(read_table(file), config)


def test_lists_train_evaluate_and_predict(tmp_path):
    file, rows = lists(tmp_path)
    made = propose(file).config.override(["training.epochs=1", "model.hidden_size=4"])
    run = train(made, run_dir=tmp_path / "run", threads=1, quiet=True)
    model = load(run.path)
    other = tmp_path / "new" / "words.jsonl"
    other.parent.mkdir()
    other.write_bytes(file.read_bytes())
    given = model.read(other)
    assert [*map(list, given.inputs)] == [row["tokens"] for row in rows]
    answers = model.predict(given.inputs)
    right = [
        word.label == tag
        for answer, row in zip(answers, rows, strict=True)
        for word, tag in zip(answer.words, row["tags"], strict=True)
    ]
    assert model.evaluate_new(other)["accuracy"] == pytest.approx(sum(right) / len(right))


def test_a_recipe_for_words_takes_columns_of_its_own(tmp_path):
    file = tmp_path / "a.conll"
    file.write_text(PLAIN * 5)
    data = LabelledWords.read(words_config(file, "text.label=2"))
    assert set(data.labels) <= {"NNP", "VBZ", "NN"}
