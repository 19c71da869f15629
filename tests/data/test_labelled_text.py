"""Labelled sentences: published splits, own files, folds, and what is wrong with a file."""

import pytest
import torch
from small_sentences import read_rows, write_sentences

from carousel.config import Config, DataConfig, TextConfig
from carousel.data.labelled_text import LabelledText
from carousel.errors import ConfigError, DataError


def load(name, **settings):
    text = {key: settings.pop(key) for key in ("validation", "test") if key in settings}
    return LabelledText.read(
        Config(data=DataConfig(name=name, **settings), text=TextConfig(**text))
    )


@pytest.mark.parametrize(
    ("name", "source", "sizes", "empty"),
    [
        ("sst2", "sst", (6920, 872, 1821), 0),
        ("sst5", "sst", (8544, 1101, 2210), 0),
        ("nsmc", "nsmc", (142_500, 7_500, 50_000), 3),
    ],
)
def test_published_splits_have_their_published_sizes(shared_data, name, source, sizes, empty):
    shared_data(source)
    data = load(name)
    assert tuple(len(data.part(part)) for part in ("train", "validation", "test")) == sizes
    account = data.account()
    assert tuple(account["sizes"].values()) == sizes
    assert account["empty"]["test"] == empty
    labels = data.test.labels
    if name == "nsmc":
        assert int(labels.sum()) == 25_173


def test_the_ten_folds_of_mr_judge_every_sentence_once(shared_data):
    shared_data("mr-polarity")
    tests = []
    for fold in range(10):
        data = load("mr", fold=fold, validation=0.1)
        parts = [set(part.texts) for part in (data.train, data.validation, data.test)]
        assert len(data.train) + len(data.validation) + len(data.test) == 10_662
        assert len(parts[0] & parts[2]) <= 1  # the set itself holds a few sentences twice
        tests += data.test.texts
    assert len(tests) == 10_662
    assert any("é" in text for text in tests)  # Latin-1


def test_own_sentences_are_split_once_and_by_their_own_seed(tmp_path):
    path = write_sentences(tmp_path, count=100)
    data, again = load("sentences", path=str(path)), load("sentences", path=str(path))
    other = load("sentences", path=str(path), split_seed=1)
    assert data.classes == ("bad", "good")
    assert [len(data.part(p)) for p in ("train", "validation", "test")] == [90, 5, 5]
    assert data.test.texts == again.test.texts != other.test.texts
    rows = sorted(read_rows(path))
    drawn = [
        (data.classes[label], text)
        for p in ("train", "validation", "test")
        for text, label in zip(data.part(p).texts, data.part(p).labels.tolist(), strict=True)
    ]
    assert sorted(drawn) == rows


def test_doubles_and_empty_sentences_are_counted(tmp_path):
    (tmp_path / "x.tsv").write_text("a\tsame\nb\t\n" + "a\tsame\nb\tother\n" * 20)
    account = load("sentences", path=str(tmp_path / "x.tsv"), test=0.2).account()
    assert sum(account["empty"].values()) == 1
    assert account["also_in_training"]["test"] == account["sizes"]["test"]


def test_a_csv_with_quoting_is_read_by_its_header(tmp_path):
    (tmp_path / "x.csv").write_text('id,text,label\n1,"good, really\ngood",yes\n2,bad,no\n')
    assert read_rows(tmp_path / "x.csv") == [("yes", "good, really\ngood"), ("no", "bad")]


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("x.txt", "a\tb\n", r"must be a \.tsv"),
        ("x.tsv", "a\tb\nno tab here\n", "line 2 must be a label, a tab and a sentence"),
        ("x.tsv", "a\tb\n\tc\n", "line 2"),
        ("x.csv", "text,class\nx,y\n", "columns label and text; it has text, class"),
        ("x.csv", "label,text\n,x\n", "line 2 has no label"),
        ("x.tsv", "a\tb\na\tc\n", "at least two classes"),
        ("x.tsv", "", "is empty"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(tmp_path, file, content, says):
    (tmp_path / file).write_text(content)
    with pytest.raises(DataError, match=says):
        load("sentences", path=str(tmp_path / file))


def test_a_class_without_training_examples_is_refused(tmp_path):
    (tmp_path / "x.tsv").write_text("a\tx\n" * 50 + "b\ty\n")
    with pytest.raises(DataError, match="no example of the class 'b'"):
        load("sentences", path=str(tmp_path / "x.tsv"), train_limit=3)


def test_names_and_paths_are_asked_for():
    with pytest.raises(ConfigError, match="mr, nsmc, sst2, sst5, sentences, table; got 'mnist'"):
        load("mnist")
    with pytest.raises(ConfigError, match=r"needs data\.path"):
        load("sentences")


def test_a_limit_keeps_the_first_of_the_training_part(tmp_path):
    path = str(write_sentences(tmp_path, count=100))
    limited = load("sentences", path=path, train_limit=30)
    assert limited.train.texts == load("sentences", path=path).train.texts[:30]
    assert torch.equal(limited.test.labels, load("sentences", path=path).test.labels)
