"""Forecasters and detectors as streams of the server: by column name, over restarts, refused."""

import json
import shutil

import msgpack
import numpy as np
import pytest
from saved_models import save_detector, save_model
from starlette.testclient import TestClient

from carousel import runtime
from carousel.errors import ConfigError
from carousel.serve.kinds import Kind
from carousel.serve.reload import adopt
from carousel.serve.scheduler import Limits
from carousel.serve.server import prepare
from carousel.serve.service import Settings

DAY = [86_400 * 10**9, "ns"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A forecaster with the calendar and a category, and a detector of two series."""
    folder = tmp_path_factory.mktemp("kinds")
    for name in ("waves", "pumps"):
        (folder / name).mkdir()
    save_model(folder / "waves", "forecast", "forecast.calendar=true",
               "forecast.distribution=quantile", columns=["wave", "city"],
               levels={"city": ["x", "y"]}, scaler={"mean": [0.3, 0], "std": [0.5, 1]},
               known=4, step=DAY)  # fmt: skip
    save_detector(folder / "pumps")
    return {name: folder / name for name in ("waves", "pumps")}


def opened(folders, state=None):
    settings = Settings(limits=Limits(rows=8, steps=3))
    return TestClient(prepare(folders, settings, state, 1000).app())


@pytest.fixture
def client(folders):
    with opened(folders) as client:
        yield client


def told(client, path, content, status=200):
    answer = client.post(f"/v1/models/{path}", json=content)
    assert answer.status_code == status, answer.text
    return answer.json()


def waves(count, first=0):
    draw = np.random.default_rng(0).standard_normal(60)
    stamps = np.datetime64("2001-03-30") + np.arange(60)
    steps = [{"time": str(stamps[t]), "wave": draw[t], "city": "xy"[t % 2], "other": 1}
             for t in range(60)]  # fmt: skip
    return steps[first : first + count]


def flows(count, first=0):
    x = 5 + np.random.default_rng(1).standard_normal((60, 2)).cumsum(0) / 3
    return [{"flow": a, "heat": b} for a, b in x.tolist()][first : first + count]


def test_a_forecast_is_what_predict_says_of_the_window_with_its_times(client, folders):
    found = []
    for first, last in ((0, 7), (7, 25), (25, 30)):
        content = {"steps": waves(last - first, first), "number": first}
        found += told(client, "waves/streams/a/steps", content)["answers"]
    assert [one["wanting"] for one in found[:19]] == [*range(19, 0, -1)]
    model = runtime.load(folders["waves"])
    x = np.array([[step["wave"], 1 + t % 2] for t, step in enumerate(waves(30))])
    low, middle, high = model.predict(x, np.datetime64("2001-04-28"))[..., 0].tolist()
    assert found[-1] == {"forecast": [
        {"time": f"2001-{day}", "wave": middle[k], "interval": {"wave": [low[k], high[k]]}}
        for k, day in enumerate(("04-29", "04-30", "05-01", "05-02", "05-03"))
    ]}  # fmt: skip
    whole = told(client, "waves/predict", {"sequences": [waves(30), waves(25)]})["answers"]
    assert whole == [found[29], found[24]]
    facts = client.get("/v1/models/waves").json()
    assert facts["columns"] == ["wave", "city"]
    assert facts["lead"] == {"name": "time", "needed": True}
    assert facts["names"][0] == "low of wave +1"


def test_scores_are_those_of_the_series_that_the_stream_is_of(client, folders):
    model = runtime.load(folders["pumps"])
    x = np.array([[*step.values()] for step in flows(40)])
    for stream, series, first in (("a", "south", {"series": "south"}), ("north/7", "north", {}),
                                  ("north", "south", {"series": "south"})):  # fmt: skip
        steps = flows(40)
        steps[0] = {**first, **steps[0]}
        parts = (steps[:9], steps[9:])
        answers = [one for part in parts
                   for one in told(client, f"pumps/streams/{stream}/steps",
                                   {"steps": part})["answers"]]  # fmt: skip
        wanted = model.predict(x, series)
        cold = model.cold
        assert [one["wanting"] for one in answers[:cold]] == [*range(cold, 0, -1)]
        assert [one["score"] for one in answers[cold:]] == wanted[cold:, 0].tolist()
        assert [one["anomaly"] for one in answers] == (wanted[:, 1] > 0).tolist()
        shares = [[*one["columns"].values()] for one in answers[cold:]]
        assert shares == wanted[cold:, 2:-1].tolist()
        steps[0]["series"] = series
        assert told(client, "pumps/predict", {"sequences": [steps]})["answers"] == [answers]


def test_what_was_not_measured_is_null_and_counted(client, folders):
    steps = [[*step.values()] for step in flows(30)]
    steps[20][1] = None
    answers = told(client, "pumps/streams/north/steps", {"steps": steps})["answers"]
    x = np.array(steps, float)
    wanted = runtime.load(folders["pumps"]).predict(x, "north")
    assert answers[20]["score"] == wanted[20, 0]
    assert 'carousel_filled_total{model="pumps"} 1' in client.get("/metrics").text


WRONG = [
    ("pumps/streams/a/steps", [{"flow": 1.0}], "column 'heat' is missing in step 0"),
    ("pumps/streams/a/steps", [[1.0, 2.0]], "name the series of a stream with its first step"),
    ("pumps/streams/a/steps", [{"series": "east", "flow": 1, "heat": 2}],
     "the series of step 0 is 'east', which training had not: known are north, south"),
    ("pumps/streams/a/steps", [{"series": "north", "flow": "x", "heat": 2}],
     "column 'flow' of step 0 is 'x'"),
    ("waves/streams/a/steps", [{"wave": 1, "city": "x"}], "the first step of a stream needs its"),
    ("waves/streams/a/steps", [{"time": "May", "wave": 1, "city": "x"}], "the time of step 0 is"),
    ("waves/streams/a/steps", [{"time": "2001-03-01", "wave": 1, "city": "z"}],
     "column 'city' of step 0 is 'z', which training had not: known are x, y"),
    ("waves/streams/a/steps", [{"time": "2001-03-01", "wave": None, "city": "x"}],
     "column 'wave' of the first step was not measured"),
    ("waves/streams/a/steps", [*waves(2), waves(1, 4)[0]], "2001-04-01 was expected, got that of"),
    ("waves/streams/a/steps", [["2001-03-01", 1.0, 1, 2]], "step 0 has 4 numbers"),
    ("waves/predict", None, "the body is"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "steps", "why"), WRONG)
def test_what_does_not_fit_is_named(client, path, steps, why):
    content = {"steps": steps} if steps else {"sequences": []}
    error = told(client, path, content, 400)["error"]
    assert error["code"] == "bad_input"
    assert why in error["message"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused_by_name(client, value):
    content = f'{{"steps": [["north", 1.0, {value}]]}}'
    answer = client.post("/v1/models/pumps/streams/a/steps", content=content)
    assert answer.status_code == 400
    assert "column 'heat'" in answer.json()["error"]["message"]


def test_streams_over_a_socket_go_on_after_a_restart(folders, tmp_path):
    x = np.array([[*step.values()] for step in flows(40)])
    wanted = runtime.load(folders["pumps"]).predict(x, "south")
    found = []
    for first, last in ((0, 17), (17, 40)):
        with opened(folders, tmp_path / "s.sqlite") as client:
            with client.websocket_connect("/v1/models/pumps/socket") as socket:
                socket.send_bytes(msgpack.packb({"op": "open", "streams": ["a"]}))
                told = msgpack.unpackb(socket.receive_bytes())
                assert told["steps"] == [first]
                assert told["names"][:2] == ["score", "anomaly"]
                lead = np.full((last - first, 1), 2.0 if not first else np.nan)
                values = np.concatenate((lead, x[first:last]), 1)
                socket.send_bytes(msgpack.packb({
                    "op": "steps", "handles": np.uint32([0]).tobytes(), "type": "f8",
                    "values": values.tobytes(), "steps": last - first,
                }))  # fmt: skip
                told = msgpack.unpackb(socket.receive_bytes())
            found.append(np.frombuffer(told["answers"]).reshape(told["shape"])[0])
        with opened(folders, tmp_path / "s.sqlite") as client:
            told = client.post("/v1/models/waves/streams/w/steps",
                               json={"steps": waves(12, first and 12)}).json()  # fmt: skip
    np.testing.assert_array_equal(np.concatenate(found), wanted)
    assert told["answers"][-1]["forecast"] is not None


def test_batches_of_costly_steps_are_smaller(folders):
    kind = prepare(folders, Settings(), None).services["waves"].kind
    limits = kind.limits(Limits())
    assert (kind.cost, limits.rows, limits.steps) == (20, 819, 1)
    cheap = Kind(kind.columns, kind.streams, kind.answers, kind.predict)
    assert cheap.limits(Limits()) == Limits()


def test_eight_bits_are_refused(folders, tmp_path):
    file = tmp_path / "known.jsonl"
    file.write_text("\n".join(json.dumps({"series": "north", **one}) for one in flows(3)))
    settings = Settings(calibration=file)
    with pytest.raises(ConfigError, match="anomaly has no form in eight bits here"):
        prepare({"pumps": folders["pumps"]}, settings, None)


@pytest.mark.parametrize("name", ["waves", "pumps"])
def test_a_window_is_not_handed_to_weights_with_another_scale(folders, tmp_path, name):
    """What is in it was scaled by the old one."""
    shutil.copytree(folders[name], tmp_path / name)
    facts = json.loads((tmp_path / name / "model" / "model.json").read_text())
    service = prepare({name: tmp_path / name}, Settings(), None).services[name]
    fresh = prepare({name: tmp_path / name}, Settings(), None).services[name]
    assert adopt(service, fresh) == 0
    scaler = facts["scaler"] if name == "waves" else facts["usual"]["south"]["scaler"]
    scaler["mean"][0] += 0.5
    (tmp_path / name / "model" / "model.json").write_text(json.dumps(facts))
    other = prepare({name: tmp_path / name}, Settings(), None).services[name]
    with pytest.raises(ConfigError, match="has other facts of its states"):
        adopt(service, other)
