"""Words with tags beside them: files, features, other processes."""

import copy

import pytest

from carousel.config import Config, TextConfig
from carousel.data.files.columns import read_columns, read_given
from carousel.data.fingerprint import fingerprint
from carousel.data.labelled_words import LabelledWords, WordFeatures
from carousel.data.tagged import Tagged, from_pairs, tag_of
from carousel.errors import ConfigError, DataError

COLUMNS = "the DT B-NP\nrun NN I-NP\n\nruns VBZ O\n"
CONLLU = "1\tRome\t_\tPROPN\tNNP\t_\t0\t_\t_\t_\n\n1\truns\t_\tVERB\tVBZ\t_\t0\t_\t_\t_\n"


def tags(sentences):
    return [[tag_of(word) for word in words] for words in sentences]


def test_the_column_of_tags_stands_beside_the_words():
    read = read_columns(COLUMNS, "x", tag="2")
    assert read.words == [["the", "run"], ["runs"]]
    assert tags(read.words) == [["DT", "NN"], ["VBZ"]]
    assert read.labels == [["B-NP", "I-NP"], ["O"]]
    assert read.note == "read as columns: words in 1, labels in 3 of 3, tags in 2"
    assert tags(read_columns(COLUMNS, "x").words) == [["", ""], [""]]


def test_other_tags_are_other_data():
    read, other = (
        read_columns(text, "x", tag="2") for text in (COLUMNS, COLUMNS.replace("NN", "X"))
    )
    assert read.words == other.words
    assert fingerprint(read) == fingerprint(read_columns(COLUMNS, "x", tag="2"))
    assert len({fingerprint(some) for some in (read, other, read_columns(COLUMNS, "x"))}) == 3


def test_a_named_column_of_conllu_stands_beside_the_words():
    read = read_columns(CONLLU, "x", tag="XPOS")
    assert tags(read.words) == [["NNP"], ["VBZ"]]
    assert read.labels == [["PROPN"], ["VERB"]]
    assert read.note == "read as CoNLL-U: the columns FORM and UPOS, XPOS beside the words"
    given = read_given(CONLLU, "x", ["PROPN"], tag="XPOS")
    assert tags(given.words) == [["NNP"], ["VBZ"]]


def test_a_file_to_predict_from_has_its_tags_where_training_had_them():
    given = read_given(COLUMNS, "x", ["B-NP", "I-NP", "O"], tag="2")
    assert tags(given.words) == [["DT", "NN"], ["VBZ"]]
    assert "their tags of number 2" in given.note


def test_a_column_that_is_not_there_is_refused_and_so_is_an_empty_tag():
    with pytest.raises(ConfigError, match=r"text\.tag name a column by its number, 1 to 3"):
        read_columns(COLUMNS, "x", tag="4")
    with pytest.raises(DataError, match="x line 1 has no word, label or tag"):
        read_columns("a\t\tO\n", "x", tag="2")


def test_tags_go_along_to_other_processes():
    sent = copy.deepcopy([Tagged("runs", "VBZ"), "x"])  # by the same protocol
    assert sent == ["runs", "x"]
    assert tags([sent]) == [["VBZ", ""]]


def test_the_same_word_with_another_tag_is_read_as_another_row():
    sentences = read_columns(COLUMNS, "x", tag="2").words
    features = WordFeatures.fit(sentences, TextConfig(tag="2"))
    assert features.names == ("word", "tag")
    known = features.vocabularies[1].numbers
    asked = from_pairs([("run", "NN"), ("run", "VBZ"), ("run", "XX")])
    rows = WordFeatures.restore(features.facts()).encode([asked]).values.tolist()
    word = features.vocabularies[0].numbers["run"]
    assert rows == [[word, known["NN"]], [word, known["VBZ"]], [word, 0]]


def test_words_without_tags_are_refused_by_a_model_that_reads_them():
    features = WordFeatures.fit([from_pairs([("run", "NN")])], TextConfig(tag="2"))
    with pytest.raises(DataError, match=r"'fast' has none: give pairs \(word, tag\)"):
        features.encode([["fast"]])


def test_the_published_tags_are_read_where_they_are_asked_for(shared_data):
    shared_data("conll2000")
    values = {"task": "label_words", "data": {"name": "conll2000"}, "text": {"tag": "2"}}
    data = LabelledWords.read(Config.from_dict(values))
    for part in (data.train, data.test):
        assert all(tag_of(word) for words in part.words for word in words)
    assert len({tag_of(word) for words in data.train.words for word in words}) == 44
