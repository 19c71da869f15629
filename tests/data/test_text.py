"""Texts become tokens: nothing is lost or leaks from held-out parts, bad files say why."""

import gzip
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carousel.config import Config, DataConfig, TextConfig
from carousel.data import text as texts
from carousel.data.files.text import read_lines, read_text
from carousel.data.text import Corpus, Vocabulary, split_lines, split_text
from carousel.errors import ConfigError, DataError


def corpus(tmp_path, content, **text):
    path = tmp_path / "own.txt"
    path.write_text(content, encoding="utf-8")
    return Corpus.read(
        Config(data=DataConfig(name="text", path=str(path)), text=TextConfig(**text))
    )


def spelled(corpus, part):
    return [corpus.vocabulary.tokens[i] for i in corpus.part(part).ids.tolist()]


# ---- files


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        ("caf\xe9\n".encode("latin-1") * 2, r"not UTF-8: byte 0xe9 in line 1.*iconv"),
        (b"fine\nfine\n\xff\n", "in line 3"),
        ("text".encode("utf-16"), "UTF-16"),
        ("text\nmore".encode("utf-16-le"), "iconv -f UTF-16LE"),
        ("text\nmore".encode("utf-16-be"), "iconv -f UTF-16BE"),
        (b"a\0b", "zero bytes, the first in line 1"),
        (b"a\n\xff\x01\x02", "not UTF-8.*control characters.*not a text"),
        ("caf\xe9\n".encode() + b"caf\xe9\n", "line 2.*encodings are mixed"),
        (b"\x1f\x8bnot gzip", "cannot be read"),
    ],
)
def test_a_file_that_is_no_text_is_refused_with_the_reason(tmp_path, content, says):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        read_text(path)
    assert "bad.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*nowhere\.txt"):
        read_text(tmp_path / "nowhere.txt")


def test_line_breaks_byte_order_marks_and_gzip_make_no_difference(tmp_path):
    wanted = "안녕\nça va\n"
    (tmp_path / "a").write_bytes(wanted.encode())
    (tmp_path / "b").write_bytes(b"\xef\xbb\xbf" + wanted.replace("\n", "\r\n").encode())
    (tmp_path / "c").write_bytes(gzip.compress(wanted.replace("\n", "\r").encode()))
    assert {read_text(tmp_path / name) for name in "abc"} == {wanted}


# ---- vocabularies


def test_the_vocabulary_keeps_the_most_frequent_and_calls_the_rest_unknown():
    counts = Counter({"a": 5, "b": 3, "c": 3, "d": 1})
    assert Vocabulary.fit(counts, ["<unk>"], min_count=2).tokens == ("<unk>", "a", "b", "c")
    vocabulary = Vocabulary.fit(counts, ["<unk>"], limit=3)
    assert vocabulary.tokens == ("<unk>", "a", "b")
    assert vocabulary.encode(["b", "d", "a", "new"]).tolist() == [2, 0, 1, 0]


def test_a_vocabulary_of_special_tokens_alone_is_refused():
    with pytest.raises(ConfigError, match=r"text\.min_count = 9"):
        Vocabulary.fit(Counter("aabb"), ["<unk>"], min_count=9)
    with pytest.raises(ConfigError, match=r"text\.max_vocabulary = 1"):
        Vocabulary.fit(Counter("aabb"), ["<unk>"], limit=1)


@pytest.mark.slow
@given(st.text(min_size=1), st.text())
def test_characters_are_numbered_alike_by_both_ways(train, other):
    vocabulary = Vocabulary.fit(texts.count_characters(train), ["<unk>"])
    assert texts.count_characters(train) == Counter(train)
    for text in (train, other):
        assert torch.equal(vocabulary.encode_characters(text), vocabulary.encode(text))
    assert "".join(vocabulary.tokens[i] for i in vocabulary.encode(train).tolist()) == train


def test_characters_are_numbered_alike_across_pieces():
    pieces = list(texts._code_points("añ😀b" * 5, step=3))
    assert len(pieces) == 7
    assert "".join(chr(p) for piece in pieces for p in piece) == "añ😀b" * 5


# ---- parts


@pytest.mark.parametrize("level", ["word", "character"])
def test_the_parts_of_a_text_are_the_text_in_order(level):
    text = "".join(f"word{i} " + ("\n" if i % 7 == 0 else "") for i in range(200))
    parts = split_text(text, TextConfig(level=level, validation=0.2, test=0.1))
    assert parts["train"] + parts["validation"] + parts["test"] == text
    assert len(parts["train"]) == pytest.approx(0.7 * len(text), abs=10)
    assert len(parts["test"]) == pytest.approx(0.1 * len(text), abs=10)
    if level == "word":
        pieces = [word for part in parts.values() for word in part.split()]
        assert pieces == text.split()


