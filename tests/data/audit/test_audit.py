"""The audit of a table: what must fire and what must stay silent, in every language."""

import functools
import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from carousel import load, tasks
from carousel.config import Config
from carousel.data.audit import LANGUAGES, Finding, Seen, audit, audit_new, by_severity, seen_of
from carousel.data.audit.checks import CHECKS
from carousel.data.audit.finding import texts
from carousel.data.audit.page import SEVERITIES_OF, page, path_of
from carousel.data.table import of_frame

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "cases.yaml").read_text(encoding="utf-8"))
DOCS = HERE.parents[2] / "docs"
NOW = 1_800_000_000.0
CODES = list(texts("en")["findings"])


@functools.cache
def _noise(column):
    return np.random.default_rng(column).normal(size=2000)


def noise(i, column):
    return float(_noise(column)[i])


def hour(i):
    return str(np.datetime64("2020-01-01T00:00") + np.timedelta64(i, "h"))


def table_of(made):
    known = {"noise": noise, "hour": hour}
    columns = {
        name: [eval(expression, known, {"i": i}) for i in range(made["n"])]
        for name, expression in made["columns"].items()
    }
    frame = {
        name: [None if v is None else str(v) for v in cells]
        if any(isinstance(v, str) for v in cells)
        else cells
        for name, cells in columns.items()
    }
    return of_frame(pl.DataFrame(frame, strict=False), fewest=1)


def audited(case):
    values = {
        "task": case["task"],
        "data": {"path": "x.parquet"},
        "columns": case["roles"],
        "split": case.get("split", {}),
    }
    config = Config.from_dict(values)
    if "new" not in case:
        return audit(table_of(case), config, NOW)
    kept = json.loads(json.dumps(seen_of(table_of(case), config).to_json()))
    return audit_new(table_of(case["new"]), config, Seen.from_json(kept))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_finding_fires_where_it_must_and_nothing_else_does(case):
    found = audited(case)
    codes = {finding.code for finding in found}
    assert set(case["fires"]) <= codes
    assert codes <= {*case["fires"], *case.get("also", [])}
    assert {f.code for f in found if f.severity == "severe"} >= set(case.get("severe", []))
    for finding in found:
        assert finding.severity in SEVERITIES_OF.get(finding.code, ("warning",))
        json.dumps(finding.to_dict("ko"))
        for language in LANGUAGES:
            assert not re.search(r"[{}]", "".join(finding.lines(language)))


@pytest.mark.parametrize(("known", "fires"), [("price", False), ("", True)])
def test_rows_of_steps_to_come_lack_no_target(known, fires):
    rows = [(shop, hour(i), i % 7, None if i > 95 else i % 5) for shop in "ab" for i in range(100)]
    frame = pl.DataFrame(rows, schema=["shop", "t", "price", "sold"], orient="row")
    roles = {"id": "shop", "time": "t", "target": "sold", "known": known}
    config = Config.from_dict(
        {"task": "forecast_many", "data": {"path": "x.parquet"}, "columns": roles}
    )
    assert ("D019" in {one.code for one in audit(of_frame(frame), config, NOW)}) == fires
    rows[40] = ("a", hour(40), 3, None)  # one among those that have come
    frame = pl.DataFrame(rows, schema=["shop", "t", "price", "sold"], orient="row")
    (found,) = [one for one in audit(of_frame(frame), config, NOW) if one.code == "D019"]
    assert found.numbers["count"] == (9 if fires else 1)


def test_a_step_is_said_in_the_readers_language():
    found = Finding("D002", "warning", ("t",), {"count": 3, "step": "1 day", "filled": 4})
    assert "1일" in found.line("ko")
    assert "1 day" in found.line("en")


def test_every_finding_has_a_case_that_fires_and_a_check_that_can():
    assert set(CODES) == {code for case in CASES for code in case["fires"]}
    assert len(CHECKS) <= len(CODES)


def test_all_languages_say_the_same_things():
    def keys(node):
        return {k: keys(v) if isinstance(v, dict) else None for k, v in node.items()}

    assert "ko" in LANGUAGES
    for language in LANGUAGES:
        assert keys(texts(language)) == keys(texts("en"))
        for code in CODES:
            for key, text in texts("en")["findings"][code].items():
                wanted = sorted(re.findall(r"{(\w+)}", text))
                assert (
                    sorted(re.findall(r"{(\w+)}", texts(language)["findings"][code][key])) == wanted
                )


def test_the_pages_are_current():
    for language in LANGUAGES:
        assert path_of(language, DOCS).read_text(encoding="utf-8") == page(language)


def test_severe_findings_come_first():
    found = [Finding("D004", "info"), Finding("D011", "severe"), Finding("D001", "warning")]
    assert [finding.code for finding in by_severity(found)] == ["D011", "D001", "D004"]


