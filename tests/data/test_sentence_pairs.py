"""Pairs of sentences: read, split without leaks, counted, and refused where they do not fit."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_pairs import pair_config, some_pairs, write_pairs

from carousel.data.files.pairs import aligned
from carousel.data.sentence_pairs import Pairs, Parallel, groups_of
from carousel.errors import ConfigError, DataError


def parallel(path, *more):
    return Parallel.read(pair_config(path, *more))


def pairs_of(part):
    return list(zip(part.sources, part.targets, strict=True))


def test_a_tsv_is_read_whole_without_blank_sides_and_what_stands_behind(tmp_path):
    path = tmp_path / "x.tsv"
    lines = [f"wort {i} \t  word   {i}\tsomebody, 2022" for i in range(20)]
    path.write_text("\r\n".join([*lines, "\tonly this", "nur das\t ", "", '"q" \t"zitat"']))
    data = parallel(path)
    parts = [data.train, data.validation, data.test]
    everything = sorted(pair for part in parts for pair in pairs_of(part))
    assert everything == sorted(
        [('"q"', '"zitat"'), *((f"wort {i}", f"word {i}") for i in range(20))]
    )
    assert data.account()["empty"] == {"train": 3, "validation": 0, "test": 0}


def test_no_sentence_of_either_side_stands_in_two_parts(tmp_path):
    data = parallel(write_pairs(tmp_path))
    parts = [data.train, data.validation, data.test]
    for side in ("sources", "targets"):
        seen = [set(getattr(part, side)) for part in parts]
        assert sum(map(len, seen)) == len(seen[0] | seen[1] | seen[2])
    assert sum(map(len, parts)) == 600
    assert len(data.test) >= 60
    account = data.account()
    for name in ("also_in_training", "sources_in_training", "targets_in_training"):
        assert account[name] == {"validation": 0, "test": 0}


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), max_size=12))
def test_pairs_that_share_a_sentence_through_others_stay_together(pairs):
    of = groups_of(Pairs([a for a, _ in pairs], [b for _, b in pairs]))
    groups = [[i for i, one in enumerate(of) if one == group] for group in set(of)]
    for i, (a, b) in enumerate(pairs):
        for j, (c, d) in enumerate(pairs):
            if a == c or b == d:
                assert of[i] == of[j]
    for group in groups:  # and no more than those: each hangs on to the others
        reached, left = {group[0]}, set(group[1:])
        while left:
            near = {j for j in left if any(set(pairs[i]) & set(pairs[j]) for i in reached)}
            assert near
            reached, left = reached | near, left - near


def test_two_files_in_a_folder_go_together_line_by_line(tmp_path):
    pairs = some_pairs(40)
    (tmp_path / "all.de").write_text("\n".join(a for a, _ in pairs) + "\n")
    (tmp_path / "all.en.gz").write_bytes(gzip.compress("\n".join(b for _, b in pairs).encode()))
    languages = ("translate.source=de", "translate.target=en")
    data = parallel(tmp_path, *languages)
    found = [p for part in (data.train, data.validation, data.test) for p in pairs_of(part)]
    assert sorted(found) == sorted(pairs)
    turned = parallel(tmp_path, "translate.source=en", "translate.target=de")
    assert set(turned.train.sources) <= {b for _, b in pairs}
    with pytest.raises(ConfigError, match="how the names of the files end"):
        parallel(tmp_path)
    with pytest.raises(DataError, match=r"ends with \.ko; it has none"):
        parallel(tmp_path, "translate.source=ko", "translate.target=en")


def test_parts_that_are_given_are_kept_and_the_missing_ones_drawn(tmp_path):
    for part, count, seed in (("train", 50, 0), ("test", 9, 1)):
        for end, side in (("de", 0), ("en", 1)):
            lines = [pair[side] for pair in some_pairs(count, seed)]
            (tmp_path / f"{part}.{end}").write_text("\n".join(lines))
    languages = ("translate.source=de", "translate.target=en")
    data = parallel(tmp_path, *languages)
    assert pairs_of(data.test) == some_pairs(9, 1)
    assert len(data.train) + len(data.validation) == 50
    account = data.account()
    known = {a for a, _ in pairs_of(data.train)}
    assert account["sources_in_training"]["test"] == sum(a in known for a, _ in some_pairs(9, 1))
    (tmp_path / "validation.de").write_text("rennt Hund.")
    with pytest.raises(DataError, match=r"no validation\.en to go with it"):
        parallel(tmp_path, *languages)


def test_what_does_not_fit_is_refused_with_the_place(tmp_path):
    path = tmp_path / "x.tsv"
    for content, says in [
        (b"a\tb\nno tab here\n", r"x\.tsv line 2 must be a sentence, a tab and its translation"),
        (b"a\tb\nc\t\xe4\n", r"x\.tsv is not UTF-8: byte 0xe4 in line 2"),
        (b"", "is empty"),
        (b"a\t\n\tb\n", "has no pair with two sentences"),
    ]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=says):
            parallel(path)
    with pytest.raises(DataError, match="there is no file"):
        parallel(tmp_path / "none.tsv")
    with pytest.raises(DataError, match="de has 2 lines and en 3: line n"):
        aligned("a\nb\n", "a\nb\nc\n", "de", "en")
    with pytest.raises(ConfigError, match=r"needs data\.path"):
        parallel("")
    with pytest.raises(ConfigError, match="Did you mean 'pairs'"):
        parallel(path, "data.name=pair")
    with pytest.raises(ConfigError, match="two of de, en, fr; got 'de' and 'de'"):
        parallel("", "data.name=multi30k", "translate.source=de", "translate.target=de")


def test_multi30k_has_its_published_parts(shared_data):
    shared_data("multi30k")
    config = ("data.name=multi30k", "translate.source=de", "translate.target=en")
    data = parallel("", *config)
    assert [len(data.part(p)) for p in ("train", "validation", "test")] == [29000, 1014, 1000]
    assert data.train.targets[0].startswith("Two young, White males")
    turned = parallel("", "data.name=multi30k", "translate.source=en", "translate.target=de")
    assert turned.test.sources == data.test.targets


def test_tatoeba_is_split_by_sentence(shared_data):
    shared_data("tatoeba-kor-eng")
    config = ("data.name=tatoeba-kor-eng", "translate.source=ko", "translate.target=en")
    data = parallel("", *config)
    parts = [data.train, data.validation, data.test]
    assert sum(map(len, parts)) == 3798
    assert not set(data.train.targets) & {*data.validation.targets, *data.test.targets}
    assert not set(data.validation.targets) & set(data.test.targets)
    assert 0.1 <= len(data.test) / 3798 < 0.15