def test_the_vocabulary_is_that_of_the_training_part_alone(tmp_path):
    made = corpus(
        tmp_path, "a" * 80 + "b" * 10 + "c" * 10, level="character", validation=0.1, test=0.1
    )
    assert made.vocabulary.tokens == ("<unk>", "a")
    assert spelled(made, "test") == ["<unk>"] * 10


def test_words_and_line_ends_are_the_tokens_of_the_word_level(tmp_path):
    made = corpus(tmp_path, "the  cat\nsat\n" * 20)
    assert spelled(made, "train")[:8] == [
        "the",
        "cat",
        "<eos>",
        "sat",
        "<eos>",
        "the",
        "cat",
        "<eos>",
    ]
    assert made.vocabulary.tokens[:2] == ("<unk>", "<eos>")


def test_a_limit_takes_the_beginning_and_fits_the_vocabulary_to_it(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("a b c d e f g h i j\n" * 10)
    data = DataConfig(name="text", path=str(path), train_limit=4)
    made = Corpus.read(Config(data=data, text=TextConfig()))
    assert spelled(made, "train") == ["a", "b", "c", "d"]
    assert set(made.vocabulary.tokens) == {"<unk>", "<eos>", "a", "b", "c", "d"}
    assert {"e", "j"}.isdisjoint(spelled(made, "test"))
    characters = Corpus.read(Config(data=data, text=TextConfig(level="character")))
    assert spelled(characters, "train") == list("a b ")


def test_one_giant_line_is_read_like_any_text(tmp_path):
    content = "ab " * 700_000  # more than one piece of code points, no line break
    made = corpus(tmp_path, content, level="character")
    assert len(made.part("train").ids) == int(0.9 * len(content))
    words = corpus(tmp_path, content)
    assert set(spelled(words, "train")) == {"ab"}


@pytest.mark.parametrize("name", ["text", "lines"])
def test_own_data_needs_a_path(name):
    with pytest.raises(ConfigError, match=r"needs data\.path"):
        Corpus.read(Config(data=DataConfig(name=name), text=TextConfig()))


def test_an_unknown_data_set_lists_the_known():
    with pytest.raises(ConfigError, match=r"names, penn-treebank.*lines.*got 'mnist'"):
        Corpus.read(Config(data=DataConfig(), text=TextConfig()))


# ---- labelled lines


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "Odd.txt").write_text("\n".join(f"o{i}" for i in range(1, 80, 2)) + "\n\n o1 \no3\n")
    (folder / "Even.txt").write_text("\n".join(f"e{i}" for i in range(0, 20, 2)))
    return folder


def test_labelled_lines_are_split_label_by_label_without_doubles(folder):
    items = read_lines(folder)
    assert {label: len(lines) for label, lines in items.items()} == {"Even": 10, "Odd": 40}
    parts = split_lines(items, TextConfig(validation=0.2, test=0.1), seed=0)
    counts = {part: Counter(label for label, _ in lines) for part, lines in parts.items()}
    assert counts["validation"] == {"Even": 2, "Odd": 8}
    assert counts["test"] == {"Even": 1, "Odd": 4}
    everything = [line for lines in parts.values() for line in lines]
    assert len(set(everything)) == len(everything) == 50
    assert parts != split_lines(items, TextConfig(validation=0.2, test=0.1), seed=1)


def test_a_labelled_line_is_its_label_its_characters_and_the_end(folder):
    made = Corpus.read(
        Config(
            data=DataConfig(name="lines", path=str(folder)),
            text=TextConfig(validation=0.2, test=0.1),
        )
    )
    part = made.part("train")
    tokens = spelled(made, "train")
    first = tokens[: int(part.offsets[1])]
    assert first[0] == "<Even>"
    assert first[-1] == "<eos>"
    assert "".join(first[1:-1]).startswith("e")
    assert part.predictions == int(part.targets().sum()) == len(tokens) - 35
    assert not part.targets()[part.offsets[:-1]].any()


def test_bad_folders_of_lines_are_refused_with_the_reason(tmp_path):
    with pytest.raises(DataError, match="not a folder with a file <label>"):
        read_lines(tmp_path)
    (tmp_path / "A.txt").write_text("x" * 2000 + "\nshort\n")
    with pytest.raises(DataError, match=r"A\.txt has a line of 2,000 characters.*data\.name"):
        read_lines(tmp_path)
