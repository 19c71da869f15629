"""What is searched, as it is typed: values, ranges, and what cannot be."""

import json
from pathlib import Path

import pytest

from carousel import recipes
from carousel.config import Config
from carousel.errors import ConfigError
from carousel.sweep import space
from carousel.sweep.defaults import SUGGESTED, axes, table
from carousel.sweep.space import Choices, Range, parse


def test_values_have_the_type_of_their_setting():
    found = parse(["optimizer.clip_norm=1,2.5", "model.cell=gru,lstm", "model.tied=true,false"],
                  Config(task="generate"))  # fmt: skip
    assert found["optimizer.clip_norm"] == Choices((1.0, 2.5))
    assert [type(v) for v in found["optimizer.clip_norm"].values] == [float, float]
    assert found["model.cell"] == Choices(("gru", "lstm"))
    assert found["model.tied"] == Choices((True, False))


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("optimizer.learning_rate=1e-4:1e-2:log", Range(1e-4, 1e-2, log=True)),
        ("regularization.dropout=0:0.5", Range(0.0, 0.5)),
        ("regularization.dropout=0:0.5:0.25", Range(0.0, 0.5, step=0.25)),
        ("model.hidden_size=8:64", Range(8, 64, step=1, whole=True)),
        ("model.hidden_size=8:64:log", Range(8, 64, log=True, whole=True)),
        ("model.hidden_size=8:64:28", Range(8, 64, step=28, whole=True)),
    ],
)
def test_ranges_are_read(text, axis):
    assert parse([text], Config()) == {text.partition("=")[0]: axis}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model.hiden_size=1,2", "Did you mean 'model.hidden_size'"),
        ("model.hidden_size", "section.key=values"),
        ("model.hidden_size=8", "two values or more"),
        ("model.hidden_size=8,8", "two values or more"),
        ("model.hidden_size=8,0", "model.hidden_size must be at least 1, got 0"),
        ("model.hidden_size=8:9.5", "whole number"),
        ("model.cell=gru,lstn", "Did you mean 'lstm'"),
        ("optimizer.learning_rate=1e-2:1e-4", "must rise"),
        ("optimizer.learning_rate=0:1:log", "above 0"),
        ("optimizer.learning_rate=0.1:1:often", "low:high:step"),
        ("optimizer.learning_rate=nan,0.1", "must be finite numbers"),
        ("optimizer.learning_rate=nan:0.1", "finite ends"),
        ("model.hidden_size=8:inf", "finite ends"),
        ("optimizer.learning_rate=0.1:1:nan", "finite ends"),
        ("model.cell=gru,", "has an empty value"),
        ("model.hidden_size=8,,16", "has an empty value"),
        ("regularization.dropout=0:1", "regularization.dropout must be"),
        ("schedule.warmup=0.1:0.5", "has no effect with schedule.name = 'constant'"),
        ("data.name=mnist,other", "decides what is measured"),
        ("training.monitor=loss,accuracy", "decides what is measured"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_words(text, said):
    with pytest.raises(ConfigError) as error:
        parse([text], Config())
    assert said in str(error.value)


def test_a_setting_that_another_one_calls_for_is_searched_beside_it_and_left_out_elsewhere():
    found = parse(["schedule.warmup=0.1:0.5", "schedule.name=constant,one-cycle"], Config())
    assert list(found) == ["schedule.warmup", "schedule.name"]
    chosen = {"schedule.warmup": 0.2, "schedule.name": "constant"}
    assert space.settled(Config(), chosen) == {"schedule.name": "constant"}
    chosen["schedule.name"] = "one-cycle"
    assert space.settled(Config(), chosen) == chosen


def test_a_grid_has_every_point_once():
    found = parse(
        ["model.hidden_size=8:16:4", "model.cell=gru,lstm", "optimizer.clip_norm=0:0.3:0.1"],
        Config(),
    )
    assert space.size_of_grid(found) == 3 * 2 * 4
    points = [tuple(space.point(found, n).items()) for n in range(24)]
    assert len(set(points)) == 24
    assert {dict(p)["optimizer.clip_norm"] for p in points} == {0.0, 0.1, 0.2, 0.3}


def test_a_range_without_a_step_is_no_grid():
    found = parse(["optimizer.learning_rate=1e-4:1e-2:log"], Config())
    with pytest.raises(ConfigError, match="a step"):
        space.size_of_grid(found)


def test_axes_are_all_in_their_json():
    found = parse(["model.hidden_size=8:16:4", "model.cell=gru,lstm"], Config())
    facts = json.loads(json.dumps(space.to_json(found)))
    assert Range(**facts["model.hidden_size"]) == found["model.hidden_size"]
    assert facts["model.cell"] == {"values": ["gru", "lstm"]}


def test_the_recipe_is_a_point_only_where_each_of_its_values_is():
    config = Config()
    found = parse(["model.hidden_size=64,128", "optimizer.learning_rate=1e-4:1e-2:log"], config)
    assert space.of_recipe(config, found) == {
        "model.hidden_size": 128,
        "optimizer.learning_rate": 1e-3,
    }
    assert space.of_recipe(config, parse(["model.hidden_size=32,64"], config)) is None


# ---- what is suggested


@pytest.mark.parametrize("name", [*recipes.names(), *recipes.own_names()])
def test_every_recipe_has_something_to_search_around_its_own_values(name):
    config = recipes.load(name)[0]
    found = axes(config)
    assert "optimizer.learning_rate" in found
    assert space.of_recipe(config, found) is not None


def test_every_task_has_suggestions_each_with_its_source():
    tasks = {recipes.load(name)[0].task for name in [*recipes.names(), *recipes.own_names()]}
    assert tasks == set(SUGGESTED)
    for some in SUGGESTED.values():
        assert all(one.source and one.about for one in some)


def test_the_page_has_the_table_of_what_is_suggested():
    page = Path(__file__).parents[2] / "docs/sweep.md"
    assert table() in page.read_text(encoding="utf-8")
