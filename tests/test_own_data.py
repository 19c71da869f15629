"""Data of one's own in a recipe for a published set: what is trained on, with which settings."""

import json

import pytest
from every_task import SMALL
from small_measured import write_measured
from small_series import write_series

from carousel import recipes
from carousel.config import Config
from carousel.config.own import WORDS, check
from carousel.errors import ConfigError
from carousel.run.layout import RunFolder
from carousel.tasks import find
from carousel.training import train


def task_of(recipe):
    return recipes.load(recipe)[0].task


OF_TASK = {task_of(name): name for name in recipes.names()}
SHORT = ["model.hidden_size=4", "training.epochs=1"]


def test_every_task_that_reads_data_of_ones_own_has_a_recipe_for_them():
    tasks = [recipes.load(name)[0].task for name in recipes.own_names()]
    assert sorted(tasks) == sorted(WORDS)
    for name in recipes.own_names():
        config, seed = recipes.load(name)
        word = "images" if config.task == "classify" else ""
        assert (config.recipe.name, config.data.name, seed) == (name, word, None)
        assert config.recipe.expected == ""
        assert config.recipe.summary


@pytest.mark.parametrize("task", sorted(WORDS))
def test_a_path_alone_means_data_of_ones_own(task, tmp_path):
    for name in (OF_TASK[task], f"own-{task.replace('_', '-')}"):
        config = recipes.load(name)[0].override([f"data.path={tmp_path / 'mine.csv'}"])
        assert config.data.name == WORDS[task]
        assert config.data.path == str(tmp_path / "mine.csv")


@pytest.mark.parametrize("task", sorted(WORDS))
def test_the_words_for_data_of_ones_own_mean_the_same_in_every_task(task):
    for word in WORDS.values():
        settings = [f"data.name={word}", "data.path=mine.csv"]
        found = recipes.load(OF_TASK[task])[0].override(settings).data.name
        assert found == ("text" if task == "generate" else WORDS[task])


def test_a_folder_of_texts_is_one_of_labelled_lines(tmp_path):
    given = recipes.load("ptb-small")[0].override({"data.path": tmp_path})
    assert given.data.name == "lines"
    assert given.data.path == str(tmp_path)


