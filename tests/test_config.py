"""Recipes and settings: what is accepted, and what the error says otherwise."""

import math

import pytest

from carousel import recipes
from carousel.cells import table
from carousel.config import Config, settable_keys
from carousel.errors import ConfigError


def test_defaults_survive_the_way_through_a_dictionary():
    config = Config().override(["model.hidden_size=7", "regularization.l2.recurrent=1e-4"])
    assert Config.from_dict(config.to_dict()) == config
    assert config.regularization.l2.recurrent == 1e-4


@pytest.mark.parametrize(
    ("assignment", "section", "key", "value"),
    [
        ("model.cell=gru", "model", "cell", "gru"),
        ("model.cell='gru'", "model", "cell", "gru"),
        ("model.bidirectional=true", "model", "bidirectional", True),
        ("optimizer.learning_rate=1e-2", "optimizer", "learning_rate", 0.01),
        ("optimizer.learning_rate=1", "optimizer", "learning_rate", 1.0),
        (" training.epochs = 3 ", "training", "epochs", 3),
        ("data.path=2024", "data", "path", "2024"),
        ("data.path=2024-01-31", "data", "path", "2024-01-31"),
        ("data.path=007", "data", "path", "007"),
        ("data.path='2024'", "data", "path", "2024"),
        ("data.hold_out=1.50", "data", "hold_out", "1.50"),
        ("recipe.name=true", "recipe", "name", "true"),
    ],
)
def test_set_reads_values_by_the_type_of_the_key(assignment, section, key, value):
    got = getattr(getattr(Config().override([assignment]), section), key)
    assert got == value
    assert type(got) is type(value)


