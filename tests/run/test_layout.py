"""The run folder: repeatable from its own config.toml, held by one process, version-checked."""

import multiprocessing
import tomllib

import pytest
from small import small_config

from carousel import recipes
from carousel.errors import RunError
from carousel.run.layout import RunFolder, new_path
from carousel.training.new_run import new_run


def make(path, config=None):
    return new_run(path, config or small_config(), seed=7, threads=1, device="cpu")


def test_a_folder_that_was_made_opens_as_the_same(tmp_path):
    made = make(tmp_path / "deep" / "run")
    assert RunFolder.open(tmp_path / "deep" / "run") == made
    assert not made.finished


def test_its_config_is_a_recipe_that_states_the_seed_and_the_versions(tmp_path):
    config = small_config("regularization.l2.head=0.125")
    make(tmp_path, config)
    assert recipes.load(str(tmp_path / "config.toml")) == (config, 7)
    versions = tomllib.loads((tmp_path / "config.toml").read_text())["run"]["versions"]
    assert {"carousel", "torch", "python", "isa"} <= versions.keys()


def test_a_folder_with_anything_in_it_is_not_taken(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty: it holds something else than a run"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be made"):
        make(tmp_path / "file")


def test_what_is_no_run_folder_says_why(tmp_path):
    with pytest.raises(RunError, match="is not a run folder: it does not exist"):
        RunFolder.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"is not a run folder: it has no config\.toml"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format = 1", "format = 2", r"newer Carousel \(run format 2.*pip install -U"),
        ("seed = 7", "seed = 'x'", "cannot be read|invalid literal"),
        ("seed = 7", "", r"has no run\.seed"),
        ("threads = 1", "threads = 0", "threads 0"),
        ("hidden_size = 12", "hidden_size = 0", "model.hidden_size must be at least 1"),
        ("[run]", "[run", "not valid TOML"),
        ("[run]", "", r"has no run\.seed"),
    ],
)
def test_a_newer_or_damaged_folder_is_refused_in_one_line(tmp_path, old, new, says):
    make(tmp_path)
    text = (tmp_path / "config.toml").read_text()
    assert old in text
    (tmp_path / "config.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(RunError, match=says) as caught:
        RunFolder.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_lock_held_here_is_refused_there_and_free_again_after(tmp_path):
    run = make(tmp_path)
    with run.locked(), pytest.raises(RunError, match="another process is working on the run"):
        RunFolder.open(tmp_path).locked().__enter__()
    with RunFolder.open(tmp_path).locked():
        pass


def hold_and_die(path):
    RunFolder.open(path).locked().__enter__()


@pytest.mark.slow
def test_a_lock_dies_with_its_process(tmp_path):
    make(tmp_path)
    process = multiprocessing.get_context("forkserver").Process(
        target=hold_and_die, args=(tmp_path,)
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0
    with RunFolder.open(tmp_path).locked():
        pass


def test_new_paths_are_new(tmp_path):
    first = new_path(tmp_path, "mine")
    first.mkdir()
    second = new_path(tmp_path, "mine")
    assert first != second
    assert first.name.startswith("mine-")
