"""Parts: the test part is opened last and once, doubles are counted, sets found by their file."""

import subprocess
import sys
import types

import pytest
import torch

from carousel.config import Config, DataConfig
from carousel.data import sets, sources
from carousel.data.labelled_text import LabelledText, Sentences
from carousel.errors import ConfigError


def sentences(*texts):
    return Sentences(list(texts), torch.tensor([i % 2 for i in range(len(texts))]))


def test_the_test_part_is_opened_when_it_is_asked_for_and_once():
    opened = []

    def read():
        opened.append(True)
        return sentences("e")

    parts = LabelledText(sentences("a", "b"), sentences("c"), read)
    assert parts.is_closed
    assert [parts.part(name).texts for name in ("train", "validation")] == [["a", "b"], ["c"]]
    assert not opened
    assert parts.part("test").texts == parts.test.texts == ["e"]
    assert len(opened) == 1
    assert not parts.is_closed
    with pytest.raises(KeyError):
        parts.part("tests")


def test_examples_that_the_training_part_has_too_are_counted():
    parts = LabelledText(sentences("a", "b", "c"), sentences("a", "x"), sentences("b", "c", "y"))
    assert parts.doubles() == {"validation": 1, "test": 2}
    assert parts.account()["sizes"] == {"train": 3, "validation": 2, "test": 3}


def test_a_file_in_sets_is_all_that_a_published_set_takes(monkeypatch):
    def read(config):
        return LabelledText(sentences("a", "b"), sentences(config.data.name), sentences("d"))

    module = types.ModuleType("carousel.data.sets.my_set")
    module.SOURCE = sources.Source("title", "terms", "about", "https://example.org/")
    module.READERS = {"classify_text": {"mine": read}}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    listed = list(sets.pkgutil.iter_modules(sets.__path__))
    found = types.SimpleNamespace(name="my_set")
    sets.sources.cache_clear(), sets.readers.cache_clear()
    monkeypatch.setattr(
        sets.pkgutil, "iter_modules",
        lambda path: [*listed, found] if path is sets.__path__ else [],
    )  # fmt: skip
    try:
        config = Config(data=DataConfig(name="mine"))
        assert LabelledText.read(config).validation.texts == ["mine"]
        assert sources.find("my-set").title == "title"
    finally:
        sets.sources.cache_clear(), sets.readers.cache_clear()


def test_every_reader_belongs_to_a_task_and_names_do_not_clash():
    modules = [*sets._modules(sets.__name__), *sets._modules("carousel.data.files")]
    named = [
        (task, name)
        for module in modules
        for task, readers in getattr(module, "READERS", {}).items()
        for name in readers
    ]
    from carousel import tasks

    assert {task for task, _ in named} == set(tasks.names())
    assert len(named) == len(set(named)) > 30


def test_an_unknown_name_is_met_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"got 'atsi'\. Did you mean 'atis'"):
        sets.find("label_words", "atsi")


def test_to_list_the_sets_needs_no_torch():
    code = (
        "import sys; from carousel.data import sources; assert len(sources.known()) > 20; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
