"""A plain installation trains; what an extra brings is asked for in a line, before any training."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version
from small_pairs import pair_config, write_pairs
from small_recordings import write_sounds
from small_sentences import sentence_config, write_sentences

from carousel.bulk.over_dask import by_dask
from carousel.bulk.parts import Work
from carousel.bundle import load
from carousel.errors import ConfigError
from carousel.training import train

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
IN_EXTRAS = {"soundfile": "audio", "tokenizers": "text", "sacrebleu": "text"}


@pytest.fixture
def absent(monkeypatch):
    """Makes packages look as if they were not installed."""

    def hide(*names):
        for name in names:
            for loaded in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
                monkeypatch.delitem(sys.modules, loaded)
            monkeypatch.setitem(sys.modules, name, None)

    return hide


def test_every_such_package_comes_with_its_extra_and_not_by_itself():
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    for package, extra in IN_EXTRAS.items():
        assert not [r for r in project["dependencies"] if r.startswith(package)]
        assert [r for r in project["optional-dependencies"][extra] if r.startswith(package)]
        assert extra in project["optional-dependencies"]["all"][0]


@pytest.mark.parametrize("page", ["README.md", "README.ko.md", "docs/index.md", "docs/index.ko.md"])
def test_the_pages_of_installation_name_every_extra(page):
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    text = (PYPROJECT.parent / page).read_text()
    ours = {"all", "test", "bench", "docs", "dev"}
    assert [extra for extra in {*extras} - ours if f"`{extra}`" not in text] == []


def test_a_cluster_asks_for_the_extra(absent):
    absent("distributed")
    with pytest.raises(ConfigError, match=r"needs distributed, .*carousel-rnn\[scale\]"):
        next(by_dask([], Work(Path("run"), load, {}, {}, "", 1), "tcp://127.0.0.1:9"))


def test_a_plain_installation_trains_judges_and_predicts_a_classifier_of_text(absent, tmp_path):
    absent(*IN_EXTRAS)
    config = sentence_config(write_sentences(tmp_path), "training.epochs=1")
    done = train(config, threads=1, run_dir=tmp_path / "run", quiet=True)
    assert (done.path / "report.html").is_file()
    assert done.load().predict(["good film"])


def test_translation_says_before_it_trains_that_its_scores_need_an_extra(absent, tmp_path):
    absent("sacrebleu")
    config = pair_config(write_pairs(tmp_path))
    with pytest.raises(ConfigError, match=r"needs sacrebleu, .* 'carousel-rnn\[text\]'"):
        train(config, threads=1, run_dir=tmp_path / "run", quiet=True)


def test_subwords_ask_for_the_extra(absent, tmp_path):
    absent("tokenizers")
    config = sentence_config(write_sentences(tmp_path), "text.level=subword")
    with pytest.raises(ConfigError, match=r"subword.* needs tokenizers, .*carousel-rnn\[text\]"):
        train(config, threads=1, run_dir=tmp_path / "run", quiet=True)


def test_sounds_ask_for_the_extra_in_one_line_of_the_command_line(absent, carousel, tmp_path):
    folder = write_sounds(tmp_path / "sounds")
    absent("soundfile")
    code, out, err = carousel(
        "train", "own-classify-recordings", "--set", f"data.path={folder}", "--quiet"
    )
    assert (code, out) == (2, "")
    assert "needs soundfile, which is not installed" in err
    assert "pip install 'carousel-rnn[audio]'" in err
    assert err.count("\n") <= 2


def test_the_floor_that_is_tested_is_what_the_project_states():
    """`make test-floor` runs with these versions."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    more = project["optional-dependencies"]
    stated = [*project["dependencies"], *more["audio"], *more["text"]]
    floor = (PYPROJECT.parent / "constraints-floor.txt").read_text().partition("# of the")[0]
    assert dict(map(floor_of, stated)) == dict(map(floor_of, floor.splitlines()[1:]))


def floor_of(requirement):
    name, version = requirement.replace("==", ">=").split(">=")
    return name, Version(version)


def test_the_server_asks_for_its_extra_in_one_line(absent, carousel, tmp_path):
    absent("msgpack")
    code, out, err = carousel("serve", tmp_path)
    assert (code, out) == (2, "")
    assert re.search(r"the server needs \w+, which is not installed: .*carousel-rnn\[serve\]", err)
    assert err.count("\n") == 1
