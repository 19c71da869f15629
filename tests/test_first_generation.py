"""What the first generation wrote is still read, and answers as it answered."""

import json
import re
import shutil
from pathlib import Path

import pytest

import carousel as library
from carousel import tasks
from carousel.runs.store import Status, Store

HOME = Path(__file__).parent / "fixtures" / "first_generation"
BUNDLES = sorted(path.parent.name for path in HOME.glob("*/arguments.json"))
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
BARS = re.compile(r"[─█+-]+(?=\s|$)")
#: Said in another way since, on purpose: a row of a CSV may have several lines.
RENAMED = {"classify_text": ("line ", "sentence ")}


@pytest.fixture
def bundle(request, tmp_path):
    return shutil.copytree(HOME / request.param, tmp_path, dirs_exist_ok=True)


def ask(carousel, bundle, *more):
    arguments = json.loads((bundle / "arguments.json").read_text())
    code, out, err = carousel("predict", bundle, *arguments, *more)
    assert code == 0, err
    return out


LATER = {"anomaly", "forecast_many"}
"""Tasks that came after the first generation."""


def test_there_is_a_bundle_of_every_task_that_the_first_generation_had():
    models = [json.loads((HOME / name / "model.json").read_text()) for name in BUNDLES]
    assert {model["config"]["task"] for model in models} == set(tasks.names()) - LATER


@pytest.mark.parametrize("bundle", BUNDLES, indirect=True)
def test_predict_prints_what_it_printed(bundle, carousel, request):
    name = request.node.callspec.params["bundle"]
    out = ask(carousel, bundle)
    wanted = (bundle / "predict.txt").read_text().replace(*RENAMED.get(name, ("", "")))
    assert words(out) == words(wanted)
    # More digits may be shown than were.
    assert numbers(out) == pytest.approx(numbers(wanted), rel=1e-2, abs=2e-3)


@pytest.mark.parametrize("bundle", BUNDLES, indirect=True)
def test_predict_gives_the_json_it_gave(bundle, carousel):
    out = json.loads(ask(carousel, bundle, "--json"))
    holds(out, json.loads((bundle / "predict.json").read_text()))


def words(text):
    return NUMBER.sub("#", BARS.sub("", text)).split()


def numbers(text):
    return [float(word) for word in NUMBER.findall(text)]


def holds(now, before):
    """Everything that was there is there, with its value; more may have come."""
    if isinstance(before, dict):
        assert before.keys() <= now.keys()
        for name, value in before.items():
            holds(now[name], value)
    elif isinstance(before, list):
        assert len(now) == len(before)
        for one, other in zip(now, before, strict=True):
            holds(one, other)
    elif isinstance(before, float):
        assert now == pytest.approx(before, rel=1e-4, abs=1e-5)
    else:
        assert now == before


def test_a_finished_run_is_listed_loads_and_is_read_by_the_coach(tmp_path, carousel):
    run = shutil.copytree(HOME / "run", tmp_path / "run")
    record = Store(tmp_path).run("run")
    result = json.loads((run / "result.json").read_text())
    assert record.status is Status.FINISHED
    assert record.best is not None
    assert library.load(run).label(["go to rome"])
    code, out, err = carousel("coach", run)
    named = {keys.strip() for keys in re.findall(r"; source: (.+)$", out, re.M)}
    assert named
    for key in ", ".join(named).split(", "):
        assert f"\n  {key}: " in out
    assert (code, err) == (1, "")  # a severe finding is in it
    assert all(name in out for name in result["coach"]["severe"])
    code, out, err = carousel("compare", run, shutil.copytree(run, tmp_path / "other"))
    assert code == 0, err
    assert f"{result['test']['span_f1']:.4f}" in out
