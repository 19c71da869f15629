"""Labelled words: published sets, own columns, features of words."""

import json

import pytest

from carousel.config import Config, DataConfig, TextConfig
from carousel.data.files.columns import read_columns
from carousel.data.labelled_words import LabelledWords, WordFeatures, features_of
from carousel.errors import ConfigError, DataError

COLUMNS = """-DOCSTART- -X- O

Ann NNP B-who
came VBD O
# # B-sign

to TO O
St. NNP B-where
Ives NNP I-where


"""


def fit(sentences, **settings):
    return WordFeatures.fit(sentences, TextConfig(**settings))


def test_columns_are_read_by_the_first_and_the_last():
    read = read_columns(COLUMNS, "x")
    assert read.words == [["Ann", "came", "#"], ["to", "St.", "Ives"]]
    assert read.labels == [["B-who", "O", "B-sign"], ["O", "B-where", "I-where"]]
    assert read.total == 6
    with pytest.raises(DataError, match="x line 2 must be a word and its label; got 'two'"):
        read_columns("one O\ntwo\n", "x")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sizes", "words", "labels"),
    [("atis", 4978, 56590, 120), ("conll2000", 8936, 211_727, 22)],
)
def test_published_sets_have_their_published_sizes(shared_data, name, sizes, words, labels):
    shared_data(name)
    data = LabelledWords.read(Config(data=DataConfig(name=name), text=TextConfig()))
    account = data.account()
    assert account["sizes"]["train"] + account["sizes"]["validation"] == sizes
    assert account["sizes"]["test"] == {"atis": 893, "conll2000": 2012}[name]
    assert abs(len(data.labels) - labels) <= 1  # a rare label may be held out
    if name == "conll2000":
        assert account["words"]["train"] + account["words"]["validation"] == words
        assert account["words"]["test"] == 47_377
    for part in (data.train, data.validation, data.test):
        assert [len(row) for row in part.words] == [len(row) for row in part.labels]


def test_own_columns_are_split_and_counted(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("\n\n".join(f"w{n} B-x\nand O" for n in range(50)) + "\n\nrare B-rare\n")
    data = LabelledWords.read(
        Config(data=DataConfig(name="columns", path=str(path)), text=TextConfig(test=0.2))
    )
    account = data.account()
    assert account["sizes"] == {"train": 38, "validation": 3, "test": 10}
    seen = {word for part in (data.train, data.validation, data.test) for [word, *_] in part.words}
    assert len(seen) == 51
    missing = "B-rare" not in data.labels
    assert sum(account["labels_not_in_training"].values()) == missing


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "columns"}, r"needs data\.path"),
        ({"name": "mnist"}, "atis, conll2000, columns, table; got 'mnist'"),
    ],
)
def test_names_and_paths_are_asked_for(settings, says):
    with pytest.raises(ConfigError, match=says):
        LabelledWords.read(Config(data=DataConfig(**settings), text=TextConfig()))


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("U.S.", ("u.s.", "X.X.", "u.s", ".s.")),
        ("Boston", ("boston", "Xx", "bos", "ton")),
        ("1,250", ("0,000", "0,0", "0,0", "000")),
        ("a", ("a", "x", "a", "a")),
        ("한국어로", ("한국어로", "x", "한국어", "국어로")),
    ],
)
def test_features_of_a_word(word, found):
    assert tuple(features_of(word, lowercase=True).values()) == found
    assert features_of(word, lowercase=False)["shape"] == found[1]


def test_numbers_survive_json_and_unknown_words_keep_their_other_features():
    sentences = [["Ann", "came", "to", "Berlin"], ["Bob", "came", "to", "Dublin"]]
    features = fit(sentences, features="word,shape,suffix", lowercase=True)
    again = WordFeatures.restore(json.loads(json.dumps(features.facts())))
    encoded = again.encode([["Merlin"], ["came", "to"]])
    assert encoded.values.tolist() == features.encode([["Merlin"], ["came", "to"]]).values.tolist()
    word, shape, suffix = encoded[0][0].tolist()
    assert word == 0
    assert shape == features.vocabularies[1].numbers["Xx"]
    assert suffix == features.vocabularies[2].numbers["lin"]
    assert encoded.offsets.tolist() == [0, 1, 3]


def test_a_written_sentence_is_cut_as_the_sets_are():
    features = fit([["St.", "Ives", ",", "U.S.", "o'clock", "("]], lowercase=True)
    written = "(St. Ives), the U.S., 10 o'clock... Really?!"
    cut = "( St. Ives ) , the U.S. , 10 o'clock . . . Really ? !"
    assert features.cut(written) == cut.split()
    assert features.cut("") == []


@pytest.mark.parametrize("names", ["shape", "word,word", "word,length", "shape,word", ""])
def test_wrong_features_are_refused(names):
    with pytest.raises(ConfigError, match=r"text\.features must"):
        fit([["a"]], features=names)
