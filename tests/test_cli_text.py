"""The command line with texts: prompts, scores, data sets, and one readable line for what fails."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from json_output import check
from small_text import text_config, write_text

from carousel.data import sources
from carousel.training import train

CAROUSEL = Path(sys.executable).with_name("carousel")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    config = text_config(write_text(folder))
    return train(config, run_dir=folder / "run", threads=1, quiet=True).path


def carousel(*arguments, **environment):
    done = subprocess.run(
        [CAROUSEL, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    check(arguments, done.returncode, done.stdout)
    return done


def refused(done):
    """The one line that a refused command says."""
    assert done.returncode == 2, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("carousel: ")
    assert "Traceback" not in line
    return line


@pytest.mark.slow
def test_a_prompt_is_written_on_and_the_same_seed_writes_the_same(run):
    ask = ("predict", run, "--prompt", "cats", "--length", 12, "--seed", 4, "--top-p", 0.9)
    first, second = carousel(*ask), carousel(*ask)
    assert first.returncode == 0
    assert first.stdout == second.stdout
    assert first.stdout.startswith("cats ")
    assert first.stdout.endswith("\n")
    assert first.stderr == ""


@pytest.mark.slow
def test_json_holds_every_sample(run):
    done = carousel("predict", run, "--prompt", "cats", "--samples", 3, "--length", 5, "--json")
    answer = json.loads(done.stdout)
    assert [sample["seed"] for sample in answer["samples"]] == [0, 1, 2]
    assert len({sample["text"] for sample in answer["samples"]}) > 1


@pytest.mark.slow
def test_unknown_words_of_a_prompt_are_told_apart_from_the_text(run):
    done = carousel("predict", run, "--prompt", "cats ☃", "--length", 3)
    assert done.returncode == 0
    assert done.stderr == "carousel: not in the model's vocabulary, read as <unk>: ☃\n"


@pytest.mark.slow
def test_a_file_is_scored(run, tmp_path):
    (tmp_path / "x.txt").write_text("cats eat fish\ndogs chase mice\n")
    done = carousel("predict", run, tmp_path / "x.txt")
    assert done.returncode == 0
    assert done.stdout.startswith("7 words, 0.00% of them unknown; perplexity ")
    scored = json.loads(carousel("predict", run, tmp_path / "x.txt", "--json").stdout)
    assert scored["perplexity"] > 1


@pytest.mark.slow
def test_evaluation_shows_frequencies_and_writes_the_report(run):
    done = carousel("evaluate", run)
    assert done.returncode == 0
    assert "times in training" in done.stdout
    assert "test perplexity" in done.stdout
    assert json.loads((run / "evaluation.json").read_text())["part"] == "test"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--prompt", "cats", "--temperature", "-1"), "--temperature must be at least 0"),
        (("--prompt", "cats", "--top-p", "0"), "--top-p must be above 0"),
        (("--prompt", "cats", "--length", "0"), "--length"),
        (("--invert",), "--invert means nothing to a model of the task 'generate'"),
        (("nowhere.txt",), "there is no file nowhere.txt"),
        (("nowhere.txt", "--prompt", "x"), "not both"),
    ],
)
def test_wrong_questions_get_one_line(run, arguments, says):
    assert says in refused(carousel("predict", run, *arguments))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"caf\xe9 au lait\n", "not UTF-8"), (b"too short\n", "too short")],
)
def test_training_on_a_bad_text_gets_one_line_and_leaves_no_folder(tmp_path, content, says):
    (tmp_path / "bad.txt").write_bytes(content)
    recipe = tmp_path / "mine.toml"
    recipe.write_text('task = "generate"\n[data]\nname = "text"\npath = "bad.txt"\n')
    done = subprocess.run(
        [CAROUSEL, "train", recipe, "--run-dir", "run"],
        capture_output=True, text=True, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert says in refused(done)
    assert not (tmp_path / "run").exists()


def test_data_sets_are_listed_with_terms_and_place(tmp_path):
    rows = json.loads(carousel("data", "list", "--json").stdout)
    assert [row["name"] for row in rows] == list(sources.known())
    assert all(row["terms"] for row in rows)
    assert carousel("data", "list").returncode == 0


def test_the_path_of_a_set_is_where_its_files_are(tmp_path):
    empty = {"CAROUSEL_DATA": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    line = refused(carousel("data", "path", "tiny-shakespeare", **empty))
    assert "tiny-shakespeare is not here: carousel data fetch tiny-shakespeare" in line
    assert "Did you mean" in refused(carousel("data", "path", "tiny-shakespear", **empty))


def test_a_set_that_lies_there_is_fetched_without_a_download(shared_data, tmp_path):
    shared_data("tiny-shakespeare")
    there = Path(os.environ["CAROUSEL_DATA"]) / "tiny-shakespeare"
    shutil.copytree(there, tmp_path / "tiny-shakespeare")
    where = {"CAROUSEL_DATA": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for verb in ("fetch", "path"):
        done = carousel("data", verb, "tiny-shakespeare", **where)
        assert done.stdout == f"{tmp_path / 'tiny-shakespeare'}\n"
