"""`carousel backtest` as a person meets it."""

import json
from datetime import date

import polars
import pytest
from small_backtest import SHORT
from small_series import series_config, write_series

from carousel.config import Config

SETTINGS = ("--windows", 3, "--threads", 1)


@pytest.fixture
def recipe(tmp_path):
    import tomli_w

    config = series_config(write_series(tmp_path, 300), *SHORT)
    path = tmp_path / "waves.toml"
    values = config.override({"recipe.name": "waves"}).to_dict()
    path.write_text(tomli_w.dumps(values))
    assert isinstance(Config.from_dict(values), Config)
    return path


def test_the_tables_the_picture_and_a_file_of_forecasts_are_there(carousel, recipe, tmp_path):
    code, out, err = carousel("backtest", recipe, *SETTINGS, "--out", "f.csv")
    assert code == 0, err
    assert "3 windows of 5 steps, 5 apart, after 1 training" in out
    for name in ("waves", "last value", "seasonal naive", "linear", "step ahead"):
        assert name in out
    folder = tmp_path / "runs/waves-backtest"
    assert (folder / "backtest.png").read_bytes().startswith(b"\x89PNG")
    table = polars.read_csv(tmp_path / "f.csv")
    assert len(table) == 15
    assert table.columns[:6] == ["window", "series", "step", "time", "truth", "forecast"]
    result = json.loads((folder / "backtest.json").read_text())
    errors = (table["truth"] - table["forecast"]).abs()
    assert errors.mean() == pytest.approx(result["overall"]["network"]["mae"])


def test_json_is_all_of_standard_output_and_that_of_compare_is_the_same(carousel, recipe):
    code, out, err = carousel("backtest", recipe, *SETTINGS, "--json")
    assert code == 0, err
    folder = json.loads(out)["folder"]
    assert carousel("compare", folder, "--json")[1] == out
    assert "waves" in carousel("compare", folder)[1]
    code, out, _ = carousel("backtest", f"{folder}/run-1", "--windows", 2, "--json")
    assert code == 0
    assert json.loads(out)["of"] == "run"


def test_a_table_with_times_is_backtested_as_a_forecast_whatever_else_it_has(carousel, tmp_path):
    days = polars.date_range(date(2024, 1, 1), date(2024, 9, 30), eager=True)
    wave = [100 + day % 7 for day in range(len(days))]
    offer = [day % 2 for day in range(len(days))]
    polars.DataFrame({"day": days, "sales": wave, "offer": offer}).write_csv(tmp_path / "shop.csv")
    small = ("--set", "training.epochs=1", "--set", "model.hidden_size=4", "--threads", 1)
    code, out, err = carousel("backtest", "shop.csv", "--windows", 1, *small, "--json")
    assert code == 0, err
    assert json.loads(out)["series"] == ["sales", "offer"]
    texts = [f"this is the {'good' if n % 2 else 'bad'} word number {n}" for n in range(60)]
    polars.DataFrame({"text": texts, "label": ["a", "b"] * 30}).write_csv("texts.csv")
    assert "a backtest is of the task" in carousel("backtest", "texts.csv")[2]


def test_what_is_wrong_is_one_line_that_names_options(carousel, recipe):
    carousel("backtest", recipe, *SETTINGS, "--quiet")
    run = "runs/waves-backtest/run-1"
    for arguments, said in (
        ((recipe, "--refit", "often"), "--refit must be once, every"),
        ((recipe, "--out", "f.pdf"), "--out must end with .csv or .parquet"),
        ((recipe, "--windows", "70"), "fewer of them, or a smaller step"),
        ((run, "--refit", "every"), "--refit is of trainings"),
        ((run, "--windows", 9), "ask for at most 3"),
        (("mnist-rows",), "of the tasks 'forecast' and 'forecast_many', and this is 'classify'"),
    ):
        code, out, err = carousel("backtest", *arguments)
        assert (code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1