def leaky(path):
    n = 240
    frame = pl.DataFrame(
        {
            "a": [f"p{i // 4}" for i in range(n)],
            "k": [i % 4 for i in range(n)],
            "x": [noise(i, 1) for i in range(n)],
            "code": [i // 4 % 2 + 5 for i in range(n)],
            "y": ["no" if i // 4 % 2 else "so" for i in range(n)],
        }
    )
    frame.write_csv(path)


def test_init_check_and_train_say_what_the_audit_found(carousel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    leaky(tmp_path / "t.csv")
    code, out, err = carousel("init", "t.csv", "--target", "y", "--lang", "ko")
    assert (code, err) == (1, "")
    assert "심각 D012" in out
    small = ["--set", "training.epochs=1", "--set", "model.hidden_size=4"]
    code, out, _ = carousel("check", "t.toml", "--json", "--seconds", "0.1", *small)
    assert code == 1
    assert [f["code"] for f in json.loads(out)["audit"]] == ["D012"]
    code, _, err = carousel("train", "t.toml", "--run-dir", "run", *small)
    assert code == 0
    assert "audit: severe D012: 'code' alone says what 'y' is." in err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert [f["code"] for f in result["audit"]] == ["D012"]
    report = (tmp_path / "run" / "report.html").read_text()
    assert "severe D012" in report
    assert "'code' alone says what 'y' is.".replace("'", "&#x27;") in report
    hot = ["--set", "optimizer.learning_rate=0.3"]
    code, _, err = carousel("train", "t.toml", "--run-dir", "ko", "--lang", "ko", *small, *hot)
    assert code == 0
    assert "audit: 심각 D012: 'code' 열 하나만으로" in err
    assert "coach: 경고: 학습률 0.3" in err
    assert '<html lang="ko">' in (tmp_path / "ko" / "report.html").read_text()
    code, _, err = carousel("train", "t.toml", "--run-dir", "xx", "--lang", "xx", *small)
    assert code == 2
    assert "--lang must be one of en, ko; got 'xx'" in err
    assert not (tmp_path / "xx").exists()
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    assert carousel("report", "run")[0] == 0
    assert "심각 D012" in (tmp_path / "run" / "report.html").read_text()
    code, out, _ = carousel("coach", "run", "--lang", "en")
    named = re.findall(r"carousel \w+(?:-\w+)? (\S+)", out)
    assert "run/config.toml" in named
    assert all((tmp_path / name).exists() for name in named)


def test_a_finding_of_another_version_is_shown_in_the_words_that_were_written():
    written = Finding("D001", "warning", (), {"count": 3, "share": "1 %"}).to_dict()
    assert Finding.from_dict(written).to_dict("ko")["title"].startswith("3개 행")
    later = {**written, "code": "D999", "title": "3 rows are odd."}
    assert Finding.from_dict(later).text("title", "ko") == "3 rows are odd."


@pytest.mark.parametrize("how", ["by value", "by range"])
def test_what_a_task_calls_a_leak_the_audit_finds_too(tmp_path, how):
    n = 400
    column = {"by value": lambda i: i // 4 % 4, "by range": lambda i: i // 4 % 2 + 0.1 * (i % 5)}
    frame = pl.DataFrame(
        {
            "a": [f"p{i // 4}" for i in range(n)],
            "x": [noise(i, 1) for i in range(n)],
            "z": [column[how](i) for i in range(n)],
            "y": ["no" if i // 4 % 2 else "so" for i in range(n)],
        },
        strict=False,
    )
    frame.write_csv(tmp_path / "t.csv")
    values = {"task": "classify_recordings", "columns": {"id": "a", "target": "y"}}
    config = Config.from_dict(
        {**values, "data": {"name": "table", "path": str(tmp_path / "t.csv")}}
    )
    (leak,) = tasks.find(config.task)(config, 0).leaks
    assert (leak["column"], leak["how"]) == ("z", how)
    found = {f.code: f.columns for f in audit(of_frame(frame), config, NOW)}
    assert found == {{"by value": "D012", "by range": "D040"}[how]: ("z",)}


def test_predict_and_evaluate_hold_a_new_table_against_that_of_training(
    carousel, tmp_path, monkeypatch
):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    n = 400
    names = {"a": [f"p{i // 4}" for i in range(n)], "k": [i % 4 for i in range(n)]}
    values = {"x": [noise(i, 1) for i in range(n)], "c": ["uvw"[i % 3] for i in range(n)]}
    frame = pl.DataFrame({**names, **values, "y": ["no" if i // 4 % 2 else "so" for i in range(n)]})
    frame.write_csv(tmp_path / "t.csv")
    carousel("init", "t.csv", "--target", "y")
    small = ["--set", "training.epochs=1", "--set", "model.hidden_size=4"]
    assert carousel("train", "t.toml", "--run-dir", "run", "--quiet", *small)[0] == 0
    odd = frame.with_columns(x=pl.col("x") * 100, c=pl.lit("q"))
    odd.write_csv(tmp_path / "odd.csv")
    code, _, err = carousel("predict", "run", "odd.csv", "--out", "o.csv")
    assert code == 0
    assert [line.split(":")[1].split()[-1] for line in err.splitlines() if " D1" in line] == [
        *("D103", "D104", "D106"),
    ]
    assert "lie outside the range of training" in err
    assert "training did not have: read as" not in err  # said once
    code, out, err = carousel(
        "predict", "run", "odd.csv", "--out", "o.csv", "--json", "--lang", "ko"
    )
    assert [one["code"] for one in json.loads(out)["audit"]] == ["D103", "D104", "D106"]
    assert "경고 D104" in err
    code, out, err = carousel("predict", "run", "odd.csv")
    assert "warning D104" in err
    code, out, _ = carousel("evaluate", "run", "odd.csv", "--json")
    assert {one["code"] for one in json.loads(out)["audit"]} == {"D103", "D104", "D106"}
    written = json.loads((tmp_path / "run" / "evaluation-new-odd.json").read_text())
    assert "audit" in written
    frame.head(200).write_csv(tmp_path / "like.csv")
    code, out, err = carousel("evaluate", "run", "like.csv", "--json")
    assert "audit" not in json.loads(out)
    assert err == ""
    size = len((tmp_path / "run" / "model" / "model.json").read_bytes())
    assert size < 20_000
    found = load(tmp_path / "run").audit(odd)
    assert {one.code for one in found} == {"D103", "D104", "D106"}