def test_later_settings_win():
    assert Config().override(["training.epochs=3", "training.epochs=4"]).training.epochs == 4


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("model.hidden", "section.key=value"),
        ("model.hiden_size=3", "Did you mean 'model.hidden_size'"),
        ("hidden_size=3", "unknown key 'hidden_size'"),
        ("model=3", "unknown key 'model'"),
        ("model.hidden_size=big", "model.hidden_size must be a whole number, got 'big'"),
        ("model.hidden_size=1.5", "must be a whole number, got 1.5"),
        ("model.hidden_size=true", "must be a whole number, got True"),
        ("model.hidden_size=0", "model.hidden_size must be at least 1, got 0"),
        ("model.cell=lsmt", f"must be one of {', '.join(table.names())}; got 'lsmt'"),
        ("model.cell=lsmt", "Did you mean 'lstm'"),
        ("model.bidirectional=1", "must be true or false"),
        ("regularization.dropout=0.99", "at least 0 and at most 0.95"),
        ("optimizer.learning_rate=0", "above 0"),
        ("optimizer.learning_rate=nan", "above 0"),
        ("optimizer.learning_rate=inf", "above 0"),
        ("model.forget_bias=nan", "must be a finite number"),
        ("training.min_delta=inf", "at least 0"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_may_be(assignment, says):
    with pytest.raises(ConfigError) as caught:
        Config().override([assignment])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_lists_the_valid_ones_of_its_section():
    with pytest.raises(ConfigError) as caught:
        Config().override(["schedule.shape=x"])
    for key in settable_keys():
        assert (key in str(caught.value)) == key.startswith("schedule.")


def test_text_in_a_file_that_looks_like_a_number_is_told_to_be_quoted():
    with pytest.raises(ConfigError, match=r"data\.path must be text, got 2024: .* '2024'"):
        Config.from_dict({"data": {"path": 2024}})


def test_a_section_must_be_a_table():
    with pytest.raises(ConfigError, match="'model' must be a table"):
        Config.from_dict({"model": 3})
    with pytest.raises(ConfigError, match=r"unknown key 'model\.l1'"):
        Config.from_dict({"model": {"l1": {}}})


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_loads_and_says_what_it_is(name):
    config, seed = recipes.load(name)
    info = config.recipe
    assert seed is None
    assert info.name == name
    assert info.summary
    assert info.mapping
    assert info.expected
    assert math.isfinite(info.minutes)
    assert info.minutes > 0


def test_an_unknown_recipe_suggests_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'mnist-rows'"):
        recipes.load("mnist-row")


def test_a_file_is_a_recipe_and_may_state_a_seed(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[run]\nseed = 7\n[model]\ncell = 'gru'\n")
    config, seed = recipes.load(str(file))
    assert (config.recipe.name, config.model.cell, seed) == ("mine", "gru", 7)


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read"), (b"[model", "not valid TOML"), (b"\xff", "TOML")],
)
def test_a_bad_file_is_an_error_that_names_it(tmp_path, content, says):
    file = tmp_path / "bad.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.toml") as caught:
        recipes.load(str(file))
    assert says in str(caught.value)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_bytes(b"\xef\xbb\xbf[model]\ncell = 'gru'\n")
    assert recipes.load(str(file))[0].model.cell == "gru"


@pytest.mark.parametrize("value", ["2024", "1e5", "true", "2024-01-31", "'2024'"])
def test_text_that_looks_like_something_else_is_text_where_text_is_wanted(value):
    assert Config().override([f"data.path={value}"]).data.path == value.strip("'")


def test_settings_may_be_a_dictionary(tmp_path):
    given = {
        "training.epochs": 3,
        "model.cell": "gru",
        "optimizer.learning_rate": 1,
        "data.path": tmp_path,
    }
    config = Config(task="regress").override(given)
    assert (config.training.epochs, config.model.cell) == (3, "gru")
    assert (config.optimizer.learning_rate, config.data.path) == (1.0, str(tmp_path))


@pytest.mark.parametrize(
    "settings",
    [["model.cell"], "model.cell=gru", {"model.cel": "gru"}, {"training.epochs": "3"},
     {"training": 3}, {3: 4}, ["model.cel=gru"], {"data.path": None}],
)  # fmt: skip
def test_wrong_settings_from_python_are_not_answered_with_options_of_the_command_line(settings):
    with pytest.raises(ConfigError) as caught:
        Config().override(settings)
    assert "--" not in str(caught.value)


FILES = {
    "a.csv": ("day,x\n2020-01-01,3\n", "own-forecast"),
    "b.csv": ("label,text\ngood,a film\n", "own-classify-text"),
    "c.tsv": ("good\ta film\n", "own-classify-text"),
    "d.txt": ("once upon a time\n", "own-generate"),
    "e.conll": ("a DT\n", "own-label-words"),
    "f/captions.csv": ("file,caption\n", "own-caption"),
    "g/r1.csv": ("x,label\n1,2\n", "own-label-frames"),
    "h/up/r1.csv": ("x\n1\n", "own-classify-recordings"),
    "i/up/r1.wav": ("", "own-classify-recordings"),
    "j/good.txt": ("anna\n", "own-generate"),
}


@pytest.mark.parametrize("name", FILES)
def test_data_in_place_of_a_recipe_are_answered_with_the_command_that_trains_on_them(
    name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    content, recipe = FILES[name]
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    given = name.split("/")[0]
    with pytest.raises(ConfigError) as caught:
        recipes.load(given)
    assert f"carousel train {recipe} --set data.path={given} " in str(caught.value)
    assert "mnist-rows" not in str(caught.value)
    config, _ = recipes.configured(recipe, [f"data.path={given}"])
    assert config.data.path == given


def test_a_file_of_a_kind_that_nothing_reads_is_no_misspelt_recipe(tmp_path):
    file = tmp_path / "mine data.pdf"
    file.write_bytes(b"%PDF-")
    with pytest.raises(ConfigError, match="nothing here reads") as caught:
        recipes.load(str(file))
    assert "mnist-rows" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["mine.parquet", "mine.XLSX", "mine.ndjson.gz", "imported/store.json"]
)
def test_a_table_is_no_recipe_and_init_writes_one_for_it(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"{}")
    given = file.parent if name.endswith("store.json") else file
    with pytest.raises(
        ConfigError, match=rf"not a recipe\. carousel init .*{given.name} writes one"
    ):
        recipes.load(str(given))
