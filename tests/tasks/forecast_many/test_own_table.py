"""A long table of one's own becomes a forecast of many series, in the command line and Python."""

import json
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from small_many import many_rows, write_many

import carousel as library
from carousel.data.files.table_many import many_series_of
from carousel.data.guesses import guess
from carousel.data.pace import Pace
from carousel.data.proposal import propose
from carousel.data.sizes import longer_season, seasons_of_many
from carousel.data.table import of_frame
from carousel.errors import DataError

ROLES = ("--id", "shop", "--time", "day", "--target", "sold")
ASKED = {"id": "shop", "time": "day", "target": "sold"}


def days(count, start=date(2024, 1, 1)):
    return [start + timedelta(t) for t in range(count)]


def long(count=8, steps=40, **columns):
    """Rows of `count` series by `shop`, at `day`, and further columns of functions (i, t)."""
    n = range(count * steps)
    base = {
        "shop": [f"s{k // steps}" for k in n],
        "day": [days(steps)[k % steps] for k in n],
    }
    made = {name: [f(k // steps, k % steps) for k in n] for name, f in columns.items()}
    return pl.DataFrame({**base, **made})


def value(i, t):
    return 3.25 * (i + 1) + (t % 7) + 0.01 * t


def messy():
    """Series that start on other days, with offers known for four days to come, empty cells,
    missing rows, a row that stands twice, and a series of five days."""
    rows = []
    for name, day, sold, offer, region in many_rows(10):
        if int(name[1:]) == 9 and day > date(2024, 1, 9):
            continue
        if day.day == 17 and name == "s3":
            continue
        rows.append((name, day, None if day.day == 20 else float(sold), offer, region))
    ends = {name: (day, region) for name, day, _, _, region in rows}
    for name, (day, region) in ends.items():
        rows += [(name, day + timedelta(k), None, k % 2, region) for k in range(1, 5)]
    rows.append(rows[7])
    return pl.DataFrame(rows, ["shop", "day", "sold", "offer", "region"], orient="row")


# ---- what is guessed


def test_a_number_of_many_series_in_time_is_forecast_and_said_with_the_other_task():
    found = guess(of_frame(long(sold=value, price=lambda i, t: 2.5 + t % 3)), **ASKED)
    assert found.task == "forecast_many"
    assert found.why == (
        "8 series in time by 'shop', and the number 'sold' to come; the task 'regress' would find "
        "it from the columns beside it"
    )
    assert found.split_why.startswith("in time, each series by itself")


def test_the_one_number_of_series_in_time_is_the_target_if_none_is_named():
    found = guess(of_frame(long(sold=value)))
    assert (found.task, found.named("target"), found.named("id")) == (
        "forecast_many", ["sold"], ["shop"],
    )  # fmt: skip


def test_counts_are_forecast_and_states_are_labelled():
    chance = np.random.default_rng(1)
    few = chance.poisson(1.0, (8, 40)).tolist()
    many = chance.poisson(6.0, (8, 40)).tolist()
    for name, values in (("sold", few), ("things", many)):
        frame = long(**{name: lambda i, t, values=values: values[i][t]})
        found = guess(of_frame(frame), id="shop", time="day", target=name)
        assert (name, found.task) == (name, "forecast_many")
        assert "the task 'label_frames' would take its values for classes" in found.why
    states = guess(of_frame(long(mode=lambda i, t: t // 10)), id="shop", time="day", target="mode")
    assert states.task == "label_frames"
    assert "the task 'forecast_many' would forecast it as a number" in states.why


def test_steps_that_are_counted_are_forecast_where_nothing_else_is_measured():
    alone = long(y=value).with_columns(step=pl.Series([*range(40)] * 8)).drop("day")
    assert guess(of_frame(alone), id="shop", time="step", target="y").task == "forecast_many"
    beside = alone.with_columns(x=pl.Series(np.random.default_rng(0).normal(size=320)))
    assert guess(of_frame(beside), id="shop", time="step", target="y").task == "regress"


def test_another_task_can_be_asked_for():
    assert guess(of_frame(long(sold=value)), **ASKED, task="regress").task == "regress"
    with pytest.raises(DataError, match="ask for the task 'forecast_many'"):
        guess(of_frame(long(sold=value)), **ASKED, task="forecast")


def test_two_columns_together_tell_series_apart():
    frame = long(sold=value).with_columns(
        item=pl.Series([f"i{k // 40 % 4}" for k in range(320)]),
        shop=pl.Series([f"s{k // 160}" for k in range(320)]),
    )
    found = guess(of_frame(frame), target="sold")
    assert (found.task, found.named("id"), found.sequences) == (
        "forecast_many", ["shop", "item"], 8,
    )  # fmt: skip
    named = guess(of_frame(frame), id="shop, item", time="day", target="sold")
    assert (named.task, named.sequences) == ("forecast_many", 8)
    half = guess(of_frame(frame), **ASKED)
    assert half.task == "regress"
    assert "told apart by 'shop, item' no time stands twice" in half.why
    with pytest.raises(DataError, match="name 'shop, item' as id"):
        guess(of_frame(frame), **ASKED, task="forecast_many")


def test_columns_are_known_where_they_go_on_behind_the_target_of_most_series():
    def coming(i, t):
        return None if t >= 36 else value(i, t)

    def one(i, t):
        return None if i == 3 and t >= 36 else value(i, t)

    known = guess(of_frame(long(sold=coming, offer=lambda i, t: t % 2)), **ASKED)
    assert known.named("known") == ["offer"]
    lost = guess(of_frame(long(sold=one, offer=lambda i, t: t % 2)), **ASKED)
    assert lost.named("known") == []
    made = propose(
        "sales", *("sold", "shop", "day"), table=of_frame(long(sold=coming, offer=value))
    )
    assert made.config.columns.known == "offer"
    assert made.config.forecast.horizon == 4


@pytest.mark.parametrize(
    ("step", "usual", "wanted", "more"),
    [
        ("1 day", 365, (7, 28, 7), 0),
        ("1 day", 20, (7, 13, 3), 0),
        ("1 hour", 800, (24, 168, 24), 168),
        ("1 hour", 60, (24, 40, 10), 0),
        ("1 month", 60, (12, 40, 10), 0),
        ("1 day", 5, (7, 7, 1), 0),
        ("", 100, (1, 24, 6), 0),
    ],
)
def test_horizon_and_context_follow_from_the_step_and_the_usual_length(step, usual, wanted, more):
    assert seasons_of_many(step, usual) == wanted
    assert longer_season(step, wanted[0], wanted[1]) == more


# ---- what is read


def test_a_step_is_the_same_in_whatever_unit_times_are_written():
    assert Pace(1, "D") == Pace(86_400_000, "ms") == Pace(24, "h")
    assert Pace(1, "D") != Pace(1, "M") != Pace(1, "")
    assert hash(Pace(60, "m")) == hash(Pace(1, "h"))
    pace, starts = Pace(86_400, "s").coarsest(np.array([0, 86_400 * 3 + 43_200]))
    assert ((pace.every, pace.unit), starts.tolist()) == ((2 * 12, "h"), [0, 84])


def test_rows_that_stand_twice_are_left_out_and_two_of_one_time_are_refused():
    frame = long(2, 12, sold=value)
    config = propose("t", *ASKED.values(), table=of_frame(frame)).config
    config = config.override(
        {"columns.id": "shop", "columns.time": "day", "columns.target": "sold"}
    )
    twice, other = pl.concat([frame, frame[3:5]]), frame[3:4].with_columns(sold=pl.lit(99.0))
    for some in (twice, twice.sort("shop", "day")):
        series, _ = many_series_of(of_frame(some), config)
        assert np.diff(series.firsts).tolist() == [12, 12]
        assert "2 rows stand before, alike in every column: left out" in series.notes
    both = pl.concat([frame, other])
    for some in (both, both.sort("shop", "day", maintain_order=True)):
        with pytest.raises(DataError, match=r"'s0' has 2024-01-04 more than once \(row 5\)"):
            many_series_of(of_frame(some), config)
    # Rows 2 and 3 stand twice as well, but alike: they are not what is wrong.
    with pytest.raises(DataError, match=r"'s0' has 2024-01-04 more than once \(row 5\)"):
        many_series_of(of_frame(pl.concat([frame, frame[:2], other])), config)


def test_a_row_that_is_lost_before_those_to_come_has_come(tmp_path):
    frame = messy().filter(~((pl.col("shop") == "s0") & (pl.col("day") == date(2024, 3, 10))))
    made = propose("t", "sold", "shop", "day", table=of_frame(frame.head(len(frame) - 1)))
    series, _ = many_series_of(of_frame(frame.head(len(frame) - 1)), made.config)
    assert (series.firsts[1:] - series.ends == 4).all()


# ---- every verb


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the messy table that `carousel train TABLE` made, and its folder."""
    folder = tmp_path_factory.mktemp("many")
    messy().write_csv(folder / "sales.csv")
    messy().write_parquet(folder / "sales.parquet")
    made = propose(folder / "sales.csv", "sold", "shop", "day")
    small = ["training.epochs=2", "model.hidden_size=8"]
    library.train(made.config, small, run_dir=folder / "run", threads=1, quiet=True)
    return folder / "run"


def test_init_writes_a_recipe_that_check_and_train_take(carousel, tmp_path):
    messy().write_csv(tmp_path / "sales.csv")
    code, out, _ = carousel("init", "sales.csv", *ROLES, "--json")
    told = json.loads(out)
    assert (code, told["refused"], told["task"]["name"]) == (0, "", "forecast_many")
    assert told["recipe"]["columns"]["known"] == "offer"
    assert told["recipe"]["forecast"]["season"] == 7
    code, out, _ = carousel("check", "sales.toml", "--seconds", "0.5", "--threads", "1")
    assert code == 0, out


def test_train_says_what_it_took_the_table_for(carousel, tmp_path):
    write_many(tmp_path)
    code, _, err = carousel(
        "train", "many.csv", *ROLES, "--set", "training.epochs=1", "--threads", "1"
    )
    assert code == 0
    assert "many.csv: forecast_many, as 12 series in time by 'shop', and the number 'sold'" in err
    _, _, err = carousel(
        "train", "many.csv", "--set", "training.epochs=0", "--task", "forecast_many"
    )
    assert "many.csv: forecast_many, as asked\n" in err


def test_csv_and_parquet_get_the_same_forecasts(carousel, run):
    for name in ("csv", "parquet"):
        code, _, err = carousel(
            "predict", run, run.parent / f"sales.{name}", "--out", f"{name}.csv"
        )
        assert code == 0, err
    csv, parquet = (pl.read_csv(f"{name}.csv") for name in ("csv", "parquet"))
    assert csv.equals(parquet)
    assert len(csv) == 10 * 4


def test_an_unknown_series_is_forecast_and_a_table_without_what_is_known_is_refused(carousel, run):
    cold = messy().head(-1).filter(pl.col("shop") == "s2").with_columns(shop=pl.lit("new"))
    cold.write_csv("cold.csv")
    code, out, _ = carousel("predict", run, "cold.csv", "--json")
    assert (code, json.loads(out)[0]["series"]) == (0, "new")
    messy().head(-1).filter(pl.col("sold").is_not_null()).write_csv("past.csv")
    code, _, err = carousel("predict", run, "past.csv", "--json")
    assert code == 2
    assert "must end with rows for the 4 steps to come" in err


@pytest.mark.parametrize("verb", ["evaluate", "inspect", "report"])
def test_a_run_of_a_long_table_is_read_by_every_verb(verb, carousel, run):
    code, out, err = carousel(verb, run)
    assert code == 0, out + err


def test_a_frame_is_fitted_without_a_file():
    frame = messy().head(-1)
    model = library.fit(
        frame, target="sold", id="shop", time="day", epochs=1, threads=1, quiet=True
    )
    assert model.config.task == "forecast_many"
    answers = model.predict(frame)
    assert [len(one.values["sold"]) for one in answers] == [4] * 10
