"""What `carousel init` makes of tables that are not as they should be, and of lists of files."""

import json
import wave
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from carousel.cli.init import recipe_for
from carousel.data.guesses import guess
from carousel.data.proposal import propose
from carousel.data.table import of_frame, read_table
from carousel.errors import DataError


def stamped(sequences=20, steps=10):
    rows = [
        (f"p{i}", f"2026-01-01T00:{t:02}:00", i + t / 7, "ab"[i % 2])
        for i in range(sequences)
        for t in range(steps)
    ]
    return pl.DataFrame(rows, schema=["pump", "at", "x", "state"], orient="row")


def test_rows_that_stand_twice_do_not_hide_the_id():
    frame = stamped()
    found = guess(of_frame(pl.concat([frame, frame[5:30]])), target="state")
    assert (found.roles["pump"].role, found.task) == ("id", "classify_recordings")
    assert found.sequences == 20


def test_rows_of_one_series_that_stand_twice_make_no_id():
    rows = [(f"2026-01-01T{t // 60:02}:{t % 60:02}:00", t % 7 / 2, "cd"[t % 2]) for t in range(300)]
    frame = pl.DataFrame(rows, schema=["at", "x", "mode"], orient="row")
    found = guess(of_frame(pl.concat([frame, frame[5:30]])), target="x")
    assert found.named("id") == []


@pytest.mark.parametrize("order", ["reversed", "shuffled"])
def test_rows_of_one_series_in_another_order_than_time_make_no_id(order):
    days = np.datetime_as_string(np.datetime64("2024-01-01") + np.arange(300)).tolist()
    rows = [(day, t % 7 / 2, t % 2, ["rain", "sun"][t % 3 // 2]) for t, day in enumerate(days)]
    frame = pl.DataFrame(rows, schema=["date", "sales", "promo", "weather"], orient="row")
    frame = frame[::-1] if order == "reversed" else frame.sample(300, shuffle=True, seed=0)
    found = guess(of_frame(frame), target="sales")
    assert (found.task, found.named("id")) == ("forecast", [])


def test_labels_of_0_and_1_in_turn_are_no_steps_that_begin_again():
    frame = pl.DataFrame({"word": ["good", "bad"] * 30, "label": [1, 0] * 30})
    found = guess(of_frame(frame))
    assert (found.roles["label"].role, found.named("time")) == ("target", [])


def test_dates_that_nobody_can_tell_are_said_before_anything_is_made_of_the_rest(tmp_path, caplog):
    path = tmp_path / "months.csv"
    rows = [f"01/{n % 12 + 1:02}/{2000 + n // 12},{n * n % 97 / 7:.3f}" for n in range(108)]
    path.write_text("month,sales\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match="'month': cells like 01/01/2000 are read as words"):
        guess(read_table(path))
    caplog.set_level(1, "carousel")
    assert recipe_for(path, {"target": "sales"}).task == "regress"
    assert "'month': cells like 01/01/2000 are read as words" in caplog.text


def listed(folder: Path, suffix: str) -> Path:
    """A folder of twelve recordings with a table of their names, classes and makers."""
    for i in range(12):
        if suffix == ".csv":
            pl.DataFrame({"v": np.arange(5.0) + i % 3}).write_csv(folder / f"s{i}.csv")
            continue
        with wave.open(str(folder / f"s{i}.wav"), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes((np.arange(1600) % (20 + i % 3)).astype("<i2").tobytes())
    table = folder / "all.csv"
    rows = [(f"s{i}{suffix}", "abc"[i % 3], f"m{i % 4}") for i in range(12)]
    pl.DataFrame(rows, schema=["datei", "ton", "who"], orient="row").write_csv(table)
    return table


@pytest.mark.parametrize("suffix", [".wav", ".csv"])
def test_a_table_of_files_and_classes_trains_on_the_files(suffix, carousel, tmp_path):
    made = propose(listed(tmp_path, suffix), target="ton")
    assert {name: role.role for name, role in made.guess.roles.items()} == {
        "datei": "file",
        "ton": "target",
        "who": "ignore",
    }
    assert made.config.columns.file == "datei"
    assert made.guess.task == "classify_recordings"
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(made.toml(), encoding="utf-8")
    small = ("--set", "training.epochs=1", "--set", "model.hidden_size=4", "--quiet")
    code, _, err = carousel("train", str(recipe), *small, "--run-dir", str(tmp_path / "run"))
    assert code == 0, err
    new = tmp_path / "new.csv"
    pl.read_csv(tmp_path / "all.csv")[:5].write_csv(new)
    code, out, err = carousel("evaluate", str(tmp_path / "run"), str(new), "--json")
    assert code == 0, err
    assert np.sum(json.loads(out)["confusion"]) == 5
    answers = tmp_path / "answers.csv"
    code, _, err = carousel("predict", str(tmp_path / "run"), str(new), "--out", str(answers))
    assert code == 0, err
    assert [Path(p).name for p in pl.read_csv(answers)["recording"]] == [*pl.read_csv(new)["datei"]]


def test_names_of_files_as_long_as_sentences_are_files(tmp_path):
    table = listed(tmp_path, ".wav")
    frame = pl.read_csv(table)
    for name in frame["datei"]:
        (tmp_path / name).rename(tmp_path / f"spoken_by_george_{name}")
    renamed = pl.lit("spoken_by_george_") + pl.col("datei")
    frame.with_columns(renamed.alias("datei")).write_csv(table)
    for target in ("", "ton"):
        assert propose(table, target=target).guess.named("file") == ["datei"]


def test_names_of_files_that_are_not_there_are_words(tmp_path):
    table = listed(tmp_path, ".csv")
    (tmp_path / "s3.csv").unlink()
    assert propose(table, target="ton").guess.named("file") == []


def test_a_folder_of_sounds_with_a_table_leads_to_the_table(carousel, tmp_path):
    table = listed(tmp_path, ".wav")
    code, _, err = carousel("init", str(tmp_path))
    assert code == 2
    assert f"carousel init {table}" in err


def test_a_table_of_an_unknown_suffix_is_told_so_whatever_is_asked(carousel, tmp_path):
    file = tmp_path / "pumps.foo"
    stamped().write_csv(file)
    for asked in ((), ("--target", "state")):
        code, _, err = carousel("init", str(file), *asked)
        assert code == 2
        assert "it has the suffix '.foo'" in err


def test_a_single_finding_is_told_as_one(carousel, tmp_path):
    stamped().write_csv(tmp_path / "a.csv")
    for language, said in (("en", "audit: 1 finding, 0 of"), ("ko", "점검: 1건, 그 가운데")):
        recipe = tmp_path / f"{language}.toml"
        options = ("--target", "state", "--lang", language, "-o", str(recipe))
        code, out, err = carousel("init", str(tmp_path / "a.csv"), *options)
        assert (code, err) == (0, "")
        assert said in out


def test_a_table_without_an_id_is_not_said_to_change_within_sequences():
    rows = [(f"2026-01-01T00:{t:02}:00", t / 7, "cd"[t % 2]) for t in range(60)]
    found = guess(of_frame(pl.DataFrame(rows, schema=["at", "x", "mode"], orient="row")))
    assert (found.task, found.why) == (
        "label_frames",
        "'mode' has 2 values, and stands in each row",
    )