def test_a_file_that_names_a_path_alone_means_data_of_ones_own(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("task = 'classify_text'\n[data]\npath = 'tickets.csv'\n")
    assert recipes.configured(str(file))[0].data.name == "sentences"


@pytest.mark.parametrize("task", sorted(WORDS))
def test_a_published_set_and_a_path_are_a_contradiction(task, tmp_path):
    name = recipes.load(OF_TASK[task])[0].data.name
    with pytest.raises(ConfigError, match=f"'{name}' asks for a published set.*mine.csv.*name one"):
        recipes.configured(OF_TASK[task], [f"data.name={name}", "data.path=mine.csv"])
    file = tmp_path / "both.toml"
    file.write_text(f"task = '{task}'\n[data]\nname = '{name}'\npath = 'mine.csv'\n")
    with pytest.raises(ConfigError, match="name one of them"):
        recipes.configured(str(file))


def test_images_without_data_are_the_published_digits_but_for_the_recipe_for_ones_own(tmp_path):
    file = tmp_path / "none.toml"
    file.write_text("task = 'classify'\n")
    assert recipes.configured(str(file))[0].data.name == "mnist"
    with pytest.raises(ConfigError, match=r"needs data\.path, a folder"):
        find("classify")(recipes.configured("own-classify")[0], 0)


@pytest.mark.parametrize("task", sorted(set(WORDS) - {"classify"}))
def test_without_any_data_it_is_said_what_is_missing(task, tmp_path):
    file = tmp_path / "none.toml"
    file.write_text(f"task = '{task}'\n")
    for name in (str(file), f"own-{task.replace('_', '-')}"):
        with pytest.raises(ConfigError, match=rf"needs data: data\.path.*{task}\.md.*data\.name"):
            recipes.configured(name)


def test_old_runs_that_name_both_are_still_read():
    both = Config.from_dict({"task": "forecast", "data": {"name": "etth1", "path": "x.csv"}})
    assert (both.data.name, both.data.path) == ("etth1", "x.csv")
    assert both.override(["training.epochs=3"]).data == both.data  # as the coach asks


@pytest.mark.parametrize("name", [n for n in recipes.names() if task_of(n) in WORDS])
def test_nothing_that_a_recipe_says_of_its_set_is_said_of_other_data(name):
    before = recipes.load(name)[0]
    after = before.override(["data.path=mine data.csv"])
    info, was = after.recipe, before.recipe
    assert (info.expected, info.minutes, info.based_on) == ("", 0.0, name)
    assert info.name == f"{before.task.replace('_', '-')}-mine-data"
    assert was.summary not in info.summary
    for tied in ("regress.cap", "frames.noise", "forecast.targets", "forecast.season"):
        section, key = tied.split(".")
        value = getattr(getattr(before, section), key)
        default = getattr(getattr(Config(), section), key)
        assert getattr(getattr(after, section), key) == default
        assert (f"{tied}={value}" in info.dropped.split()) == (value != default)
    assert f"training.batch_size={before.training.batch_size}" in info.taken_over or (
        before.training.batch_size == Config().training.batch_size
    )


def test_what_somebody_sets_wins_over_what_is_dropped():
    settings = {"data.path": "mine", "regress.cap": 100, "recipe.summary": "pumps"}
    config = recipes.load("rul-cmapss")[0].override(settings)
    assert (config.regress.cap, config.frames.noise) == (100.0, 0.0)
    assert config.recipe.summary == "pumps"
    assert config.recipe.dropped == "frames.noise=0.1"
    assert "training.batch_size=10" in config.recipe.taken_over


def test_another_published_set_takes_nothing_over_that_was_said_of_the_first():
    config = recipes.load("forecast-bike")[0].override(["data.name=etth1"])
    assert (config.forecast.targets, config.forecast.season) == ("", 1)
    assert (config.recipe.name, config.recipe.expected) == ("forecast-etth1", "")


def test_the_same_data_keep_everything():
    before = recipes.load("rul-cmapss")[0]
    assert before.override(["data.name=c-mapss", "regress.cap=130"]).recipe == before.recipe


def test_a_file_of_ones_own_keeps_its_settings_on_other_data_of_ones_own():
    mine = Config.from_dict(
        {
            "task": "regress",
            "recipe": {"name": "pumps", "expected": "RMSE 3"},
            "data": {"name": "recordings", "path": "a"},
            "regress": {"cap": 80.0},
        }
    )
    other = mine.override(["data.path=b"])
    assert (other.regress.cap, other.recipe) == (80.0, mine.recipe)


def test_a_recipe_for_a_set_trains_on_the_file_that_is_named(tmp_path, capsys):
    path = write_series(tmp_path)
    run = train("forecast-etth1", {"data.path": path, "model.hidden_size": 4, "training.epochs": 1},
                run_dir=tmp_path / "run")  # fmt: skip
    out = capsys.readouterr().err
    assert "not taken over from forecast-etth1" in out
    assert "forecast.season=24" in out
    assert "training.batch_size=32" in out
    assert "training.epochs" not in out
    assert run.result["recipe"] == "forecast-series"
    assert run.load().config.data.path == str(path)
    assert RunFolder.open(run.path).config.recipe.expected == ""
    assert "etth1" not in (run.path / "result.json").read_text()


def test_engines_of_ones_own_are_neither_capped_nor_scored_as_those_of_the_challenge(tmp_path):
    folder = write_measured(tmp_path)
    run = train("rul-cmapss", [f"data.path={folder}", *SHORT], run_dir=tmp_path / "r", quiet=True)
    result = json.loads((run.path / "result.json").read_text())
    assert "phm_score" not in result["test"]
    assert "rmse_capped" not in result["test"]
    capped = ["regress.cap=10", *SHORT, f"data.path={folder}"]
    again = train("rul-cmapss", capped, run_dir=tmp_path / "again", quiet=True)
    assert "rmse_capped" in again.result["test"]


@pytest.mark.parametrize("kind", [kind for kind in SMALL if kind != "classify"])
def test_the_neutral_recipe_of_a_task_makes_a_model_for_small_data(kind, tmp_path):
    small = SMALL[kind](tmp_path)
    name = f"own-{small.task.replace('_', '-')}"
    roles = ("id", "time", "target", "category") if kind == "forecast_many" else ()
    told = {f"columns.{role}": getattr(small.columns, role) for role in roles}
    config, _ = recipes.configured(name, {"data.path": small.data.path, **told})
    task = find(config.task)(config, 0)
    assert task.batches_per_epoch >= 1
    assert config.recipe.taken_over == config.recipe.dropped == ""
    task.build_model()


def test_a_name_that_no_set_has_is_not_said_to_be_one():
    with pytest.raises(ConfigError, match="'mine' asks for a published set"):
        check("forecast", "mine", "mine.csv")
